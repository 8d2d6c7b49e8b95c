"""Refusals of enrolment, lookup and credentials."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, NotFound, TooManyRequests, Unprocessable
from gateway.problem import Remembered


class EnrolmentRefused(Remembered, Forbidden):
    """One answer whatever was wrong: number, name, code, or too many tries."""

    default_code = "enrolment_refused"
    default_zh = "未能通过核验。请核对证件号码、姓名和激活码；同一证件号码一天内连续 5 次不符将暂停办理，请到登记窗口咨询。"
    default_en = (
        "This could not be verified. Check ID number, name and activation code; five failures within a day stop "
        "enrolment for that number. Ask at the registration desk."
    )


class NoRecovery(NotFound):
    """Nothing waits to replace this subject's key."""

    default_code = "no_recovery"
    default_zh = "没有正在办理的密钥找回。"
    default_en = "No key recovery is under way."


class TooEarly(Conflict):
    """A recovery whose delay is not over: the old key may still veto."""

    default_code = "recovery_too_early"
    default_zh = "密钥找回尚在等待期内（原密钥可在此期间否决），请在 {executable_at}（UTC 秒）之后再办理。"
    default_en = "The recovery still waits (the old key may veto it until then). Come back after {executable_at} (UTC seconds)."


class TicketInvalid(Forbidden):
    """An enrolment ticket that does not exist, is used up or too old."""

    default_code = "ticket_invalid"
    default_zh = "本次办理已失效，请从头开始。"
    default_en = "This enrolment is over. Start again."


class NobodyFound(Remembered, NotFound):
    """No open account under this number or code (the try is counted and kept as evidence)."""

    default_code = "nobody_found"
    default_zh = "没有找到已开通的健康账户。请核对号码，或请居民出示就诊码。"
    default_en = "No open health account was found. Check the number, or ask the person for their patient code."


class TooManyLookups(Remembered, TooManyRequests):
    """More lookups in a day than the limit."""

    default_code = "too_many_lookups"
    default_zh = "今日查找人数已达上限；如确有需要，请联系机构管理员。"
    default_en = "The day's limit of lookups is reached. If you need more, ask your organisation's administrator."


class CredentialUnknown(Unprocessable):
    """A profile for somebody the organisation has not credentialed."""

    default_code = "credential_unknown"
    default_zh = "该从业人员没有贵机构签发的有效凭证，请先在链上签发。"
    default_en = "Your organisation has issued no credential for this practitioner. Issue it on the ledger first."
