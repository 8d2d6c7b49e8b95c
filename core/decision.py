"""The one decision function (docs/formats.md §6): may this requester read these fields of this record, now?

Pure over the words a ledger holds. The same function is in Solidity and Go; ``tests/shared/decision.json`` pins all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from core.errors import HealthTrustError, ScopeMalformed
from core.scope import LINK, ORGANISATION, PRACTITIONER, ROLE, ScopeIndex, commitment
from core.vocabulary import CATEGORIES, PURPOSES, ROLES, purpose_number
from core.words import ZERO, word

PATRQT = purpose_number("PATRQT")
_N_PURPOSES, _N_CATEGORIES, _N_ROLES = len(PURPOSES), len(CATEGORIES), len(ROLES)
_ROLE_WORDS = tuple(word(n) for n in range(_N_ROLES))


class Outcome(IntEnum):
    """What the gate does."""

    NO_CONSENT = 0
    PERMIT = 1
    DENY = 2

    @property
    def text(self) -> str:
        """``permit``, ``deny`` or ``no-consent``, as in receipts."""
        return self.name.lower().replace("_", "-")


class Reason(IntEnum):
    """Why. Numbers are stable."""

    OK = 0
    SELF = 1
    REQUEST_MALFORMED = 2
    CUSTODIAN_INACTIVE = 3
    ORGANISATION_INACTIVE = 4
    CREDENTIAL_INVALID = 5
    NO_CONSENT = 6
    SUBJECT_MISMATCH = 7
    REVOKED = 8
    AMENDED = 9
    NOT_YET_VALID = 10
    EXPIRED = 11
    USES_EXHAUSTED = 12
    COMMITMENT_MISMATCH = 13
    SCOPE_MALFORMED = 14
    SCOPE_STATE_MISMATCH = 15
    GRANTEE_MISMATCH = 16
    PURPOSE_NOT_GRANTED = 17
    CATEGORY_NOT_GRANTED = 18
    CUSTODIAN_NOT_GRANTED = 19
    RECORD_NOT_GRANTED = 20
    FIELDS_NOT_GRANTED = 21

    @property
    def text(self) -> str:
        """Lower-case name, as in receipts."""
        return self.name.lower()

    @property
    def zh(self) -> str:
        """What it means and what to do, in Chinese."""
        return EXPLANATIONS[self][0]

    @property
    def en(self) -> str:
        """What it means and what to do, in English."""
        return EXPLANATIONS[self][1]


class ConsentStatus(IntEnum):
    """Life of a consent on the ledger."""

    NONE = 0
    ACTIVE = 1
    AMENDED = 2
    REVOKED = 3


class MemberStatus(IntEnum):
    """Life of an organisation in the alliance."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2
    LEFT = 3


class CredentialStatus(IntEnum):
    """Life of a practitioner's credential."""

    NONE = 0
    ACTIVE = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True)
class ConsentState:
    """What the ledger holds of a consent. Times UTC seconds; ``use_limit`` 0 = unlimited."""

    subject: bytes = ZERO
    commitment: bytes = ZERO
    not_before: int = 0
    not_after: int = 0
    use_limit: int = 0
    uses: int = 0
    status: int = ConsentStatus.NONE


@dataclass(frozen=True, slots=True)
class Credential:
    """What the ledger holds of a practitioner. ``roles``: bit set of vocabulary numbers."""

    organisation: bytes = ZERO
    roles: int = 0
    not_before: int = 0
    not_after: int = 0
    status: int = CredentialStatus.NONE


