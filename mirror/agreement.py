"""Which organisations' mirrors agree at which height: their signed statements on the ledger beside what this mirror says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from core import attestation, crypto
from core.errors import HealthTrustError
from core.words import u64
from gateway.ledger.port import Call
from mirror.checkpoint import load
from mirror.live import Held, Live, held
from mirror.models import EVENT
from mirror.projections.alliance import ORGANISATION
from mirror.projections.evidence import EVIDENCE
from mirror.query import shown

#: Statements looked at, newest first: a year of hourly ones of an alliance of two.
MOST = 20_000
HEIGHTS_SHOWN = 50


@dataclass(frozen=True)
class Said:
    """One organisation's word on a height. ``agrees``: with this mirror, None while this mirror has not that block.
    ``signed``: the signature beside it holds under the key the organisation had then. ``recorded``: the block it is in."""

    organisation: str
    height: int
    digest: str
    agrees: bool | None
    signed: bool
    recorded: int
    transaction: str


@dataclass(frozen=True)
class At:
    """A height that somebody spoke of. ``ours``: this mirror's statement, None if it has not that block yet. ``agree``: all
    who spoke say, signed, what this mirror says."""

    height: int
    ours: str | None
    agree: bool
    said: list[Said]


@dataclass(frozen=True)
class Member:
    """An organisation. ``agreed``: the newest height at which it agrees; ``differs``: the lowest at which it does not."""

    organisation: str
    statements: int
    newest: int
    agreed: int | None
    differs: int | None


@dataclass(frozen=True)
class Agreement:
    """``height``: where this mirror stands. Heights newest first."""

    height: int
    heights: list[At]
    organisations: list[Member]

    @property
    def diverging(self) -> list[Member]:
        """Who has ever said otherwise."""
        return [m for m in self.organisations if m.differs is not None]

    def json(self) -> dict[str, Any]:
        """For APIs and the command line."""
        return asdict(self)


def evidence_calls(live: Live, organisation: bytes, sign: Callable[[bytes], bytes], height: int | None = None) -> list[Call]:
    """The writes by which an organisation says what its mirror holds at ``height`` (None: the newest), in order.

    ``sign``: r‖s by the organisation's SM2 key. Malformed if the mirror does not hold that block.
    """
    with live.database.read() as connection:
        block = held(connection, height)
    records = attestation.evidence(live.statement(block), organisation, sign)
    return [Call("Evidence", "record", {"kind": kind, "digest": digest}) for kind, digest in records]


def agreement(live: Live, heights: int = HEIGHTS_SHOWN) -> Agreement:
    """Who said what of the newest ``heights`` heights, and whether this mirror says so too."""
    with live.database.read() as connection:
        found = load(connection)
        stands = found[1].height if found else -1
        rows = [(_height(row), row) for row in connection.execute(_statements())]
        wanted = sorted({height for height, _ in rows}, reverse=True)[:heights]
        said = [_said(connection, height, row) for height, row in rows if height in wanted]
        blocks = {h: held(connection, h) for h in wanted if h <= stands}
    judged = [_judged(live, s, blocks.get(s.height)) for s in said]
    at = [_at(live, h, [s for s in judged if s.height == h], blocks.get(h)) for h in wanted]
    return Agreement(stands, at, [_member(o, judged) for o in sorted({s.organisation for s in judged})])


def said_of(live: Live, block: Held) -> dict[str, Any]:
    """What was said of one block, and this mirror's statement of it; ``near``: heights before and after that were spoken of."""
    with live.database.read() as connection:
        rows = [(_height(row), row) for row in connection.execute(_statements())]
        said = [_said(connection, height, row) for height, row in rows if height == block.height]
    heights = {height for height, _ in rows}
    before = max((h for h in heights if h < block.height), default=None)
    after = min((h for h in heights if h > block.height), default=None)
    return {**asdict(_at(live, block.height, [_judged(live, s, block) for s in said], block)), "near": [before, after]}


def _statements() -> sa.Select[Any]:
    c, e = EVIDENCE.table.c, EVENT.table.c
    kinds = c.kind.between(attestation.AT + bytes(8), attestation.AT + b"\xff" * 8)
    joined = EVIDENCE.table.join(EVENT.table, e.position == c.position)
    query = sa.select(*c, e.transaction_id).select_from(joined)
    return query.where(kinds).order_by(c.position.desc()).limit(MOST)


def _height(row: Any) -> int:
    return attestation.height_of(bytes(row.kind)) or 0


def _said(connection: sa.Connection, height: int, row: Any) -> Said:
    return Said(
        organisation=shown(row.organisation),
        height=height,
        digest=shown(row.digest),
        agrees=None,
        signed=_signed(connection, bytes(row.organisation), height, bytes(row.digest), row),
        recorded=row.height,
        transaction=shown(row.transaction_id),
    )


def _signed(connection: sa.Connection, organisation: bytes, height: int, digest: bytes, row: Any) -> bool:
    """Whether the newest halves of a signature before the statement hold under the key of that block."""
    halves = [_before(connection, organisation, kind + u64(height), row.number) for kind in (attestation.R, attestation.S)]
    key = _key_at(connection, organisation, row.height)
    if None in halves or key is None:
        return False
    signature = b"".join(half for half in halves if half)
    try:
        return crypto.sm2_verify(key, attestation.signed_words(organisation, height, digest), signature)
    except HealthTrustError:
        return False


def _before(connection: sa.Connection, organisation: bytes, kind: bytes, number: int) -> bytes | None:
    c = EVIDENCE.table.c
    query = sa.select(c.digest).where(c.organisation == organisation, c.kind == kind, c.number < number)
    found = connection.scalar(query.order_by(c.number.desc()).limit(1))
    return None if found is None else bytes(found)


def _key_at(connection: sa.Connection, organisation: bytes, height: int) -> bytes | None:
    c = ORGANISATION.table.c
    in_force = (c.valid_from <= height) & (c.valid_to.is_(None) | (c.valid_to > height))
    row = connection.execute(sa.select(c.x, c.y).where(c.organisation == organisation, in_force)).one_or_none()
    return None if row is None else bytes(row.x) + bytes(row.y)


def _judged(live: Live, said: Said, block: Held | None) -> Said:
    if block is None:
        return said
    return replace(said, agrees=said.digest == shown(live.statement(block).digest))


def _at(live: Live, height: int, said: list[Said], block: Held | None) -> At:
    ours = None if block is None else shown(live.statement(block).digest)
    return At(height, ours, ours is not None and all(s.agrees and s.signed for s in said), said)


def _member(organisation: str, judged: list[Said]) -> Member:
    own = [s for s in judged if s.organisation == organisation]
    agreed = [s.height for s in own if s.agrees and s.signed]
    differs = [s.height for s in own if s.agrees is False or not s.signed]
    return Member(organisation, len(own), max(s.height for s in own), max(agreed, default=None), min(differs, default=None))
