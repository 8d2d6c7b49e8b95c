"""Asking a resident, and the resident's answer. Both are signed documents; the ledger sees a salted commitment of each."""

from __future__ import annotations

import hmac
import json
from urllib.parse import urlencode

from sqlalchemy import select

from core import crypto
from core.canonical import canonical
from core.crypto.encoding import parse_signature
from core.errors import NotFound
from core.hexes import to_bytes, to_hex
from core.vocabulary import category_number, purpose_number, role_number
from gateway import database
from gateway.access.errors import AlreadyAnswered, ConsentMissing, RequestExists, RequestWrong
from gateway.access.models import AccessRequest
from gateway.access.schemas import AnswerIn, ClaimIn, RequestDocument, RequestIn, RequestMade, RequestOut, RequestPage
from gateway.consent.models import Consent
from gateway.deps import Context, Gateway
from gateway.identity.caller import RESIDENT
from gateway.identity.registry import ACTIVE
from gateway.ledger.port import Call
from gateway.notice import service as notices
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted
from gateway.problem import SignatureWrong

PAGE = 50
REMOTE_SECONDS, ON_SITE_SECONDS = 7 * 86400, 900
GRANTED, REFUSED, EXPIRED, WITHDRAWN = 1, 2, 3, 4
"""Values of Access.answer (docs/ledger.md)."""


def ask(ctx: Context, body: RequestIn) -> RequestMade:
    """A practitioner's request: into the resident's mailbox, its commitment to the ledger."""
    document = body.document
    _check(ctx, document)
    text = canonical(document.model_dump(by_alias=True))
    signature = _signed(ctx, text, body.signature)
    id, salt = to_bytes(document.id), to_bytes(body.salt)
    if ctx.db.get(AccessRequest, id) is not None:
        raise RequestExists
    life = ON_SITE_SECONDS if document.mode == "on-site" else REMOTE_SECONDS
    row = AccessRequest(
        id=id,
        subject=to_bytes(document.subject) if document.subject else None,
        requester=ctx.caller.word,
        organisation=to_bytes(document.organisation),
        status="waiting",
        document=text.decode(),
        salt=salt,
        signature=signature,
        created=ctx.now,
        position=database.position(),
        expires=ctx.now + life,
    )
    ctx.db.add(row)
    call = Call("Access", "request", {"id": id, "commitment": crypto.hmac_sm3(salt, text)})
    accepted = operations.store(ctx, "access.request", call)
    if document.subject:
        notices.tell(ctx, document.subject, "access-request", {"about": document.id, "practitioner": ctx.caller.id})
    return RequestMade(id=document.id, operation=accepted.operation, qr=qr_payload(ctx.gateway, row))


def _check(ctx: Context, document: RequestDocument) -> None:
    if document.requester != ctx.caller.id or document.organisation != ctx.caller.organisation:
        raise RequestWrong(detail="requester")
    if not ctx.caller.bits >> role_number(document.role) & 1:
        raise RequestWrong(detail="role")
    if abs(document.time - ctx.now) > 300 or not document.period.start < document.period.end:
        raise RequestWrong(detail="time")
    purpose_number(document.purpose)
    if document.categories != "all":
        for code in document.categories:
            category_number(code)
    if document.subject is None and document.mode != "on-site":
        raise RequestWrong(detail="subject")
    if document.subject and ctx.registries.subject(to_bytes(document.subject)).status != ACTIVE:
        raise RequestWrong(detail="subject")


def _signed(ctx: Context, text: bytes, signature: str) -> bytes:
    raw = parse_signature(to_bytes(signature, None))
    if not crypto.sm2_verify(ctx.caller.public, text, raw):
        raise SignatureWrong
    return raw


def qr_payload(gateway: Gateway, row: AccessRequest) -> str | None:
    """What the QR picture of an on-site request says: whoever sees it may claim the request, while it waits."""
    if json.loads(row.document)["mode"] != "on-site":
        return None
    query = urlencode({"id": to_hex(row.id), "code": _code(gateway, row.id)})
    return f"{gateway.settings.gateway.public_url}/resident/#/request?{query}"


def _code(gateway: Gateway, id: bytes) -> str:
    return gateway.secret_digest("on-site", id)[:16].hex()


def qr(ctx: Context, id: str) -> str:
    """The QR payload, for the requester."""
    row = _of_requester(ctx, id)
    payload = qr_payload(ctx.gateway, row)
    if payload is None or row.status != "waiting":
        raise AlreadyAnswered
    return payload


