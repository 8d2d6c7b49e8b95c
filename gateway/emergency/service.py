"""Break-glass (docs/formats.md, Emergency): one person begins, another of the same organisation confirms, the resident is told
before anything opens, an auditor of another organisation reviews.

The gateway opens nothing: what both signed is put on the ledger by their own organisation's gate, and gates decide by the ledger.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from core import crypto
from core.crypto.encoding import parse_signature
from core.emergency import JUSTIFIED, UNJUSTIFIED, EmergencyArtefact, Signer, check_scope, prepare
from core.errors import ArtefactInvalid, NotFound
from core.hexes import to_bytes, to_hex
from core.scope import Scope
from core.words import ZERO
from gateway import database
from gateway.deps import Context
from gateway.emergency.errors import EmergencyExists, EmergencyWrong, NotReviewable, NotWaiting, OwnReview, SecondPersonNeeded
from gateway.emergency.models import Emergency
from gateway.emergency.schemas import (
    ConfirmIn,
    EmergencyForSigners,
    EmergencyIn,
    EmergencyOut,
    EmergencyPage,
    ReviewIn,
    SignersPage,
    State,
)
from gateway.identity.caller import RESIDENT
from gateway.identity.registry import ACTIVE
from gateway.ledger.port import Call
from gateway.notice import service as notices
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted
from gateway.problem import SignatureWrong

PAGE = 50
WAIT_SECONDS = 900
"""How long a second person may confirm: an emergency that waits longer is none."""
OUTCOMES = {"justified": JUSTIFIED, "unjustified": UNJUSTIFIED}


def begin(ctx: Context, body: EmergencyIn) -> EmergencyForSigners:
    """Keep what the caller signed, for a second person of the same organisation."""
    scope = Scope.from_document(body.scope)
    _check(ctx, scope, body)
    told = prepare(scope, to_bytes(body.seed), body.reason, body.minutes, ctx.gateway.domain("Access"))
    signature = _signed(ctx, told.pack(), body.signature)
    if ctx.db.get(Emergency, told.id) is not None:
        raise EmergencyExists
    said = {"scope": scope.to_document(), "seed": body.seed, "reason": body.reason, "minutes": body.minutes}
    row = Emergency(
        id=told.id,
        subject=scope.subject,
        organisation=told.organisation,
        document=json.dumps(said | {"message": to_hex(told.pack())}, ensure_ascii=False),
        first=ctx.caller.word,
        first_key=ctx.caller.public,
        first_signature=signature,
        created=ctx.now,
        position=database.position(),
    )
    ctx.db.add(row)
    return _for_signers(ctx, row)


def _check(ctx: Context, scope: Scope, body: EmergencyIn) -> None:
    try:
        check_scope(scope, body.reason, body.minutes)
    except ArtefactInvalid as e:
        raise EmergencyWrong(detail=str(e.params["detail"])) from e
    if (to_hex(scope.grantee.id), to_hex(scope.grantee.organisation or ZERO)) != (ctx.caller.id, ctx.caller.organisation):
        raise EmergencyWrong(detail="grantee")
    if abs(scope.start - ctx.now) > 300 or not scope.start + body.minutes * 60 < scope.end <= scope.start + 2 * 86_400:
        raise EmergencyWrong(detail="period")
    if ctx.registries.subject(scope.subject).status != ACTIVE:
        raise EmergencyWrong(detail="subject")


def _signed(ctx: Context, message: bytes, signature: str) -> bytes:
    raw = parse_signature(to_bytes(signature, None))
    if not crypto.sm2_verify(ctx.caller.public, message, raw):
        raise SignatureWrong
    return raw


def confirm(ctx: Context, id: str, body: ConfirmIn) -> EmergencyForSigners:
    """A second person of the same organisation signs as well. The resident is told in the same transaction."""
    row = ctx.db.get(Emergency, to_bytes(id), with_for_update=True)
    if row is None or to_hex(row.organisation) != ctx.caller.organisation:
        raise NotFound
    if row.first == ctx.caller.word:
        raise SecondPersonNeeded
    if row.second is not None or row.created + WAIT_SECONDS <= ctx.now:
        raise NotWaiting
    row.second_signature = _signed(ctx, to_bytes(json.loads(row.document)["message"], None), body.signature)
    row.second, row.second_key = ctx.caller.word, ctx.caller.public
    data = {"about": id, "practitioner": to_hex(row.first), "second": ctx.caller.id, "organisation": ctx.caller.organisation}
    notices.tell(ctx, to_hex(row.subject), "emergency-open", data)
    notices.tell(ctx, to_hex(row.first), "emergency-confirmed", {"about": id})
    return _for_signers(ctx, row)


def review(ctx: Context, id: str, body: ReviewIn) -> Accepted:
    """What an auditor says of it goes to the ledger; unjustified ends it there at once."""
    row = ctx.db.get(Emergency, to_bytes(id), with_for_update=True)
    if row is None:
        raise NotFound
    if to_hex(row.organisation) == ctx.caller.organisation:
        raise OwnReview
    if row.outcome is not None or not _held(ctx, [row])[row.id].on_ledger:
        raise NotReviewable
    row.outcome, row.reviewed_at = OUTCOMES[body.outcome], ctx.now
    for who in (row.subject, row.first, row.second or row.first):
        notices.tell(ctx, to_hex(who), "emergency-reviewed", {"about": id, "outcome": body.outcome})
    return operations.store(ctx, "emergency.review", Call("Access", "review", {"id": row.id, "outcome": row.outcome}), id)


def page(ctx: Context, cursor: str | None) -> EmergencyPage:
    """About a resident: those that were confirmed; for an auditor, all of these."""
    query = select(Emergency).where(Emergency.second.is_not(None)).order_by(Emergency.position.desc())
    if RESIDENT in ctx.caller.roles:
        query = query.where(Emergency.subject == ctx.caller.word)
    if cursor:
        query = query.where(Emergency.position < int(cursor.partition("-")[0]))
    rows = list(ctx.db.scalars(query.limit(PAGE)))
    held = _held(ctx, rows)
    shown = [EmergencyOut(**_facts(ctx, row, held[row.id])) for row in rows]
    return EmergencyPage(items=shown, next=str(rows[-1].position) if len(rows) == PAGE else None)


def of_signers(ctx: Context) -> SignersPage:
    """What waits for a second person of the caller's organisation, and what the caller signed."""
    word, ours = ctx.caller.word, Emergency.organisation == to_bytes(ctx.caller.organisation or to_hex(ZERO))
    waiting = Emergency.second.is_(None) & (Emergency.created > ctx.now - WAIT_SECONDS)
    mine = or_(Emergency.first == word, Emergency.second == word)
    query = select(Emergency).where(ours, or_(waiting, mine)).order_by(Emergency.position.desc()).limit(PAGE)
    rows = list(ctx.db.scalars(query))
    held = _held(ctx, rows)
    return SignersPage(items=[_for_signers(ctx, row, held[row.id]) for row in rows])


