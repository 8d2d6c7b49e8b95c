"""Refusals of access requests."""

from __future__ import annotations

from core.errors import Conflict, Unprocessable


class RequestWrong(Unprocessable):
    """A document that says something else than its sender is."""

    default_code = "request_wrong"
    default_zh = "申请内容不符合要求：{detail}。请修改后重新签名提交。"
    default_en = "The request is not valid: {detail}. Correct it, sign it and send it again."


class RequestExists(Conflict):
    """An id used before."""

    default_code = "request_exists"
    default_zh = "该申请编号已存在，请用新的随机编号重新生成。"
    default_en = "This request id exists. Make a new random one."


class AlreadyAnswered(Conflict):
    """A request that is no longer waiting."""

    default_code = "already_answered"
    default_zh = "该申请已处理、已撤回或已过期。"
    default_en = "This request was answered or withdrawn, or has expired."


class ConsentMissing(Unprocessable):
    """A permit without a consent of this subject."""

    default_code = "consent_missing"
    default_zh = "请先提交对应的授权，再同意此申请。"
    default_en = "Submit the consent first, then permit this request with it."
