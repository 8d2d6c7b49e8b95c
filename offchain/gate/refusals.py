"""Why a gate says no, in words for the caller and in one word for the receipt.

A decision's own reasons are in :mod:`core.decision`; these are the gate's. What a caller without a right may not learn
(whether a record exists, whose it is) is in none of them: such refusals are :attr:`Reason.RECORD_NOT_GRANTED`, word for word
as if the consent did not name the record.
"""

from __future__ import annotations

from core.decision import Reason
from core.errors import Forbidden, HealthTrustError, Malformed, Unauthenticated

TEXTS: dict[str, tuple[str, str]] = {
    **{reason.text: (reason.zh, reason.en) for reason in Reason},
    "ledger_unavailable": (
        "账本暂时没有可靠的答复，未提供任何内容；请稍后重试。",
        "The ledger gives no answer that can be relied on. Nothing was handed out; try again later.",
    ),
    "ledger_behind": (
        "本机构的账本节点落后或曾回退，未提供任何内容；请稍后重试，若持续请联系该机构。",
        "The custodian's ledger node is behind or came back older. Nothing was handed out; try later or contact the custodian.",
    ),
    "clock_skew": (
        "本机构的时钟与账本相差过大，未提供任何内容；请联系该机构校时。",
        "The custodian's clock and the ledger disagree. Nothing was handed out; the custodian has to set its clock.",
    ),
    "artefact_unreadable": (
        "授权凭证无法打开或与所称授权不符，请使用居民给出的原件。",
        "The consent artefact cannot be opened or is not the consent named. Use the original from the resident.",
    ),
    "schema_unknown": ("本机构不认识该文档类型。", "This custodian does not know the document type."),
    "fields_unknown": (
        "请求了文档类型里没有的字段，请更正后重发。",
        "Fields were asked for that the document type does not have. Correct the request and send it again.",
    ),
    "not_anchored": (
        "该档案的指纹尚未上链，暂不提供；请稍后重试。",
        "The record's fingerprint is not on the ledger yet, so it is not handed out. Try again later.",
    ),
    "record_damaged": (
        "档案与上链指纹不一致，已拒绝提供并记录；请联系保管机构核查。",
        "The record differs from its fingerprint on the ledger. It was not handed out; the custodian has to look into it.",
    ),
    "record_erased": (
        "该档案的内容已被永久删除；索引、授权与回执仍可核验。",
        "The content of this record was erased for good. Its index, consents and receipts can still be verified.",
    ),
    "use_not_won": (
        "该次使用已被另一处先用，未提供任何内容；若仍有次数请重试。",
        "This use was spent elsewhere first. Nothing was handed out; try again if uses are left.",
    ),
    "gate_stopped": (
        "本机构的调阅服务因核对不一致已自动停止，未提供任何内容；请联系该机构。",
        "The custodian's gate stopped itself because a check disagreed. Nothing was handed out; contact the custodian.",
    ),
}
_RETRY_LATER = frozenset({"ledger_unavailable", "ledger_behind", "clock_skew", "gate_stopped"})


class Refused(HealthTrustError):
    """The gate says no; a receipt of the refusal is durable (``receipt``: its number)."""

    default_code = "refused"

    def __init__(self, reason: str, receipt: int | None = None, outcome: str = "deny") -> None:
        zh, en = TEXTS[reason]
        super().__init__(reason, zh, en, receipt=receipt, outcome=outcome)
        self.reason = reason

    @property
    def http_status(self) -> int:
        """503 where trying again later can help, else 403."""
        return 503 if self.reason in _RETRY_LATER else 403

    def problem(self) -> dict[str, object]:
        """RFC 9457 members with this refusal's status."""
        return {**super().problem(), "status": self.http_status}


class BadRequest(Malformed):
    """The body is not a request for a record."""

    default_code = "request_malformed"


class StaleSignature(Unauthenticated):
    """Created too long ago, living too long, or in the future."""

    default_code = "signature_stale"
    default_zh = "请求签名已过期或时间不对，请校准时钟后重新签名。"
    default_en = "The request's signature is too old or its times are off. Check the clock and sign again."


class Replayed(Unauthenticated):
    """The same signed request came before."""

    default_code = "request_replayed"
    default_zh = "该请求已被使用过，请重新签名后发送。"
    default_en = "This signed request was used before. Sign a new one."


class NotYours(Forbidden):
    """A receipt of somebody else's reading."""

    default_code = "receipt_not_yours"
    default_zh = "只有当事居民和本次调阅者可以取得该回执的证明。"
    default_en = "Only the resident concerned and the one who read may fetch this receipt's proof."
