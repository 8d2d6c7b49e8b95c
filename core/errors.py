"""Errors that every service answers with: a stable code, an HTTP status, and a text in Chinese and English that says what to do.

Raised anywhere, turned into ``application/problem+json`` (RFC 9457) in one handler of each service. Texts never carry personal
data or key material: parameters are ids, names of fields and counts.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ForPeople(Exception):
    """An error whose own words tell a person what happened and what to do; a command line says them and nothing else."""


class HealthTrustError(ForPeople):
    """Base of all typed errors.

    ``status`` is the HTTP status, ``code`` the stable machine-readable name; ``zh`` and ``en`` are formatted with ``params``.
    Subclasses carry defaults, so ``raise KeyMalformed(detail="…")`` and ``raise NotFound("consent_not_found", "…", "…")`` both
    work.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    default_zh: ClassVar[str] = "系统内部错误，请稍后重试；若仍出现，请把操作编号告诉管理员。"
    default_en: ClassVar[str] = "Internal error. Try again later; if it persists, give the operation number to the administrator."

    def __init__(self, code: str | None = None, zh: str | None = None, en: str | None = None, **params: Any) -> None:
        self.code = code or self.default_code
        self.params = params
        self.zh = _fill(zh or self.default_zh, params)
        self.en = _fill(en or self.default_en, params)
        super().__init__(f"{self.code}: {self.en}")

    def problem(self) -> dict[str, Any]:
        """Members of the RFC 9457 document: type, title, status, code, detail in both languages, parameters."""
        return {
            "type": f"urn:healthtrust:problem:{self.code}",
            "title": self.en,
            "status": self.status,
            "code": self.code,
            "detail": {"zh": self.zh, "en": self.en},
            "params": {k: v for k, v in self.params.items() if isinstance(v, str | int | bool | None | list)},
        }


def _fill(text: str, params: dict[str, Any]) -> str:
    """Format ``text``, leaving a placeholder visible where its parameter is missing (an error path must not raise another
    error)."""
    for name, value in params.items():
        text = text.replace("{" + name + "}", str(value))
    return text


class Malformed(HealthTrustError):
    """The caller sent something that is not in the agreed format (400)."""

    status = 400
    default_code = "malformed"
    default_zh = "内容格式不对：{detail}。请按接口说明改正后再发送。"
    default_en = "The content is malformed: {detail}. Correct it as the API description says and send it again."


class Unauthenticated(HealthTrustError):
    """It is not shown who asks (401)."""

    status = 401
    default_code = "unauthenticated"
    default_zh = "无法确认请求者身份，请重新登录或用已登记的密钥签名后再试。"
    default_en = "It is not shown who is asking. Log in again, or sign the request with a registered key."


class Forbidden(HealthTrustError):
    """Known caller, not allowed (403)."""

    status = 403
    default_code = "forbidden"
    default_zh = "您没有权限做这件事；如确有需要，请向居民本人或机构管理员申请。"
    default_en = "You are not allowed to do this. If you need it, ask the resident or your organisation's administrator."


class NotFound(HealthTrustError):
    """There is no such thing, or the caller may not know that there is (404)."""

    status = 404
    default_code = "not_found"
    default_zh = "没有找到，请核对编号。"
    default_en = "Not found. Check the identifier."


class MethodNotAllowed(HealthTrustError):
    """A method this path does not have (405)."""

    status = 405
    default_code = "method_not_allowed"
    default_zh = "此地址不支持该操作，请查看接口文档。"
    default_en = "This path does not support the method. See the interface description."


class Conflict(HealthTrustError):
    """The state does not allow it (409)."""

    status = 409
    default_code = "conflict"
    default_zh = "与当前状态冲突，请刷新后重新操作。"
    default_en = "This conflicts with the current state. Reload and try again."


class TooLarge(HealthTrustError):
    """More bytes or items than the limit (413)."""

    status = 413
    default_code = "too_large"
    default_zh = "内容超过上限，请分批发送。"
    default_en = "The content exceeds the limit. Send it in smaller parts."


