"""Every refusal of the REST interface: RFC 9457 ``application/problem+json``, made in one handler.

Refusals are typed (:mod:`core.errors`, and ``<noun>/errors.py``); a text says what happened and what to do, ``detail`` in
the language the
caller asked for (Accept-Language), ``text`` in both. A refusal never repeats what was sent, so it carries no personal data on.
"""

from __future__ import annotations

from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from core.errors import (
    Conflict,
    Forbidden,
    HealthTrustError,
    Malformed,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
    Unprocessable,
    place_of,
)
from core.errors import TooManyRequests as TooMany
from gateway.ledger.reasons import LedgerError, Reason

log = structlog.get_logger("gateway")
MEDIA_TYPE = "application/problem+json"


class Remembered:
    """Mix-in for refusals whose side effects stay: what the request wrote before (a counted try) is committed all the same."""

    keep: ClassVar[bool] = True


class Invalid(Unprocessable):
    """Fields that do not satisfy the schema; ``errors`` says which and why, not what was sent."""

    default_code = "invalid_request"
    default_zh = "请求内容不符合要求，请按 errors 中的提示修改后重试。"
    default_en = "The request is not valid. Correct what errors names and try again."


class BadJson(Malformed):
    """A body that is not JSON."""

    default_code = "malformed_json"
    default_zh = "请求不是有效的 JSON，请检查格式后重试。"
    default_en = "The body is not valid JSON. Check its format and try again."


class UnsupportedMedia(HealthTrustError):
    """A body that is not JSON by its own account (415)."""

    status = 415
    default_code = "unsupported_media"
    default_zh = "不支持的内容类型，请使用 application/json。"
    default_en = "This content type is not supported. Use application/json."


class KeyNeeded(Malformed):
    """A write without Idempotency-Key."""

    default_code = "idempotency_key_needed"
    default_zh = "缺少 Idempotency-Key。每次写入请附上一个新的随机值（16 至 128 个可见字符），重试时使用同一个。"
    default_en = (
        "The Idempotency-Key header is missing. Send a fresh random one (16 to 128 visible characters) with every "
        "write, the same when retrying."
    )


class KeyReused(Conflict):
    """An Idempotency-Key seen before with another request."""

    default_code = "idempotency_key_reused"
    default_zh = "此 Idempotency-Key 已用于另一个请求，新的请求请使用新的值。"
    default_en = "This Idempotency-Key was used for another request. Use a new one for a new request."


class SignatureWrong(Unprocessable):
    """A signature inside the body (of a message) that does not hold for the ledger's key."""

    default_code = "bad_signature"
    default_zh = "签名无效。请用登记在链上的当前密钥，对格式说明规定的字节签名。"
    default_en = "The signature does not hold. Sign the bytes the format page names with the key the ledger holds now."


class LedgerAway(Unavailable):
    """The ledger gives no answer that may be relied on."""

    default_code = "ledger_unavailable"
    default_zh = "账本暂时没有可靠的回答，未作任何更改。请稍后用同一个 Idempotency-Key 重试。"
    default_en = "The ledger gives no reliable answer now; nothing was changed. Try again later with the same Idempotency-Key."


class LedgerRefused(Unprocessable):
    """The contract said no, before anything was sent."""

    default_code = "ledger_refused"
    default_zh = "账本拒绝了此操作（{error}），未作任何更改。请按错误名称更正后重试。"
    default_en = "The ledger refused this ({error}); nothing was changed. Correct what the error names and try again."


class Busy(Unavailable):
    """The database did not answer in time."""

    default_code = "busy"
    default_zh = "系统繁忙，未作任何更改，请稍后重试。"
    default_en = "The system is busy; nothing was changed. Try again shortly."


_BY_STATUS: dict[int, type[HealthTrustError]] = {
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    415: UnsupportedMedia,
    429: TooMany,
}
_CALLERS_FAULT = {Reason.REJECTED, Reason.INVALID_ARGUMENT, Reason.TOO_LARGE}


def language_of(request: Request) -> str:
    """``zh`` or ``en``: the first of the two the caller names in Accept-Language; Chinese when it names neither."""
    for part in request.headers.get("accept-language", "zh").lower().split(","):
        tag = part.strip()[:2]
        if tag in ("zh", "en"):
            return tag
    return "zh"


def render(request: Request, error: HealthTrustError) -> JSONResponse:
    """The response for a refusal."""
    language = language_of(request)
    body = error.problem()
    text = body.pop("detail")
    body |= {"detail": text[language], "text": text, "request": getattr(request.state, "request_id", None)}
    body["title"] = text[language].partition("。" if language == "zh" else ". ")[0].rstrip("。.")
    headers = {"Content-Language": language, "Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="healthtrust"'
    if error.status in (429, 503):
        headers["Retry-After"] = str(error.params.get("retry_after", 2))
    return JSONResponse(body, error.status, headers, MEDIA_TYPE)


def from_error(error: Exception) -> HealthTrustError:
    """The refusal an exception of any layer stands for; the base class for what nobody foresaw."""
    match error:
        case HealthTrustError():
            return error
        case RequestValidationError():
            return _from_validation(error)
        case HTTPException():
            return _BY_STATUS.get(error.status_code, HealthTrustError if error.status_code >= 500 else Malformed)(detail="HTTP")
        case LedgerError() if error.reason in _CALLERS_FAULT:
            return LedgerRefused(reason=error.reason.value, error=error.error)
        case LedgerError():
            return LedgerAway(reason=error.reason.value)
        case OperationalError():
            return Busy()
        case _:
            return HealthTrustError()


def _from_validation(error: RequestValidationError) -> HealthTrustError:
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return BadJson()
    # Neither ``input`` nor ``ctx`` nor ``msg`` of our own validators: they may repeat what was sent.
    return Invalid(errors=[_where(e) for e in found[:20]])


def _where(error: dict[str, Any]) -> str:
    return f"{'/'.join(str(p) for p in error['loc'])}: {error['type']}"


async def handle(request: Request, error: Exception) -> JSONResponse:
    """The one exception handler. What is not ours is logged with its type and place, never with its values."""
    problem = from_error(error)
    if problem.status >= 500:
        # The driver's own words name tables and locks, never values.
        cause = str(error.orig) if isinstance(error, OperationalError) else ""
        log.error("failed", error=type(error).__name__, at=place_of(error), cause=cause)
    return render(request, problem)


def install(app: FastAPI) -> None:
    """Register the one handler for everything that can be raised."""
    for kind in (HealthTrustError, RequestValidationError, HTTPException, LedgerError, OperationalError, Exception):
        app.add_exception_handler(kind, handle)
