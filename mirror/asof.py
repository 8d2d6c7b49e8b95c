"""Who could read, at a moment: a person's consents as the ledger held them then, with proof that there were no others.

The ledger knows consents sealed. Whoever shows the artefact of one has its line opened: whom it let in, for which purposes, and
what the decision function said of a record then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from core import decision
from core.artefact import ConsentArtefact
from core.authorisations import LiveConsent
from core.decision import Credential, State
from core.entry import IndexEntry
from core.errors import Malformed
from core.live import Section
from core.vocabulary import PURPOSES
from core.words import ZERO
from mirror.live import Held, Live, held
from mirror.models import BLOCK, EVENT, Relation, position
from mirror.projections.alliance import ORGANISATION
from mirror.projections.consent import ACTIVE, AMENDED, CONSENT
from mirror.projections.identity import CREDENTIAL
from mirror.projections.schema import SCHEMA
from mirror.query import shown

ANY_ROLE = 2**32 - 1
FOR_EVER = 2**63 - 1


@dataclass(frozen=True)
class Happened:
    """The event a line rests on, and where on the ledger it is. ``message_hash``: of what the person signed."""

    event: str
    height: int
    block: str
    time: int
    transaction: str
    position: int
    message_hash: str


@dataclass(frozen=True)
class Decided:
    """What the decision function says for a purpose. ``fields``: mask of those that could be seen."""

    purpose: str
    outcome: str
    reason: str
    fields: str


@dataclass(frozen=True)
class Opened:
    """What the shown artefact says, checked against the ledger's commitment. ``decided``: for the record asked of."""

    scope: dict[str, Any]
    decided: list[Decided]


@dataclass(frozen=True)
class Line:
    """A consent that was active on the ledger. ``state``: ``in force``, ``not yet``, ``expired`` or ``used up`` at the time asked
    for. ``opened``: None while sealed."""

    consent: str
    state: str
    not_before: int
    not_after: int
    use_limit: int
    uses: int
    granted: Happened
    opened: Opened | None = None


@dataclass(frozen=True)
class Ended:
    """A consent that was no longer active: ``revoked`` or ``amended`` (by ``successor``), and by what."""

    consent: str
    status: str
    successor: str
    ended: Happened


@dataclass(frozen=True)
class AsOf:
    """``time``: what was asked for; ``block``: the ledger then. ``section`` proves ``lines`` complete under ``root``."""

    block: Held
    time: int
    root: bytes
    section: Section
    lines: list[Line]
    ended: list[Ended]

    def json(self) -> dict[str, Any]:
        """For APIs."""
        return {
            "height": self.block.height,
            "block": shown(self.block.hash),
            "block_time": self.block.time,
            "time": self.time,
            "mirror_digest": shown(self.block.digest),
            "root": shown(self.root),
            "section": self.section.json(),
            "lines": [asdict(line) for line in self.lines],
            "ended": [asdict(e) for e in self.ended],
        }


def as_of(
    live: Live,
    subject: bytes,
    height: int | None = None,
    time: int | None = None,
    entry: IndexEntry | None = None,
    artefacts: Sequence[ConsentArtefact] = (),
) -> AsOf:
    """The person's consents at a block or time (neither: now). ``entry``: the record in question; ``artefacts``: opened, checked.

    Malformed if the mirror does not hold that block, or an artefact belongs to none of these consents.
    """
    with live.database.read() as connection:
        block = held(connection, height, time)
    tree = live.tree(block)
    section = tree.of(subject)
    moment = block.time if time is None else time
    shown_by = {a.consent: a for a in artefacts}
    with live.database.read() as connection:
        lines = [_line(connection, leaf.consent, block, moment) for leaf in section.leaves]
        for at, leaf in enumerate(section.leaves):
            if (artefact := shown_by.pop(leaf.consent.consent, None)) is not None:
                lines[at] = replace(lines[at], opened=_opened(connection, block, moment, leaf.consent, artefact, entry))
        ended = [_ended(connection, row) for row in _not_active(connection, subject, block.height)]
    if shown_by:
        raise _other_artefact()
    return AsOf(block, moment, tree.root, section, lines, ended)


def _other_artefact() -> Malformed:
    return Malformed(
        "artefact_other",
        "出示的授权书不属于此人当时生效的任何一项授权。请换一份，或换一个时刻。",
        "The artefact shown belongs to no consent that this person had in force then. Show another, or ask of another moment.",
    )


def _state(consent: LiveConsent, time: int) -> str:
    if time < consent.not_before:
        return "not yet"
    if time >= consent.not_after:
        return "expired"
    return "used up" if consent.use_limit and consent.uses >= consent.use_limit else "in force"


def _line(connection: sa.Connection, consent: LiveConsent, block: Held, time: int) -> Line:
    row = _version(connection, CONSENT, consent.consent, block.height)
    if row is None:
        raise Malformed("block_unknown", detail=f"block {block.height} was replaced while it was asked for; ask again")
    terms = (consent.not_before, consent.not_after, consent.use_limit, consent.uses)
    granted = _happened(connection, row["valid_from"], consent.consent, row["message_hash"])
    return Line(shown(consent.consent), _state(consent, time), *terms, granted)