class Unprocessable(HealthTrustError):
    """Well formed, but cannot be true or cannot be done (422)."""

    status = 422
    default_code = "unprocessable"
    default_zh = "内容无法处理：{detail}。请核对后再试。"
    default_en = "The content cannot be processed: {detail}. Check it and try again."


class TooManyRequests(HealthTrustError):
    """Rate limit (429)."""

    status = 429
    default_code = "too_many_requests"
    default_zh = "请求过于频繁，请稍后再试。"
    default_en = "Too many requests. Wait a moment and try again."


class Unavailable(HealthTrustError):
    """Something this needs does not answer; nothing was done (503)."""

    status = 503
    default_code = "unavailable"
    default_zh = "所需服务暂时不可用，未作任何更改，请稍后重试。"
    default_en = "A service this needs is not available. Nothing was changed; try again later."


class KeyMalformed(Malformed):
    """Bytes that are not an SM2 key: wrong length, out of range, or not on the curve."""

    default_code = "key_malformed"
    default_zh = "SM2 密钥无效：{detail}。请重新导出密钥，或在本机重新生成。"
    default_en = "Not a valid SM2 key: {detail}. Export the key again or generate a new one."


class EncodingMalformed(Malformed):
    """A DER, point or ciphertext encoding that is not exactly as the standard says."""

    default_code = "encoding_malformed"
    default_zh = "编码无效：{detail}。请检查生成它的程序。"
    default_en = "Malformed encoding: {detail}. Check the program that made it."


class DecryptionFailed(Unprocessable):
    """Ciphertext, tag, associated data or key do not belong together."""

    default_code = "decryption_failed"
    default_zh = "解密失败：密文被改动，或密钥不对。请核对收件人密钥后重新获取。"
    default_en = (
        "Decryption failed: the ciphertext was changed or the key is wrong. Check the recipient's key and fetch it again."
    )


class NotCanonical(Malformed):
    """A value that has no RFC 8785 form."""

    default_code = "not_canonical"
    default_zh = "该内容无法规范化：{detail}。请改正数据后再提交。"
    default_en = "The value has no canonical form: {detail}. Correct the data and submit it again."


class ScopeMalformed(Malformed):
    """A consent scope, as document or as words, that is not exactly in the format (docs/formats.md §5)."""

    default_code = "scope_malformed"
    default_zh = "授权范围格式不对：{detail}。请重新生成授权。"
    default_en = "The consent scope is malformed: {detail}. Make the consent again."


class UnknownCode(Malformed):
    """A purpose, category or role that is not in the vocabulary."""

    default_code = "unknown_code"
    default_zh = "{group} 中没有 {value}。可用的值见 GET /vocabulary。"
    default_en = "{value} is not among the {group}. GET /vocabulary lists the known ones."


class SignatureInvalid(Unauthenticated):
    """A signature that does not verify, or is not fresh, or is seen twice."""

    default_code = "signature_invalid"
    default_zh = "签名验证不通过：{detail}。请用本人密钥重新签名。"
    default_en = "The signature does not hold: {detail}. Sign again with your own key."


class ArtefactInvalid(Unprocessable):
    """A consent artefact whose parts do not belong together."""

    default_code = "artefact_invalid"
    default_zh = "授权凭证无效：{detail}。请向居民重新索取。"
    default_en = "The consent artefact is invalid: {detail}. Ask the resident for it again."


class ProofInvalid(Unprocessable):
    """A Merkle or disclosure proof that does not lead to the root."""

    default_code = "proof_invalid"
    default_zh = "证明不成立：{detail}。请重新获取记录与证明，若仍不成立请联系保管机构。"
    default_en = "The proof does not hold: {detail}. Fetch record and proof again; if it still fails, contact the custodian."


def place_of(error: BaseException) -> str:
    """Where an error was raised, as ``folder/file.py:line``: all that a log may say of what nobody foresaw, because messages and
    local variables carry records and keys."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{'/'.join(trace.tb_frame.f_code.co_filename.split('/')[-2:])}:{trace.tb_lineno}" if trace else ""
