"""The life of anything that has an identifier, as the ledger tells it: events in order, and which led to which.

What the chain does not say is not here: in root mode a record occurs on no chain, and receipts occur as batches. Whoever knows
more (the gateway's index, a custodian's store) passes the batch roots along and gets one picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa

from core.errors import Malformed
from mirror.database import Database
from mirror.events import prefix
from mirror.models import BLOCK, EVENT, MENTION, POSITION_SHIFT
from mirror.projections.index import BATCH, ENTRY
from mirror.query import shown

T = TypeVar("T")

MOST_NODES = 500
IDS_PER_QUERY = 200


@dataclass(frozen=True)
class Step:
    """How an event looks in a picture: its type, whose lane it is in, the threads it continues and those it begins.

    A thread is a kind of thing and the argument that names it; the newest event on a thread leads to the next one on it.
    """

    type: str
    lane: str
    follows: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()


STEPS: dict[tuple[str, str], Step] = {
    ("Alliance", "OrganisationInvited"): Step("invited", "organisation", (), ("member:organisation",)),
    ("Alliance", "OrganisationJoined"): Step("joined", "organisation", ("member:organisation",)),
    ("Alliance", "OrganisationSuspended"): Step("suspended", "organisation", ("member:organisation",)),
    ("Alliance", "OrganisationRestored"): Step("restored", "organisation", ("member:organisation",)),
    ("Alliance", "OrganisationLeft"): Step("left", "organisation", ("member:organisation",)),
    ("Alliance", "RolesSet"): Step("roles set", "organisation", ("member:organisation",)),
    ("Alliance", "KeyRotated"): Step("key rotated", "organisation", ("member:organisation",)),
    ("Alliance", "AccountSet"): Step("account set", "organisation", ("member:organisation",)),
    ("Alliance", "Proposed"): Step("proposed", "organisation", (), ("proposal:proposal",)),
    ("Alliance", "Voted"): Step("voted", "organisation", ("proposal:proposal",)),
    ("Alliance", "Executed"): Step("executed", "", ("proposal:proposal",)),
    ("Identity", "KeyBound"): Step("key bound", "registrar", (), ("key:subject",)),
    ("Identity", "KeyRotated"): Step("key rotated", "", ("key:subject",)),
    ("Identity", "RecoveryRequested"): Step("recovery requested", "registrar", ("key:subject",)),
    ("Identity", "RecoveryVetoed"): Step("recovery vetoed", "", ("key:subject",)),
    ("Identity", "KeyRecovered"): Step("key recovered", "", ("key:subject",)),
    ("Identity", "CredentialIssued"): Step("credential issued", "organisation", ("credential:practitioner",)),
    ("Identity", "CredentialRevoked"): Step("credential revoked", "organisation", ("credential:practitioner",)),
    ("Schema", "SchemaRegistered"): Step("schema registered", "organisation", ("schema:supersedes",), ("schema:schemaId",)),
    ("DataIndex", "BatchAnchored"): Step("anchored", "organisation", ("root:previousRoot",), ("root:root",)),
    ("DataIndex", "EntriesAnchored"): Step("entries published", "organisation", ("root:root",)),
    ("Consent", "ConsentGranted"): Step("granted", "", ("key:subject",), ("consent:consent",)),
    ("Consent", "ConsentAmended"): Step("amended", "", ("consent:old",), ("consent:consent",)),
    ("Consent", "ConsentRevoked"): Step("revoked", "", ("consent:consent",)),
    ("Consent", "ConsentSpent"): Step("used", "by", ("consent:consent",)),
    ("Access", "AccessRequested"): Step("requested", "organisation", (), ("request:id",)),
    ("Access", "AccessAnswered"): Step("answered", "organisation", ("request:id",)),
    ("Access", "ReceiptsRecorded"): Step("read (receipts)", "organisation", ("receipts:organisation",)),
    ("Access", "EmergencyOpened"): Step("emergency opened", "organisation", (), ("emergency:id",)),
    ("Access", "EmergencyReviewed"): Step("emergency reviewed", "reviewer", ("emergency:id",)),
    ("Workflow", "Submitted"): Step("submitted", "organisation", (), ("application:id",)),
    ("Workflow", "Moved"): Step("moved", "organisation", ("application:id",)),
    ("Evidence", "EvidenceRecorded"): Step("evidence", "organisation", ("evidence:organisation",)),
    ("Registry", "Published"): Step("published", "", ("contract:name",)),
    ("Registry", "Frozen"): Step("frozen", "", ("contract:name",)),
    ("Registry", "Thawed"): Step("thawed", "", ("contract:name",)),
}
#: Threads whose whole course belongs to the life of whatever led to them: a subject's consents with their uses and ends.
WHOLE = ("consent", "request", "emergency", "application", "proposal")


@dataclass(frozen=True)
class Node:
    """One thing that happened. ``id`` sorts like the ledger; ``lane``: the organisation that did it, empty if a person or all
    did."""

    id: str
    type: str
    lane: str
    height: int
    time: int
    transaction: str
    contract: str
    event: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Edge:
    """``source`` led to ``target``; ``thread`` says as what (consent, key, record, …)."""

    source: str
    target: str
    thread: str


@dataclass
class Trace:
    """``roles``: as what the identifier occurs (names of arguments). ``truncated``: older events were left out. ``height``:
    true of this block."""

    identifier: str
    roles: list[str]
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    truncated: bool = False
    height: int = -1

    def json(self) -> dict[str, Any]:
        """For APIs."""
        return asdict(self)


def trace(database: Database, identifier: str, also: Sequence[str] = (), limit: int = MOST_NODES) -> Trace:
    """The life of ``identifier`` (32 bytes, or an account's 20, in hex) together with those of ``also``; empty if nothing is
    known.

    Malformed for anything that is no identifier. Of more than ``limit`` events the newest are shown.
    """
    wanted = {_bytes(i) for i in (identifier, *also)}
    with database.read() as connection:
        height = connection.scalar(sa.select(sa.func.max(BLOCK.c.height)))
        entries = _entries(connection, wanted, limit)
        found, cut = _events(connection, wanted | {e["root"] for e in entries}, limit)
        more, cut_too = _events(connection, _whole_threads(found.values()) - wanted, limit)
        found |= more
        nodes = _nodes(connection, found, entries)
    kept = sorted(nodes, key=lambda n: n.id)[-limit:]
    out = Trace(identifier, _roles(kept, _bytes(identifier)), kept, _edges(kept), cut or cut_too or len(kept) < len(nodes))
    out.height = -1 if height is None else height
    return out


def _bytes(identifier: str) -> bytes:
    try:
        raw = bytes.fromhex(identifier.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) not in (20, 32):
        raise Malformed("identifier_malformed", detail="an identifier is 32 bytes (an account: 20) in hex")
    return raw


def _events(connection: sa.Connection, wanted: Iterable[bytes], limit: int) -> tuple[dict[int, dict[str, Any]], bool]:
    """The newest ``limit`` events that mention one of ``wanted``, by position; and whether there are more."""
    found: dict[int, dict[str, Any]] = {}
    ids = sorted(wanted)
    for part in _parts(ids):
        texts = {"0x" + x.hex() for x in part}
        at = (MENTION.c.position == EVENT.table.c.position) & MENTION.c.prefix.in_([prefix(x) for x in part])
        query = sa.select(EVENT.table).join(MENTION, at).order_by(MENTION.c.position.desc())
        for row in connection.execute(query, execution_options={"stream_results": True}).mappings():
            e = {**row, "args": orjson.loads(row["args"])}
            # Prefixes can be made to collide, so rows are read on until enough of them really mention an identifier.
            if not _mentions(e, texts):
                continue
            if len(found) >= limit and e["position"] not in found:
                return found, True
            found[e["position"]] = e
            if shown(e["transaction_id"]) in texts:
                found |= _rest_of(connection, e, limit)
    return found, False


def _rest_of(connection: sa.Connection, first: dict[str, Any], limit: int) -> dict[int, dict[str, Any]]:
    """The other events of a transaction; its first is the one that is indexed."""
    columns = EVENT.table.c
    same = sa.select(EVENT.table).where(
        columns.position > first["position"],
        columns.position < (first["height"] + 1) << POSITION_SHIFT,
        columns.transaction_id == bytes(first["transaction_id"]),
    )
    rows = connection.execute(same.order_by(columns.position).limit(limit)).mappings()
    return {row["position"]: {**row, "args": orjson.loads(row["args"])} for row in rows}


def _mentions(event: dict[str, Any], texts: set[str]) -> bool:
    return shown(event["transaction_id"]) in texts or any(isinstance(v, str) and v in texts for v in event["args"].values())


def _entries(connection: sa.Connection, wanted: set[bytes], limit: int) -> list[dict[str, Any]]:
    """Published index entries of these records and subjects, with the root they are anchored under."""
    entry, batch = ENTRY.table.c, BATCH.table.c
    anchored = (batch.organisation == entry.organisation) & entry.sequence.between(
        batch.first_sequence, batch.first_sequence + batch.count - 1
    )
    query = sa.select(ENTRY.table, batch.root).join(BATCH.table, anchored & (batch.height == entry.height))
    mentioned = sa.or_(entry.record.in_(wanted), entry.subject.in_(wanted))
    rows = connection.execute(query.where(mentioned).order_by(entry.position.desc()).limit(limit)).mappings()
    return [{k: bytes(v) if isinstance(v, memoryview) else v for k, v in row.items()} for row in rows]


def _whole_threads(events: Iterable[dict[str, Any]]) -> set[bytes]:
    wanted = set()
    for e in events:
        step = STEPS.get((e["contract"], e["event"]))
        for thread in (*step.follows, *step.begins) if step else ():
            kind, _, name = thread.partition(":")
            value = e["args"].get(name)
            if kind in WHOLE and isinstance(value, str):
                wanted.add(bytes.fromhex(value[2:]))
    return wanted


def _nodes(connection: sa.Connection, events: dict[int, dict[str, Any]], entries: list[dict[str, Any]]) -> list[Node]:
    heights = {p >> POSITION_SHIFT for p in events} | {e["height"] for e in entries}
    times: dict[int, int] = {}
    for part in _parts(sorted(heights)):
        query = sa.select(BLOCK.c.height, BLOCK.c.time).where(BLOCK.c.height.in_(part))
        times.update((row.height, row.time) for row in connection.execute(query))
    nodes = [_event_node(e, times) for e in events.values()]
    return nodes + [_entry_node(e, times) for e in entries]


def _parts(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[i : i + IDS_PER_QUERY] for i in range(0, len(values), IDS_PER_QUERY))


def _event_node(e: dict[str, Any], times: dict[int, int]) -> Node:
    step = STEPS.get((e["contract"], e["event"]), Step(e["event"], ""))
    lane = str(e["args"].get(step.lane, "")) if step.lane else ""
    return Node(
        f"{e['position']:016d}",
        step.type,
        lane,
        e["height"],
        times[e["height"]],
        shown(e["transaction_id"]),
        e["contract"],
        e["event"],
        e["args"],
    )


def _entry_node(e: dict[str, Any], times: dict[int, int]) -> Node:
    names = (
        "organisation",
        "record",
        "subject",
        "schema",
        "previous",
        "root",
        "sequence",
        "version",
        "category",
        "flags",
        "indexed_at",
    )
    args = {n: shown(e[n]) for n in names}
    kind = "deleted" if e["flags"] & 1 else "indexed"
    return Node(
        f"{e['position']:016d}.{e['number']:06d}",
        kind,
        args["organisation"],
        e["height"],
        times[e["height"]],
        "",
        "DataIndex",
        "",
        args,
    )


def _edges(nodes: Sequence[Node]) -> list[Edge]:
    newest: dict[tuple[str, Any], str] = {}
    edges: dict[tuple[str, str], Edge] = {}
    for node in nodes:
        for thread in _follows(node):
            kind, _, name = thread.partition(":")
            key = (kind, node.args.get(name))
            if key in newest and newest[key] != node.id:
                edges.setdefault((newest[key], node.id), Edge(newest[key], node.id, kind))
            newest[key] = node.id
    return list(edges.values())


def _follows(node: Node) -> tuple[str, ...]:
    if not node.event:
        return ("record:record", "root:root")
    step = STEPS.get((node.contract, node.event))
    return (*step.follows, *step.begins) if step else ()


def _roles(nodes: Iterable[Node], identifier: bytes) -> list[str]:
    text = "0x" + identifier.hex()
    names = {n for node in nodes for n, v in node.args.items() if v == text}
    return sorted(names | ({"transaction"} if any(node.transaction == text for node in nodes) else set()))
