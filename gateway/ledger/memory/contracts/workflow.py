"""Workflow: applications that move through states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gateway.ledger.memory.contracts.common import CUSTODIAN, ZERO, active_caller
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Workflow"
SUBMITTED, WITHDRAWN = 1, 6
TABLE = {1: {2, 3, 6}, 2: {4, 6}, 4: {3, 5}}


@dataclass(frozen=True, slots=True)
class Application:
    applicant: bytes = ZERO
    kind: bytes = ZERO
    digest: bytes = ZERO
    step: int = 0


@external(NAME, "submit(bytes32 id, bytes32 kind, bytes32 packageDigest) whenThawed")
def submit(f: Frame, id: bytes, kind: bytes, digest: bytes) -> None:
    caller = active_caller(f)
    if ZERO in (id, kind, digest):
        raise Revert("ZeroValue")
    if _application(f, id).step:
        raise Revert("ApplicationExists", id)
    f.put(NAME, id, value=Application(caller, kind, digest, SUBMITTED))
    f.emit(NAME, "Submitted", id=id, organisation=caller, kind=kind, packageDigest=digest)


@external(NAME, "move(bytes32 id, uint8 toState, bytes32 digest) whenThawed")
def move(f: Frame, id: bytes, to: int, digest: bytes) -> None:
    _require_step(to)
    a = _application(f, id)
    withdrawal = to == WITHDRAWN
    caller = active_caller(f, 0 if withdrawal else CUSTODIAN)
    if not allowed(f, a.step, to):
        raise Revert("IllegalMove", id, a.step, to)
    if withdrawal and caller != a.applicant:
        raise Revert("NotTheApplicant", id, a.applicant)
    f.put(NAME, id, value=replace(a, step=to, digest=digest))
    f.emit(NAME, "Moved", **{"id": id, "organisation": caller, "from": a.step, "to": to, "digest": digest})


@external(NAME, "allowed(uint8 from, uint8 to)")
def allowed(_: Frame, start: int, to: int) -> bool:
    _require_step(start)
    _require_step(to)
    return to in TABLE.get(start, ())


@external(NAME, "applicationOf(bytes32 id)")
def application_of(f: Frame, id: bytes) -> dict[str, Any]:
    a = _application(f, id)
    return {"applicant": a.applicant, "kind": a.kind, "step": a.step, "digest": a.digest}


def _application(f: Frame, id: bytes) -> Application:
    return f.get(NAME, id) or Application()


def _require_step(step: int) -> None:
    if step > WITHDRAWN:
        raise Revert
