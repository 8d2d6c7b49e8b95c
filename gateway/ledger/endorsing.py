"""What the outbox does otherwise on a ledger whose writes are endorsed before they are ordered (Hyperledger Fabric).

- To prepare a write is to have it carried out on the state as it is now. What builds on a write that is not settled yet is
  refused, or built on sand: a refusal is final only when nothing earlier of the lane is still under way.
- A transaction whose reads were overtaken is put into a block as invalid and does nothing. Its id is spent: no block counts it
  again. Only after the ledger said so is the operation prepared again, as a new transaction, so that one of the two can have an
  effect at most. A transaction nobody has heard of is sent again as it is; it may still be on its way.
- There are no nonces: nothing has to be filled, and stored bytes stay good for ever.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

from gateway.ledger.port import Call, Ledger, Prepared
from gateway.ledger.reasons import LedgerError, Reason
from gateway.ledger.wire import contract_of

if TYPE_CHECKING:
    from gateway.ledger.outbox import Operation

log = logging.getLogger(__name__)

AGAIN = frozenset({Reason.CONFLICT, Reason.ENDORSEMENT})
"""Failures after which another transaction may succeed where this one did nothing."""
ATTEMPTS = 50
"""Transactions of one operation at most."""
SIDE_BY_SIDE = 8
"""Writes endorsed at the same time."""
LARGE = 100_000
"""Characters of a stored call."""
_VERDICTS = frozenset({Reason.REJECTED, Reason.INVALID_ARGUMENT, Reason.TOO_LARGE})


def startable(waiting: Iterable[Operation], chained: set[str]) -> Iterator[Operation]:
    """Those that may go together, looked for as they are taken. What was overtaken, or refused because of an earlier one, goes
    alone among the writes of its contract: they share something, and side by side all but one would be overtaken or refused
    again. So does a large one, which costs more to have endorsed in vain. ``chained``: contracts of which that is known; it
    grows."""
    started: set[str] = set()
    for op in waiting:
        contract = contract_of(op.beginning)
        if op.attempts or op.reason or op.size > LARGE:
            chained.add(contract)
        if contract not in started or contract not in chained:
            started.add(contract)
            yield op


def prepare(
    ledger: Ledger, waiting: Iterable[Operation], account: str, stored: Callable[[Operation], Call], chained: set[str]
) -> dict[int, Prepared | LedgerError]:
    """Prepare in order, some side by side; answers by ``seq``. Ends with the first answer that says nothing about the write but
    that the ledger, or our place in it, has to be put right. ``stored``: an operation's call, asked for when its turn comes, for
    calls may be megabytes; ``chained``: see :func:`startable`."""
    answers: dict[int, Prepared | LedgerError] = {}
    rest = startable(waiting, chained)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        while some := list(islice(rest, SIDE_BY_SIDE)):
            for op, answer in zip(some, pool.map(lambda op: _prepare(ledger, stored(op), account), some), strict=True):
                answers[op.seq] = answer
                if not isinstance(answer, LedgerError):
                    continue
                if answer.reason not in _VERDICTS | AGAIN:
                    log.warning("stored writes wait: %s", answer)
                    return answers
                chained.add(contract_of(op.beginning))
    return answers


def judge(
    waiting: Sequence[Operation], answers: Mapping[int, Prepared | LedgerError], pending: int | None
) -> Iterator[tuple[Operation, dict[str, Any]]]:
    """The new columns of each operation that was answered. ``pending``: lowest ``seq`` of what was under way before."""
    under_way = False
    for op in waiting:
        answer = answers.get(op.seq)
        alone = not under_way and (pending is None or op.seq < pending)
        values = {} if answer is None else _columns(op, answer, alone=alone)
        if values:
            yield op, values
        under_way = under_way or values.get("state") != "failed"


def again(op: Operation, reason: Reason | None) -> bool:
    """Whether an operation whose transaction failed for good is to be prepared again."""
    return reason in AGAIN and op.attempts < ATTEMPTS


def resend(rows: Sequence[Operation]) -> None:
    """What the ledger lost is sent as it is, whatever else is put on again."""
    for op in rows:
        if op.height is not None:
            op.detail = f"put on again; was {op.transaction} in block {op.height}"
        op.state, op.height, op.block, op.updated = "pending", None, None, time.time()


def _prepare(ledger: Ledger, call: Call, account: str) -> Prepared | LedgerError:
    try:
        return ledger.prepare(call, account)
    except LedgerError as e:
        return e


def _columns(op: Operation, answer: Prepared | LedgerError, *, alone: bool) -> dict[str, Any]:
    """``alone``: nothing earlier of the lane is under way, so that a contract's no is final."""
    if isinstance(answer, Prepared):
        sent = {"account": answer.account, "nonce": None, "raw": answer.raw, "transaction": answer.id, "reason": None}
        return {"state": "pending", **sent}
    said = {"reason": answer.reason.value, "detail": answer.detail}
    if answer.reason in AGAIN:
        return {**said, "attempts": op.attempts + 1, "state": "failed" if op.attempts + 1 >= ATTEMPTS else "initialised"}
    final = answer.reason in _VERDICTS and (alone or answer.reason is not Reason.REJECTED)
    return {**said, "state": "failed" if final else "initialised"}