def _not_active(connection: sa.Connection, subject: bytes, height: int) -> list[dict[str, Any]]:
    c = CONSENT.table.c
    query = sa.select(CONSENT.table).where(c.subject == subject, *_in_force(CONSENT, height), c.status != ACTIVE)
    return [dict(row) for row in connection.execute(query.order_by(c.valid_from)).mappings()]


def _ended(connection: sa.Connection, row: Mapping[str, Any]) -> Ended:
    consent, amended = bytes(row["consent"]), row["status"] == AMENDED
    by = bytes(row["successor"]) if amended else consent
    hash_ = row["message_hash"] if not amended else _message_of(connection, by, row["valid_from"])
    happened = _happened(connection, row["valid_from"], consent, hash_)
    return Ended(shown(consent), "amended" if amended else "revoked", shown(row["successor"]), happened)


def _message_of(connection: sa.Connection, consent: bytes, height: int) -> bytes:
    row = _version(connection, CONSENT, consent, height)
    return bytes(row["message_hash"]) if row else ZERO


def _happened(connection: sa.Connection, height: int, consent: bytes, message_hash: Any) -> Happened:
    """The Consent event of a block that names this consent and is no use of it; the last one, which made the version."""
    e = EVENT.table.c
    inside = (e.position >= position(height, 0)) & (e.position < position(height + 1, 0))
    names = e.args.contains(f'"{shown(consent)}"', autoescape=True)
    query = sa.select(EVENT.table, BLOCK.c.hash, BLOCK.c.time).join(BLOCK, BLOCK.c.height == e.height)
    query = query.where(inside, e.contract == "Consent", e.event != "ConsentSpent", names)
    row = connection.execute(query.order_by(e.position.desc()).limit(1)).one()
    where = (row.height, shown(row.hash), row.time, shown(row.transaction_id), row.position)
    return Happened(row.event, *where, shown(message_hash))


def _in_force(relation: Relation, height: int) -> tuple[sa.ColumnElement[bool], ...]:
    c = relation.table.c
    return c.valid_from <= height, sa.or_(c.valid_to.is_(None), c.valid_to > height)


def _version(connection: sa.Connection, relation: Relation, key: bytes, height: int) -> dict[str, Any] | None:
    """The version of a state that was in force at a block."""
    query = sa.select(relation.table).where(relation.table.c[str(relation.key)] == key, *_in_force(relation, height))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def _opened(
    connection: sa.Connection, block: Held, time: int, consent: LiveConsent, artefact: ConsentArtefact, entry: IndexEntry | None
) -> Opened:
    if artefact.scope.commitment(artefact.salt) != consent.commitment:
        raise _other_artefact()
    decided = [] if entry is None else _decided(connection, block, time, consent, artefact, entry)
    return Opened(artefact.scope.to_document(), decided)


def _decided(
    connection: sa.Connection, block: Held, time: int, consent: LiveConsent, artefact: ConsentArtefact, entry: IndexEntry
) -> list[Decided]:
    requester, organisation, credential = _reader(connection, block.height, artefact, entry)
    state = State(
        decision.ConsentState(
            consent.subject, consent.commitment, consent.not_before, consent.not_after, consent.use_limit, consent.uses, ACTIVE
        ),
        _status(connection, organisation, block.height),
        _status(connection, entry.organisation, block.height),
        credential,
    )
    words = artefact.scope.words()
    out = []
    for purpose in sorted(artefact.scope.purposes):
        request = decision.Request(
            subject=consent.subject,
            requester=requester,
            organisation=organisation,
            role=max(0, (credential.roles & -credential.roles).bit_length() - 1),
            purpose=purpose,
            category=entry.category,
            custodian=entry.organisation,
            record=entry.record,
            schema=entry.schema,
            fields=_all_fields(connection, entry.schema, block.height),
        )
        found = decision.decide(state, request, words, artefact.salt, time)
        code = PURPOSES.by_number(purpose).code
        out.append(Decided(code, found.outcome.text, found.reason.text, f"0x{found.fields:064x}"))
    return out


def _reader(
    connection: sa.Connection, height: int, artefact: ConsentArtefact, entry: IndexEntry
) -> tuple[bytes, bytes, Credential]:
    """Whom the consent lets in: the person with the credential of then; for an organisation or a role anybody in force there
    (a role of every organisation is asked of the custodian's own)."""
    grantee = artefact.scope.grantee
    if grantee.type == "practitioner":
        row = _version(connection, CREDENTIAL, grantee.id, height)
        if row is None:
            return grantee.id, grantee.organisation or ZERO, Credential()
        numbers = (row["roles"], row["not_before"], row["not_after"], row["status"])
        credential = Credential(bytes(row["organisation"]), *numbers)
        return grantee.id, grantee.organisation or credential.organisation, credential
    if grantee.type == "organisation":
        organisation, roles = grantee.id, ANY_ROLE
    else:
        organisation, roles = grantee.organisation or entry.organisation, 1 << int.from_bytes(grantee.id[-1:], "big")
    return grantee.id, organisation, Credential(organisation, roles, 0, FOR_EVER, decision.CredentialStatus.ACTIVE)


def _status(connection: sa.Connection, organisation: bytes, height: int) -> int:
    row = _version(connection, ORGANISATION, organisation, height)
    return int(row["status"]) if row else 0


def _all_fields(connection: sa.Connection, schema: bytes, height: int) -> int:
    row = _version(connection, SCHEMA, schema, height)
    return (1 << (int(row["elements"]) if row else 256)) - 1
