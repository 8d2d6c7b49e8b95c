"""Refusals of emergencies."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, Unprocessable


class EmergencyWrong(Unprocessable):
    """A scope, reason or time that no emergency may have, or in somebody else's name."""

    default_code = "emergency_wrong"
    default_zh = "紧急调阅的内容不符合要求：{detail}。请重新发起。"
    default_en = "The emergency is not valid: {detail}. Begin again."


class EmergencyExists(Conflict):
    """An id used before."""

    default_code = "emergency_exists"
    default_zh = "该紧急调阅编号已存在，请重新发起。"
    default_en = "This emergency exists. Begin again with fresh random bytes."


class NotWaiting(Conflict):
    """Confirmed already, or nobody confirmed it in time."""

    default_code = "emergency_not_waiting"
    default_zh = "该紧急调阅已有人确认，或等待确认的时间已过；仍有需要请重新发起。"
    default_en = "Somebody has confirmed this emergency, or its time for that is over. Begin again if it is still needed."


class SecondPersonNeeded(Forbidden):
    """The one who asked cannot confirm it."""

    default_code = "second_person_needed"
    default_zh = "紧急调阅须由本院另一名医务人员确认，不能由发起人自己确认。"
    default_en = "Another person of your organisation has to confirm an emergency, not the one who began it."


class NotReviewable(Conflict):
    """Not on the ledger, or reviewed already."""

    default_code = "emergency_not_reviewable"
    default_zh = "该紧急调阅没有在账本上打开，或已经复核。"
    default_en = "This emergency was not opened on the ledger, or was reviewed already."


class OwnReview(Forbidden):
    """An organisation does not review its own emergencies."""

    default_code = "emergency_own_review"
    default_zh = "本机构发起的紧急调阅须由另一机构的审计员复核。"
    default_en = "An auditor of another organisation has to review this emergency."