@dataclass(frozen=True, slots=True)
class State:
    """All ledger words a decision reads, taken at one block."""

    consent: ConsentState = ConsentState()
    organisation: int = MemberStatus.NONE
    custodian: int = MemberStatus.NONE
    credential: Credential = Credential()


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. Ids 32 bytes; purpose, category, role are vocabulary numbers; ``fields`` is the mask asked for (bit n−1 =
    element n)."""

    subject: bytes
    requester: bytes
    organisation: bytes
    role: int
    purpose: int
    category: int
    custodian: bytes
    record: bytes
    schema: bytes
    fields: int


class Decision(NamedTuple):
    """Outcome, reason, and the mask of fields that may be shown (0 unless permit)."""

    outcome: Outcome
    reason: Reason
    fields: int

    @property
    def permit(self) -> bool:
        """Whether anything may be shown."""
        return self.outcome is Outcome.PERMIT


class Opened(NamedTuple):
    """Scope words after the costly part: the commitment they make under their salt, and their parsed form (None = not a
    scope)."""

    commitment: bytes | None
    scope: ScopeIndex | None


UNOPENED = Opened(None, None)
"""Where the asker shows no scope."""


def open_scope(words: bytes, salt: bytes) -> Opened:
    """Hash and parse scope words once, for many :func:`decide_opened`. Never raises: what is wrong shows in the decision."""
    try:
        made = commitment(salt, words)
    except HealthTrustError:
        return UNOPENED
    try:
        return Opened(made, ScopeIndex.parse(words))
    except ScopeMalformed:
        return Opened(made, None)


def decide(state: State, request: Request, words: bytes, salt: bytes, time: int) -> Decision:
    """May ``request`` be served at ``time`` (UTC seconds of the block), given the ledger's ``state`` and the opened scope?

    Pure; never raises for any values of the right types. Source: docs/formats.md §6, requirement P17.
    """
    return decide_opened(state, request, open_scope(words, salt), time)


def decide_opened(state: State, request: Request, opened: Opened, time: int) -> Decision:
    """:func:`decide` with the scope hashed and parsed before; the commitment is compared here, against the state given."""
    reason = _request_reason(state, request)
    if reason is None:
        if _is_self(request):
            return Decision(Outcome.PERMIT, Reason.SELF, request.fields)
        reason = _requester_reason(state, request, time) or _consent_reason(state.consent, request, time)
    if reason is None:
        reason = _opening_reason(state.consent, opened)
    if reason is None and opened.scope is not None:
        reason = _scope_reason(opened.scope, request)
        if reason is None:
            return _permit(opened.scope, request)
    return _refusal(reason or Reason.SCOPE_MALFORMED)


_REFUSALS = {r: Decision(Outcome.NO_CONSENT if r is Reason.NO_CONSENT else Outcome.DENY, r, 0) for r in Reason if r > Reason.SELF}


def _refusal(reason: Reason) -> Decision:
    return _REFUSALS[reason]


def _permit(scope: ScopeIndex, request: Request) -> Decision:
    fields = scope.mask(request.schema) & request.fields
    return Decision(Outcome.PERMIT, Reason.OK, fields) if fields else _refusal(Reason.FIELDS_NOT_GRANTED)


def _request_reason(state: State, q: Request) -> Reason | None:
    """Checks 2 and 3."""
    if not (
        0 <= q.purpose < _N_PURPOSES and 0 <= q.category < _N_CATEGORIES and 0 <= q.role < _N_ROLES and 0 < q.fields < 1 << 256
    ):
        return Reason.REQUEST_MALFORMED
    if ZERO in (q.subject, q.requester, q.custodian, q.record, q.schema):
        return Reason.REQUEST_MALFORMED
    if q.organisation == ZERO and not _is_self(q):
        return Reason.REQUEST_MALFORMED
    if state.custodian != MemberStatus.ACTIVE:
        return Reason.CUSTODIAN_INACTIVE
    return None


def _is_self(q: Request) -> bool:
    """A resident reading their own record belongs to no organisation; everybody else names one. Without this, a hospital could
    give somebody a credential under the resident's id and pass for the resident."""
    return q.requester == q.subject and q.purpose == PATRQT and q.organisation == ZERO


def _requester_reason(state: State, q: Request, time: int) -> Reason | None:
    """Checks 4 and 5."""
    if state.organisation != MemberStatus.ACTIVE:
        return Reason.ORGANISATION_INACTIVE
    c = state.credential
    if c.status != CredentialStatus.ACTIVE or c.organisation != q.organisation or not c.not_before <= time < c.not_after:
        return Reason.CREDENTIAL_INVALID
    return None if c.roles >> q.role & 1 else Reason.CREDENTIAL_INVALID


def _consent_reason(consent: ConsentState, q: Request, time: int) -> Reason | None:
    """Checks 6 to 12."""
    if consent.status == ConsentStatus.NONE:
        return Reason.NO_CONSENT
    if consent.subject != q.subject:
        return Reason.SUBJECT_MISMATCH
    if consent.status != ConsentStatus.ACTIVE:
        return Reason.AMENDED if consent.status == ConsentStatus.AMENDED else Reason.REVOKED
    if time < consent.not_before:
        return Reason.NOT_YET_VALID
    if time >= consent.not_after:
        return Reason.EXPIRED
    return Reason.USES_EXHAUSTED if 0 < consent.use_limit <= consent.uses else None


def _opening_reason(consent: ConsentState, opened: Opened) -> Reason | None:
    """Checks 13 to 15."""
    if opened.commitment != consent.commitment:
        return Reason.COMMITMENT_MISMATCH
    s = opened.scope
    if s is None:
        return Reason.SCOPE_MALFORMED
    same_period = s.not_before == consent.not_before and s.not_after == consent.not_after
    return (
        None if same_period and s.subject == consent.subject and s.use_limit == consent.use_limit else Reason.SCOPE_STATE_MISMATCH
    )