@dataclass(frozen=True, slots=True)
class _Held:
    """Times of an emergency as the ledger holds them, UTC seconds; 0 where it does not know it."""

    ends: int = 0
    review_by: int = 0

    @property
    def on_ledger(self) -> bool:
        return self.ends > 0


def _held(ctx: Context, rows: list[Emergency]) -> dict[bytes, _Held]:
    found = {row.id: _Held() for row in rows}
    confirmed = [row.id for row in rows if row.second is not None]
    if confirmed:
        held = ctx.ledger.read_many([Call("Access", "emergencyOf", {"id": id}) for id in confirmed])
        found |= {id: _Held(words["endsAt"], words["reviewBy"]) for id, words in zip(confirmed, held, strict=True)}
    return found


def _state(ctx: Context, row: Emergency, held: _Held) -> State:
    if row.second is None:
        return "waiting" if row.created + WAIT_SECONDS > ctx.now else "lapsed"
    if row.outcome is not None:
        return "justified" if row.outcome == JUSTIFIED else "unjustified"
    if not held.on_ledger:
        return "confirmed"
    return "open" if ctx.now < held.ends else "over"


def _facts(ctx: Context, row: Emergency, held: _Held) -> dict[str, Any]:
    said = json.loads(row.document)
    return {
        "id": to_hex(row.id),
        "subject": to_hex(row.subject),
        "organisation": to_hex(row.organisation),
        "first": to_hex(row.first),
        "second": to_hex(row.second) if row.second else None,
        "reason": said["reason"],
        "minutes": said["minutes"],
        "state": _state(ctx, row, held),
        "created": row.created,
        "expires": row.created + WAIT_SECONDS,
        "ends": held.ends or None,
        "reviewBy": held.review_by or None,
        "overdue": row.outcome is None and held.on_ledger and held.review_by <= ctx.now,
        "reviewedAt": row.reviewed_at,
    }


def _for_signers(ctx: Context, row: Emergency, held: _Held | None = None) -> EmergencyForSigners:
    whole = _artefact(row)
    return EmergencyForSigners(
        **_facts(ctx, row, held or _Held()),
        message=json.loads(row.document)["message"] if row.second is None else None,
        artefact=whole.to_json() if whole and row.first == ctx.caller.word else None,
        opening=_opening(whole) if whole else None,
    )


def _artefact(row: Emergency) -> EmergencyArtefact | None:
    if row.second is None or row.second_key is None or row.second_signature is None:
        return None
    said = json.loads(row.document)
    signers = Signer(row.first, row.first_key, row.first_signature), Signer(row.second, row.second_key, row.second_signature)
    scope, message = Scope.from_document(said["scope"]), to_bytes(said["message"], None)
    return EmergencyArtefact(scope, to_bytes(said["seed"]), said["reason"], said["minutes"], message, signers)


def _opening(whole: EmergencyArtefact) -> dict[str, Any]:
    first, second = ({"practitioner": to_hex(s.practitioner), "signature": to_hex(s.signature)} for s in whole.signers)
    commitment = to_hex(whole.scope.commitment(whole.salt))
    return {
        "id": to_hex(whole.consent),
        "commitment": commitment,
        "minutes": whole.minutes,
        "first": first,
        "second": second,
    }