def claim(ctx: Context, id: str, body: ClaimIn) -> RequestOut:
    """A resident who scanned the picture takes the request as theirs."""
    row = ctx.db.get(AccessRequest, to_bytes(id))
    right = hmac.compare_digest(_code(ctx.gateway, to_bytes(id)), body.code)
    if row is None or not right or row.subject not in (None, ctx.caller.word):
        raise NotFound
    _check_waiting(ctx, row)
    row.subject = ctx.caller.word
    return describe(row)


def answer(ctx: Context, id: str, body: AnswerIn) -> Accepted:
    """The subject's signed answer."""
    row = ctx.db.get(AccessRequest, to_bytes(id))
    if row is None or row.subject != ctx.caller.word or body.document.request != id:
        raise NotFound
    _check_waiting(ctx, row)
    text = canonical(body.document.model_dump())
    row.answer_signature = _signed(ctx, text, body.signature)
    permit = body.document.answer == "permit"
    row.consent = _granted_consent(ctx, body.document.consent) if permit else None
    row.status, row.answer, row.answer_salt = "granted" if permit else "refused", text.decode(), to_bytes(body.salt)
    commitment = crypto.hmac_sm3(row.answer_salt, text)
    call = Call("Access", "answer", {"id": row.id, "commitment": commitment, "value": GRANTED if permit else REFUSED})
    accepted = operations.store(ctx, "access.answer", call, id)
    data = {"about": id, "answer": body.document.answer, "consent": body.document.consent if permit else None}
    notices.tell(ctx, to_hex(row.requester), "access-answer", data)
    return accepted


def _granted_consent(ctx: Context, consent: str | None) -> bytes:
    row = ctx.db.get(Consent, to_bytes(consent)) if consent else None
    if row is None or row.subject != ctx.caller.word:
        raise ConsentMissing
    return row.consent


def _check_waiting(ctx: Context, row: AccessRequest) -> None:
    if row.status != "waiting" or row.expires <= ctx.now:
        raise AlreadyAnswered


def withdraw(ctx: Context, id: str) -> Accepted:
    """The requester takes the request back."""
    row = _of_requester(ctx, id)
    _check_waiting(ctx, row)
    row.status = "withdrawn"
    if row.subject is not None:
        notices.tell(ctx, to_hex(row.subject), "access-withdrawn", {"about": id})
    call = Call("Access", "answer", {"id": row.id, "commitment": closing(row, "withdrawn"), "value": WITHDRAWN})
    return operations.store(ctx, "access.withdraw", call, id)


def closing(row: AccessRequest, how: str) -> bytes:
    """Commitment for an end without an answer, under the request's own salt."""
    return crypto.hmac_sm3(
        row.salt, canonical({"kind": "healthtrust/access-end", "version": 1, "request": to_hex(row.id), "how": how})
    )


def _of_requester(ctx: Context, id: str) -> AccessRequest:
    row = ctx.db.get(AccessRequest, to_bytes(id))
    if row is None or row.requester != ctx.caller.word:
        raise NotFound
    return row


def one(ctx: Context, id: str) -> RequestOut:
    """A request, for its two parties."""
    row = ctx.db.get(AccessRequest, to_bytes(id))
    if row is None or ctx.caller.word not in (row.subject, row.requester):
        raise NotFound
    return describe(row)


def page(ctx: Context, status: str | None, cursor: str | None) -> RequestPage:
    """The caller's requests: those about a resident, or those a practitioner made."""
    party = AccessRequest.subject if RESIDENT in ctx.caller.roles else AccessRequest.requester
    query = select(AccessRequest).where(party == ctx.caller.word).order_by(AccessRequest.position.desc())
    if status:
        query = query.where(AccessRequest.status == status)
    if cursor:
        query = query.where(AccessRequest.position < int(cursor.partition("-")[0]))
    rows = list(ctx.db.scalars(query.limit(PAGE)))
    return RequestPage(items=[describe(row) for row in rows], next=str(rows[-1].position) if len(rows) == PAGE else None)


def describe(row: AccessRequest) -> RequestOut:
    """A request as its parties see it."""
    document = json.loads(row.document)
    shown = {
        k: document[k]
        for k in ("requester", "organisation", "purpose", "role", "categories", "fields", "period", "reason", "mode")
    }
    return RequestOut(
        **shown,
        id=to_hex(row.id),
        subject=to_hex(row.subject) if row.subject else None,
        status=row.status,
        created=row.created,
        expires=row.expires,
        consent=to_hex(row.consent) if row.consent else None,
        document=row.document,
        signature=to_hex(row.signature),
        salt=to_hex(row.salt),
        answer=row.answer,
    )