def _scope_reason(s: ScopeIndex, q: Request) -> Reason | None:
    """Checks 16 to 20."""
    if not _is_grantee(s, q):
        return Reason.GRANTEE_MISMATCH
    if not s.purposes >> q.purpose & 1:
        return Reason.PURPOSE_NOT_GRANTED
    if not s.categories >> q.category & 1:
        return Reason.CATEGORY_NOT_GRANTED
    if s.custodians is not None and q.custodian not in s.custodians:
        return Reason.CUSTODIAN_NOT_GRANTED
    if s.records is not None and q.record not in s.records:
        return Reason.RECORD_NOT_GRANTED
    return None


def _is_grantee(s: ScopeIndex, q: Request) -> bool:
    bound = s.organisation in (ZERO, q.organisation)
    if s.grantee_type == PRACTITIONER:
        return s.grantee == q.requester and bound
    if s.grantee_type == ORGANISATION:
        return s.grantee == q.organisation
    if s.grantee_type == ROLE:
        return s.grantee == _ROLE_WORDS[q.role] and bound
    return s.grantee_type == LINK and s.grantee == q.requester


EXPLANATIONS: dict[Reason, tuple[str, str]] = {
    Reason.OK: ("居民的授权允许这次读取。", "The resident's consent permits this reading."),
    Reason.SELF: ("本人查看自己的记录。", "The resident reads their own record."),
    Reason.REQUEST_MALFORMED: (
        "请求不完整，或用途、类别、角色不在词表内；请更正后重发。",
        "The request is incomplete, or its purpose, category or role is unknown. Correct it and send it again.",
    ),
    Reason.CUSTODIAN_INACTIVE: (
        "保管机构目前不是联盟的有效成员，请联系该机构。",
        "The custodian is not an active member of the alliance. Contact it.",
    ),
    Reason.ORGANISATION_INACTIVE: (
        "您所在机构目前不是联盟的有效成员，请联系机构管理员。",
        "Your organisation is not an active member of the alliance. Ask its administrator.",
    ),
    Reason.CREDENTIAL_INVALID: (
        "您的执业凭证无效、已过期、不属于该机构，或不含所用角色；请联系机构管理员。",
        "Your credential is invalid, expired, of another organisation, or lacks the role used. Ask your administrator.",
    ),
    Reason.NO_CONSENT: ("没有授权，请向居民申请。", "There is no consent. Ask the resident for it."),
    Reason.SUBJECT_MISMATCH: ("该授权属于另一位居民。", "This consent is another resident's."),
    Reason.REVOKED: (
        "居民已撤回授权；如仍需要，请重新申请。",
        "The resident has revoked this consent. Ask again if you still need it.",
    ),
    Reason.AMENDED: ("该授权已被新的授权取代，请使用新授权。", "This consent was replaced by a newer one. Use the new one."),
    Reason.NOT_YET_VALID: ("授权尚未到生效时间。", "The consent is not valid yet."),
    Reason.EXPIRED: ("授权已过期，请向居民重新申请。", "The consent has expired. Ask the resident for a new one."),
    Reason.USES_EXHAUSTED: ("授权的使用次数已用完，请重新申请。", "All uses of this consent are spent. Ask for a new one."),
    Reason.COMMITMENT_MISMATCH: (
        "出示的授权范围与账本登记的不一致，请使用原始授权凭证。",
        "The scope shown is not the one registered on the ledger. Use the original consent artefact.",
    ),
    Reason.SCOPE_MALFORMED: (
        "授权范围格式无效，请居民重新授权。",
        "The consent's scope is malformed. The resident has to grant again.",
    ),
    Reason.SCOPE_STATE_MISMATCH: (
        "授权范围的本人、期限或次数与账本不一致，请居民重新授权。",
        "Subject, period or uses in the scope differ from the ledger. The resident has to grant again.",
    ),
    Reason.GRANTEE_MISMATCH: ("授权不是给您的。", "This consent was not given to you."),
    Reason.PURPOSE_NOT_GRANTED: ("居民没有授权这一用途。", "The resident did not grant this purpose."),
    Reason.CATEGORY_NOT_GRANTED: ("居民没有授权这一类别的记录。", "The resident did not grant this category of records."),
    Reason.CUSTODIAN_NOT_GRANTED: ("居民没有授权读取该机构的记录。", "The resident did not grant records of this custodian."),
    Reason.RECORD_NOT_GRANTED: ("居民没有授权这一份记录。", "The resident did not grant this record."),
    Reason.FIELDS_NOT_GRANTED: ("居民没有授权所请求的字段。", "The resident granted none of the fields asked for."),
}
