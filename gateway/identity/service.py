"""Opening the health account, changing its key, finding a patient.

Enrolment has two steps, as docs/services.md says. Whoever asks learns nothing but yes or no: every wrong try takes the
same steps and gets
the same answer, whether the number, the name or the code was wrong or the number is locked.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime

from core import crypto
from core.crypto.encoding import parse_public, parse_signature
from core.hexes import to_bytes, to_hex
from core.messages import KeyBind, KeyRotate
from gateway import database
from gateway.deps import Context
from gateway.evidence import service as evidence
from gateway.identity import repository
from gateway.identity.errors import EnrolmentRefused, NobodyFound, TicketInvalid, TooManyLookups
from gateway.identity.models import DirectoryEntry, EnrolmentTicket, PatientCode
from gateway.identity.registry import ACTIVE
from gateway.identity.schemas import (
    DirectoryIn,
    DirectoryOut,
    EnrolmentIn,
    EnrolmentOut,
    KeyIn,
    LookupIn,
    LookupOut,
    PatientCodeOut,
    RotationIn,
    SubjectKeyOut,
)
from gateway.ledger import outbox
from gateway.ledger.port import Call
from gateway.notice import service as notices
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted, OperationOut
from gateway.problem import SignatureWrong
from gateway.session.service import hand_over

MOST_TRIES = 5
TICKET_SECONDS = 600
CODE_SECONDS = 600
LOOKUPS_A_DAY = 200
_CODE_DIGITS = 10


def begin_enrolment(ctx: Context, body: EnrolmentIn) -> EnrolmentOut:
    """Step one: number, name and activation code against the directory."""
    registrar = ctx.gateway.registrar
    lookup = registrar.lookup(body.id_number)
    tries = repository.count_try(ctx.db, lookup, ctx.now)
    entry = repository.entry_of(ctx.db, lookup)
    row = entry or DirectoryEntry(lookup=lookup, subject=secrets.token_bytes(32), name_check=secrets.token_bytes(32), issue=-1)
    issue = _next_issue(ctx, row)
    right_name = hmac.compare_digest(registrar.name_check(body.name), row.name_check)
    right_code = hmac.compare_digest(registrar.activation_code(row.subject, issue).encode(), body.code.strip().upper().encode())
    bound = ctx.registries.subject(row.subject).status != 0
    if entry is None or tries > MOST_TRIES or not (right_name & right_code):
        raise EnrolmentRefused
    repository.clear_tries(ctx.db, lookup)
    return _open_ticket(ctx, row, issue, bound)


def _next_issue(ctx: Context, row: DirectoryEntry) -> int:
    """The activation code that works now: each once, except that a code whose operation failed works again."""
    used = operations.find(ctx.db, row.operation or "")
    return row.issue if used is not None and used.state == outbox.FAILED else row.issue + 1


def _open_ticket(ctx: Context, row: DirectoryEntry, issue: int, bound: bool) -> EnrolmentOut:
    ticket = secrets.token_bytes(32)
    expires = ctx.now + TICKET_SECONDS
    ctx.db.add(EnrolmentTicket(ticket=crypto.sm3(ticket), lookup=row.lookup, subject=row.subject, issue=issue, expires=expires))
    return EnrolmentOut(
        subject=to_hex(row.subject),
        ticket=to_hex(ticket),
        domain=to_hex(ctx.gateway.domain("Identity")),
        registrar=to_hex(ctx.gateway.registrar.organisation),
        expires=expires,
        recovery=bound,
    )


def finish_enrolment(ctx: Context, ticket: str, body: KeyIn) -> Accepted:
    """Step two: the registrar vouches for the new key and the ledger is asked to bind it (or to begin a recovery)."""
    row = ctx.db.get(EnrolmentTicket, crypto.sm3(to_bytes(ticket)))
    entry = repository.entry_of(ctx.db, row.lookup) if row else None
    if row is None or entry is None or row.expires < ctx.now or row.operation is not None or _next_issue(ctx, entry) != row.issue:
        raise TicketInvalid
    public, possession = parse_public(to_bytes(body.publicKey, None)), parse_signature(to_bytes(body.possession, None))
    domain = ctx.gateway.domain("Identity")
    if not crypto.sm2_verify(public, KeyBind(domain, row.subject, public).pack(), possession):
        raise SignatureWrong
    call = _bind_call(ctx, domain, row.subject, public, possession)
    kind = "identity.bind" if call.method == "bindKey" else "identity.recover-request"
    accepted = operations.store(ctx, kind, call, to_hex(row.subject))
    if accepted.operation.kind == "identity.recover-request":
        notices.tell(ctx, to_hex(row.subject), "recovery-requested", {"about": to_hex(row.subject)})
    row.operation = entry.operation = accepted.operation.id
    entry.issue = row.issue
    ctx.location = f"/api/v1/identities/enrolments/{ticket}"
    return accepted


def _bind_call(ctx: Context, domain: bytes, subject: bytes, public: bytes, possession: bytes) -> Call:
    registrar = ctx.gateway.registrar
    args = {"subject": subject, "x": public[:32], "y": public[32:], "possession": possession, "registrar": registrar.organisation}
    if ctx.registries.subject(subject).status == 0:
        return Call("Identity", "bindKey", args | {"attestation": registrar.attest(domain, subject, public)})
    nonce = int(ctx.read("Identity", "nonceOf", subject=subject))
    return Call("Identity", "requestRecovery", args | {"attestation": registrar.attest_recovery(domain, subject, public, nonce)})


def watch_enrolment(ctx: Context, ticket: str, seconds: float) -> OperationOut:
    """Where step two stands; the ticket itself is the right to ask."""
    row = ctx.db.get(EnrolmentTicket, crypto.sm3(to_bytes(ticket)))
    if row is None or row.operation is None:
        raise TicketInvalid
    ctx.db.rollback()
    return operations.wait_for(ctx.gateway, row.operation, seconds)


def rotate(ctx: Context, body: RotationIn) -> Accepted:
    """The resident's old key hands over to a new one."""
    subject, domain = ctx.caller.word, ctx.gateway.domain("Identity")
    public = parse_public(to_bytes(body.publicKey, None))
    by_old, possession = parse_signature(to_bytes(body.signature, None)), parse_signature(to_bytes(body.possession, None))
    nonce = int(ctx.read("Identity", "nonceOf", subject=subject))
    handed_over = crypto.sm2_verify(ctx.caller.public, KeyRotate(domain, subject, public, nonce).pack(), by_old)
    if not handed_over or not crypto.sm2_verify(public, KeyBind(domain, subject, public).pack(), possession):
        raise SignatureWrong
    args = {"subject": subject, "x": public[:32], "y": public[32:], "signature": by_old, "possession": possession}
    hand_over(ctx, public)
    return operations.store(ctx, "identity.rotate", Call("Identity", "rotateKey", args), ctx.caller.id)


