"""A life as W3C PROV-JSON (https://www.w3.org/submissions/prov-json/): for tools that draw or compare lineage.

What happened is an activity, an organisation in whose lane it was an agent, and what an event begins or goes on with (a consent,
a batch, a key) an entity.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mirror.trace import STEPS, Node, Step, Trace

PREFIX = {"ht": "urn:healthtrust:", "prov": "http://www.w3.org/ns/prov#"}
Document = dict[str, dict[str, Any]]


def document(life: Trace) -> Document:
    """The PROV-JSON document of a trace. Entities of the ledger only: what is beside it, the trace does not know."""
    kinds = ("entity", "activity", "agent", "used", "wasGeneratedBy", "wasAssociatedWith", "wasInformedBy", "wasDerivedFrom")
    out: Document = {"prefix": dict(PREFIX), **{kind: {} for kind in kinds}}
    for node in life.nodes:
        _tell(out, node)
    for n, edge in enumerate(life.edges):
        said = {"prov:informed": _activity(edge.target), "prov:informant": _activity(edge.source), "ht:thread": edge.thread}
        out["wasInformedBy"][f"_:i{n}"] = said
    return {kind: statements for kind, statements in out.items() if statements}


def _tell(out: Document, node: Node) -> None:
    at = datetime.fromtimestamp(node.time, UTC).isoformat().replace("+00:00", "Z")
    facts = {"ht:height": node.height, "ht:transaction": node.transaction, "ht:contract": node.contract, "ht:event": node.event}
    out["activity"][_activity(node.id)] = {"prov:startTime": at, "prov:endTime": at, "prov:type": f"ht:{node.type}", **facts}
    if node.lane:
        agent = f"ht:organisation/{node.lane}"
        out["agent"][agent] = {"prov:type": "prov:Organization"}
        out["wasAssociatedWith"][f"_:a{node.id}"] = {"prov:activity": _activity(node.id), "prov:agent": agent}
    step = STEPS.get((node.contract, node.event)) if node.event else Step(node.type, "", ("root:root",), ("record:record",))
    used = [_entity(out, node, thread) for thread in (step.follows if step else ())]
    made = [_entity(out, node, thread) for thread in (step.begins if step else ())]
    for n, entity in enumerate(e for e in used if e):
        out["used"][f"_:u{node.id}.{n}"] = {"prov:activity": _activity(node.id), "prov:entity": entity}
    for n, entity in enumerate(e for e in made if e):
        out["wasGeneratedBy"][f"_:g{node.id}.{n}"] = {"prov:entity": entity, "prov:activity": _activity(node.id)}
    if node.event == "ConsentAmended" and used[0] and made[0]:
        derived = {"prov:generatedEntity": made[0], "prov:usedEntity": used[0], "prov:activity": _activity(node.id)}
        out["wasDerivedFrom"][f"_:d{node.id}"] = derived


def _activity(id: str) -> str:
    return f"ht:event/{id}"


def _entity(out: Document, node: Node, thread: str) -> str:
    """The entity that a thread names in this event; empty where the event leaves it out."""
    kind, _, name = thread.partition(":")
    value = node.args.get(name)
    if value is None or str(value).strip("0x") == "":
        return ""
    entity = f"ht:{kind}/{value}"
    out["entity"].setdefault(entity, {"prov:type": f"ht:{kind}"})
    return entity