def key(ctx: Context, subject: str) -> SubjectKeyOut:
    """A subject's key on the ledger."""
    word = to_bytes(subject)
    found = ctx.registries.subject(word)
    public = to_hex(found.public) if found.status else None
    nonce = int(ctx.read("Identity", "nonceOf", subject=word))
    return SubjectKeyOut(subject=subject, publicKey=public, status=found.status, version=found.version, nonce=nonce)


def fill_directory(ctx: Context, body: DirectoryIn) -> DirectoryOut:
    """Take a part of the registrar's directory. Only the registrar whose key attests may: whoever fills it decides who may
    enrol as whom."""
    if ctx.caller.word != ctx.gateway.registrar.organisation:
        raise EnrolmentRefused
    rows = [
        {"lookup": to_bytes(e.lookup), "subject": to_bytes(e.subject), "name_check": to_bytes(e.nameCheck), "issue": -1}
        for e in body.entries
    ]
    added = database.insert_new(ctx.db, DirectoryEntry.__table__, rows)
    return DirectoryOut(added=added, known=len(rows) - added)


def make_code(ctx: Context) -> PatientCodeOut:
    """A code the resident shows at the desk in place of an ID number."""
    code = "".join(secrets.choice("0123456789") for _ in range(_CODE_DIGITS))
    expires = ctx.now + CODE_SECONDS
    ctx.db.add(PatientCode(code=_code_digest(ctx, code), subject=ctx.caller.word, expires=expires))
    return PatientCodeOut(code=code, expires=expires)


def look_up(ctx: Context, body: LookupIn) -> LookupOut:
    """Find a patient's pseudonym. Counted, kept as evidence and told to the patient, whatever comes of it."""
    day = int(datetime.fromtimestamp(ctx.now, UTC).replace(hour=0, minute=0, second=0).timestamp())
    if evidence.count_since(ctx, "lookup", day) >= LOOKUPS_A_DAY:
        raise TooManyLookups
    subject = _by_number(ctx, body.id_number) if body.id_number is not None else _by_code(ctx, body.code or "")
    known = ctx.registries.subject(subject or bytes(32)).status == ACTIVE
    found = subject if known else None
    evidence.keep(
        ctx, "lookup", {"subject": to_hex(found) if found else None, "by": ctx.caller.id, "organisation": ctx.caller.organisation}
    )
    if found is None:
        raise NobodyFound
    notices.tell(ctx, to_hex(found), "lookup", {"practitioner": ctx.caller.id, "organisation": ctx.caller.organisation})
    return LookupOut(subject=to_hex(found))


def _by_number(ctx: Context, id_number: str) -> bytes | None:
    entry = repository.entry_of(ctx.db, ctx.gateway.registrar.lookup(id_number))
    return entry.subject if entry else None


def _by_code(ctx: Context, code: str) -> bytes | None:
    row = ctx.db.get(PatientCode, _code_digest(ctx, code.strip()))
    return row.subject if row and row.expires >= ctx.now else None


def _code_digest(ctx: Context, code: str) -> bytes:
    return ctx.gateway.secret_digest("patient-code", code.encode())
