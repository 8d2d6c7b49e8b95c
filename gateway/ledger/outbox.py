"""Writes that are stored before the ledger is touched, and put on again when the ledger forgot them.

An operation is a row in the writer's own database. What is written first, and what a crash leaves:

1. ``enqueue``: the row, ``initialised``, in the caller's transaction. Crash before its commit: nothing happened. After: it will
   be sent.
2. ``flush``: claims the account's lane, signs, and commits raw bytes, transaction id and nonce with state ``pending``
   **before** sending. Crash before that commit: the row is still ``initialised`` and the nonce unused. After it, before or
   during sending: ``settle`` finds the transaction unknown to the node and sends the same bytes again, which a node takes once.
3. ``settle``: asks for outcomes; ``succeeded`` or ``failed`` only at the ledger's finality depth. Crash anywhere: asked again.
4. The chain comes back older than we knew (``reset``): the remembered block (``mark``) or the block of the newest succeeded
   operation is gone. ``reconcile`` notes that first, then turns every succeeded operation whose block is gone back into one to
   be sent: the same bytes where the nonces still line up, signed afresh where not. Until all are back, :func:`consistent` is
   false and nothing may be decided.

On a ledger that endorses (``LedgerInfo.endorses``) signing is preceded by carrying the write out, and there are no nonces:
:mod:`gateway.ledger.endorsing` says what is done otherwise, and why nothing happens twice.

A lane is one account's row: who holds it and until when, and its next nonce. Only the holder takes nonces, and every change is
fenced by the values it was based on, so several workers in several processes neither skip a nonce nor use one twice. Within an
account operations are sent in the order they were stored. Works on SQLite and PostgreSQL.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    Update,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, defer, mapped_column, sessionmaker

from gateway.ledger import endorsing
from gateway.ledger.db import writing
from gateway.ledger.port import Block, Call, Ledger, Outcome, Prepared, Sent
from gateway.ledger.reasons import LedgerError, Reason
from gateway.ledger.wire import BEGINNING, dump_call, load_call

log = logging.getLogger(__name__)

Sessions = sessionmaker[Session]

INITIALISED, PENDING, SUCCEEDED, FAILED = "initialised", "pending", "succeeded", "failed"
LEASE_SECONDS = 30.0
BATCH = 200
RESTORE_ATTEMPTS = 5
ROUNDS_SECONDS = 5.0
"""How long one pass follows writes that build on each other, on a ledger that endorses."""
ROUND_PAUSE = 0.02
FILLER = Call("", "nothing")
"""A write that does nothing; takes the place of a nonce whose own write the node refuses for good."""


class Base(DeclarativeBase):
    """Tables of the outbox; create them beside the service's own (``metadata``)."""

    metadata = MetaData()


metadata = Base.metadata


class Operation(Base):
    """One write. ``seq`` orders; ``id`` is what callers see; ``restoring`` marks one that was on the ledger, was forgotten by
    it, and is being put on again."""

    __tablename__ = "operation"
    __table_args__ = (UniqueConstraint("caller", "key"), Index("operation_state", "state", "seq"), {"sqlite_autoincrement": True})

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    caller: Mapped[str]
    key: Mapped[str]
    kind: Mapped[str]
    call: Mapped[str] = mapped_column(Text)
    digest: Mapped[str]
    state: Mapped[str]
    account: Mapped[str] = mapped_column(default="")
    nonce: Mapped[int | None] = mapped_column(BigInteger)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    transaction: Mapped[str | None] = mapped_column(index=True)
    height: Mapped[int | None] = mapped_column(BigInteger, index=True)
    block: Mapped[str | None]
    reason: Mapped[str | None]
    detail: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    restoring: Mapped[bool] = mapped_column(default=False, index=True)
    created: Mapped[float]
    updated: Mapped[float]
    beginning: Mapped[str] = column_property(func.substr(call, 1, BEGINNING))
    """Of the call, enough to tell its contract."""
    size: Mapped[int] = column_property(func.length(call))
    """Characters of the call."""


class Lane(Base):
    """An account's turn-taking: ``next_nonce`` None = ask the ledger."""

    __tablename__ = "operation_lane"

    account: Mapped[str] = mapped_column(primary_key=True)
    next_nonce: Mapped[int | None] = mapped_column(BigInteger)
    holder: Mapped[str | None]
    held_until: Mapped[float] = mapped_column(default=0.0)


class Mark(Base):
    """The newest block we relied on (one row). ``lost``: the ledger no longer has it and the healing is not finished."""

    __tablename__ = "operation_mark"

    one: Mapped[int] = mapped_column(primary_key=True, default=1)
    height: Mapped[int] = mapped_column(BigInteger)
    block: Mapped[str]
    time: Mapped[int] = mapped_column(BigInteger)
    lost: Mapped[bool] = mapped_column(default=False)


class IdempotencyConflict(Exception):
    """The key was used before with another body."""

    def __init__(self, caller: str, key: str) -> None:
        super().__init__(f"idempotency key {key!r} was used before with another body")
        self.caller = caller
        self.key = key


@dataclass(frozen=True)
class Progress:
    """What one :func:`work` pass did, in operations."""

    sent: int = 0
    settled: int = 0
    restoring: int = 0


def enqueue(
    session: Session, key: str, kind: str, call: Call, *, caller: str = "", account: str = "", body: bytes | None = None
) -> Operation:
    """Store a write in the caller's transaction. The same caller, key and body again gives the same operation; another body
    raises IdempotencyConflict. ``body``: what the caller sent, where that is more than the call. ``account``: empty = that of
    whoever sends."""
    text = dump_call(call)
    digest = hashlib.sha256(b"\0".join((kind.encode(), text.encode(), body or b""))).hexdigest()
    now = time.time()
    row = Operation(id=secrets.token_hex(16), caller=caller, key=key, kind=kind, call=text, digest=digest, state=INITIALISED)
    row.account, row.created, row.updated = account.lower(), now, now
    try:
        # Inserted before it is looked for: reading first would make SQLite refuse the insert, instead of waiting, under
        # contention.
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        existing = session.scalar(select(Operation).where(Operation.caller == caller, Operation.key == key))
        if existing is None or existing.digest != digest:
            raise IdempotencyConflict(caller, key) from None
        return existing
    return row


def work(sessions: Sessions, ledger: Ledger, confirm: Callable[[], bool] | None = None) -> Progress:
    """One pass of a worker: send, settle, and heal where the ledger was reset. Call it every block or so. Raises LedgerError
    (except reset) when the ledger cannot be used now; what is stored stays stored."""
    try:
        ledger.head()
    except LedgerError as e:
        if e.reason is not Reason.RESET:
            raise
        reconcile(sessions, ledger, confirm)
    sent, settled = flush(sessions, ledger), settle(sessions, ledger)
    with sessions() as session:
        restoring = _restoring(session)
        lost = session.scalar(select(Mark.lost)) or False
    if lost and restoring == 0:
        reconcile(sessions, ledger, confirm)
    return Progress(sent, settled, restoring)


def flush(sessions: Sessions, ledger: Ledger, limit: int = BATCH) -> int:
    """Sign and send what waits, in order; number sent. 0 when another worker holds the lane. Raises LedgerError when the head
    cannot be trusted or reached (nothing was signed then)."""
    ledger.head()
    account, holder = ledger.info().account, secrets.token_hex(8)
    with sessions() as session:
        idle = session.scalar(_waiting(account).limit(1)) is None
    lane = None if idle else _claim(sessions, account, holder)
    if lane is None:
        return 0
    try:
        if ledger.info().endorses:
            return _rounds(sessions, ledger, lane, holder, limit)
        signed = _sign(sessions, ledger, lane, holder, limit)
        _send(sessions, ledger, signed)
        return len(signed)
    finally:
        _release(sessions, account, holder)


def settle(sessions: Sessions, ledger: Ledger, limit: int = 500) -> int:
    """Move what is final to succeeded or failed, send again what the node does not know, and remember the head; number
    settled."""
    with sessions() as session:
        waiting = list(session.scalars(select(Operation).where(Operation.state == PENDING).order_by(Operation.seq).limit(limit)))
    outcomes = ledger.outcome([op.transaction or "" for op in waiting]) if waiting else []
    settled = _apply(sessions, waiting, outcomes)
    forgotten = [(op.id, _prepared(op)) for op, o in zip(waiting, outcomes, strict=True) if o.status == "unknown"]
    _send(sessions, ledger, forgotten)
    _remember(sessions, ledger)
    return settled


def reconcile(sessions: Sessions, ledger: Ledger, confirm: Callable[[], bool] | None = None) -> bool:
    """At start-up, and whenever the ledger says ``reset``: compare what we acknowledged with what the ledger holds, and put on
    again what it lost. True when nothing is missing any more (then the chain as it is now is accepted). ``confirm``: asked
    before that, for services that rely on others' writes too (a gate asks the gateway whether it is healed)."""
    mark, newest = _relied_on(sessions)
    whole = all(_known(ledger, b) for b in (mark and mark.block, newest) if b)
    if whole and not (mark and mark.lost):
        ledger.expect(_as_block(mark))
        return True
    if not whole:
        _note_loss(sessions)
    head = _fresh_head(ledger, mark)
    if not whole:
        _put_again(sessions, ledger)
    return _accept(sessions, ledger, head, confirm)


def consistent(session: Session, ledger: Ledger) -> bool:
    """True when the ledger holds every block we relied on and nothing is being put on again. Asks the node; raises
    LedgerError."""
    mark = session.get(Mark, 1)
    if (mark is not None and mark.lost) or _restoring(session):
        return False
    newest = session.scalar(_newest())
    return all(_known(ledger, b) for b in (mark and mark.block, newest) if b)


def waive(session: Session, id: str) -> None:
    """An operator accepts that an operation the ledger lost cannot be put on again (its row says why). Without that nothing is
    decided."""
    session.execute(
        update(Operation).where(Operation.id == id, Operation.state == FAILED).values(restoring=False, updated=time.time())
    )


def _claim(sessions: Sessions, account: str, holder: str) -> Lane | None:
    """Take the account's lane if nobody holds it."""
    now = time.time()
    with sessions.begin() as session:
        writing(session)
        if session.get(Lane, account) is None:
            _insert(session, Lane(account=account, next_nonce=None, holder=None, held_until=0.0))
        free = or_(Lane.holder.is_(None), Lane.held_until < now)
        taken = update(Lane).where(Lane.account == account, free).values(holder=holder, held_until=now + LEASE_SECONDS)
        if not _changed(session, taken):
            return None
        session.expire_all()
        return session.get(Lane, account)


def _release(sessions: Sessions, account: str, holder: str) -> None:
    with sessions.begin() as session:
        session.execute(update(Lane).where(Lane.account == account, Lane.holder == holder).values(holder=None))


def _sign(sessions: Sessions, ledger: Ledger, lane: Lane, holder: str, limit: int) -> list[tuple[str, Prepared]]:
    """Sign the next operations and commit them as pending, with the lane's nonce moved on; what was signed."""
    with sessions() as session:
        waiting = list(session.scalars(_waiting(lane.account).limit(limit)))
        floor = session.scalar(
            select(func.max(Operation.nonce)).where(Operation.state == PENDING, Operation.account == lane.account)
        )
    if not waiting:
        return []
    start = lane.next_nonce if lane.next_nonce is not None else _ask_nonce(ledger, floor)
    signed, refused = _prepare(ledger, waiting, lane.account, start)
    with sessions.begin() as session:
        writing(session)
        held = (Lane.account == lane.account, Lane.holder == holder, Lane.held_until > time.time())
        if not _changed(session, update(Lane).where(*held).values(next_nonce=start + len(signed))):
            return []
        for op, error in refused:
            _change(session, op, state=FAILED, reason=error.reason.value, detail=error.detail)
        for op, p in signed:
            _change(session, op, state=PENDING, account=p.account, nonce=p.nonce, raw=p.raw, transaction=p.id, reason=None)
    return [(op.id, p) for op, p in signed]


def _rounds(sessions: Sessions, ledger: Ledger, lane: Lane, holder: str, limit: int) -> int:
    """Endorse, send and settle by turns, as long as there is progress: what was refused because of an earlier write is tried
    again once that is settled. Number sent."""
    sent, deadline, chained = 0, time.monotonic() + ROUNDS_SECONDS, set[str]()
    while time.monotonic() < deadline and (signed := _endorse(sessions, ledger, lane, holder, limit, chained)):
        _send(sessions, ledger, signed)
        sent += len(signed)
        while _on_the_way(sessions, ledger, [id for id, _ in signed]) and time.monotonic() < deadline:
            time.sleep(ROUND_PAUSE)
    return sent


def _endorse(
    sessions: Sessions, ledger: Ledger, lane: Lane, holder: str, limit: int, chained: set[str]
) -> list[tuple[str, Prepared]]:
    """Have the next operations endorsed and commit them as pending; what was signed. ``chained``: contracts whose writes were
    seen to build on each other."""
    with sessions() as session:
        pending = session.scalar(
            select(func.min(Operation.seq)).where(Operation.state == PENDING, Operation.account == lane.account)
        )
        light = _waiting(lane.account).options(defer(Operation.call), defer(Operation.raw))
        waiting = list(session.scalars(light.limit(limit)))
    answers = endorsing.prepare(ledger, waiting, lane.account, partial(_stored, sessions), chained)
    with sessions.begin() as session:
        writing(session)
        held = (Lane.account == lane.account, Lane.holder == holder, Lane.held_until > time.time())
        if not _changed(session, update(Lane).where(*held).values(next_nonce=None)):
            return []
        signed = []
        for op, values in endorsing.judge(waiting, answers, pending):
            _change(session, op, **values)
            answer = answers[op.seq]
            if isinstance(answer, Prepared):
                signed.append((op.id, answer))
    return signed


def _stored(sessions: Sessions, op: Operation) -> Call:
    with sessions() as session:
        return load_call(session.scalars(select(Operation.call).where(Operation.seq == op.seq)).one())


def _on_the_way(sessions: Sessions, ledger: Ledger, ids: Sequence[str]) -> bool:
    """Settle what is final of these; whether some are still on their way into a block."""
    with sessions() as session:
        waiting = list(session.scalars(select(Operation).where(Operation.id.in_(ids), Operation.state == PENDING)))
    try:
        outcomes = ledger.outcome([op.transaction or "" for op in waiting])
    except LedgerError as e:
        log.warning("%d writes cannot be followed now: %s", len(waiting), e)
        return False
    _apply(sessions, waiting, outcomes)
    return any(o.status == "pending" for o in outcomes)


def _waiting(account: str) -> Any:
    mine = Operation.account.in_(("", account))
    return select(Operation).where(Operation.state == INITIALISED, mine).order_by(Operation.seq)


def _prepare(
    ledger: Ledger, waiting: Sequence[Operation], account: str, nonce: int
) -> tuple[list[tuple[Operation, Prepared]], list[tuple[Operation, LedgerError]]]:
    signed: list[tuple[Operation, Prepared]] = []
    refused: list[tuple[Operation, LedgerError]] = []
    for op in waiting:
        try:
            signed.append((op, ledger.prepare(load_call(op.call), account, nonce + len(signed))))
        except LedgerError as e:
            if e.reason.retry:
                break
            refused.append((op, e))
    return signed, refused


def _ask_nonce(ledger: Ledger, floor: int | None) -> int:
    """The ledger's next nonce for us, but not one that a stored transaction already has."""
    return max(ledger.prepare(FILLER).nonce, 0 if floor is None else floor + 1)


def _send(sessions: Sessions, ledger: Ledger, signed: list[tuple[str, Prepared]]) -> None:
    """Send in order. A node that cannot be reached is no failure of the operation: it is pending and will be sent again."""
    if not signed:
        return
    try:
        answers = ledger.submit([p for _, p in signed])
    except LedgerError as e:
        log.warning("%d stored writes could not be sent now: %s", len(signed), e)
        return
    for (id, prepared), answer in zip(signed, answers, strict=True):
        if not isinstance(answer, Sent):
            _refused(sessions, ledger, id, prepared, answer)


def _refused(sessions: Sessions, ledger: Ledger, id: str, prepared: Prepared, error: LedgerError) -> None:
    """The node would not take it: take a fresh nonce, give up, or leave it for the next pass."""
    log.warning("operation %s was not taken: %s", id, error)
    values: dict[str, Any] = {"reason": error.reason.value, "detail": error.detail}
    if error.reason is Reason.NONCE and ledger.prepare(FILLER).nonce > prepared.nonce:
        values |= {"state": INITIALISED, "raw": None, "transaction": None, "nonce": None}
    elif error.reason is Reason.UNDERPRICED:
        values |= _repriced(sessions, ledger, id, prepared)
    elif error.reason in (Reason.REJECTED, Reason.TOO_LARGE, Reason.INVALID_ARGUMENT) and _fill(ledger, prepared):
        values |= {"state": FAILED}
    with sessions.begin() as session:
        writing(session)
        same = (Operation.id == id, Operation.state == PENDING, Operation.transaction == prepared.id)
        if (
            _changed(session, update(Operation).where(*same).values(updated=time.time(), **values))
            and values.get("state") == INITIALISED
        ):
            session.execute(update(Lane).where(Lane.account == prepared.account).values(next_nonce=None))


def _repriced(sessions: Sessions, ledger: Ledger, id: str, prepared: Prepared) -> dict[str, Any]:
    """Signed again for the node's fee, with the same nonce, so that only one of the two forms can ever count."""
    with sessions() as session:
        op = session.scalar(select(Operation).where(Operation.id == id))
    if op is None:
        return {}
    again = ledger.prepare(load_call(op.call), prepared.account, prepared.nonce)
    return {"raw": again.raw, "transaction": again.id}


def _fill(ledger: Ledger, prepared: Prepared) -> bool:
    """Use up the nonce of a write that will never be taken, or every later one of the account would wait for ever."""
    if ledger.info().endorses:
        return True
    try:
        ledger.submit(ledger.prepare(FILLER, prepared.account, prepared.nonce))
    except LedgerError as e:
        log.warning("nonce %d of %s stays open: %s", prepared.nonce, prepared.account, e)
        return False
    return True


def _apply(sessions: Sessions, waiting: Sequence[Operation], outcomes: Sequence[Outcome]) -> int:
    final = [(op, o) for op, o in zip(waiting, outcomes, strict=True) if o.status in ("committed", "failed")]
    if not final:
        return 0
    with sessions.begin() as session:
        writing(session)
        return sum(_settle(session, op, o) for op, o in final)


def _settle(session: Session, op: Operation, outcome: Outcome) -> bool:
    """Apply one outcome, if the row is still what it was when we asked."""
    where = {"height": outcome.height, "block": outcome.block.hex() if outcome.block else None}
    if outcome.status == "committed":
        return _change(session, op, state=SUCCEEDED, reason=None, restoring=False, **where)
    if endorsing.again(op, outcome.reason) or (op.restoring and op.attempts < RESTORE_ATTEMPTS):
        # Restoring: what it builds on may be another party's write that is not back yet.
        again = {"state": INITIALISED, "raw": None, "transaction": None, "nonce": None, "attempts": op.attempts + 1}
        _change(session, op, **again)
        return False
    if op.restoring:
        log.error("operation %s was on the ledger, was lost by it, and is refused now: %s", op.id, outcome.detail)
    return _change(session, op, state=FAILED, reason=(outcome.reason or Reason.REJECTED).value, detail=outcome.detail, **where)


def _prepared(op: Operation) -> Prepared:
    return Prepared(op.raw or b"", op.transaction or "", op.account, op.nonce or 0)


def _change(session: Session, op: Operation, **values: Any) -> bool:
    """Set columns if state and transaction are still those we saw."""
    seen = {"seen_seq": op.seq, "seen_state": op.state, "seen_transaction": op.transaction}
    values["updated"] = time.time()
    done = session.connection().execute(_change_of(tuple(values)), seen | {f"new_{name}": v for name, v in values.items()})
    return bool(done.rowcount)


@lru_cache
def _change_of(columns: tuple[str, ...]) -> Update:
    """The statement of :func:`_change`: built anew for each of hundreds of rows, it would cost ten times its execution."""
    same = (
        Operation.seq == bindparam("seen_seq"),
        Operation.state == bindparam("seen_state"),
        Operation.transaction.is_not_distinct_from(bindparam("seen_transaction")),
    )
    return update(Operation).where(*same).values({name: bindparam(f"new_{name}") for name in columns})


def _insert(session: Session, row: Base) -> None:
    """Add a row unless another worker added it a moment ago."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        log.debug("%s is already there", row)


def _changed(session: Session, statement: Any) -> int:
    """Rows an update changed."""
    done: Any = session.execute(statement.execution_options(synchronize_session=False))
    return int(done.rowcount)


def _remember(sessions: Sessions, ledger: Ledger) -> None:
    """Keep the newest final block as the one the ledger must still have next time; once a second is enough, since what matters is
    written with the operations themselves."""
    head = ledger.head()
    depth = ledger.info().finality
    final = ledger.block(max(0, head.height - depth)) if depth else head
    with sessions() as session:
        mark = session.get(Mark, 1)
    if final is None or (mark is not None and final.time <= mark.time):
        return
    with sessions.begin() as session:
        writing(session)
        if session.get(Mark, 1) is None:
            _insert(session, Mark(height=final.height, block=final.hash.hex(), time=final.time))
        newer = {"height": final.height, "block": final.hash.hex(), "time": final.time}
        session.execute(update(Mark).where(Mark.lost.is_(False), Mark.height < final.height).values(newer))


def _newest() -> Any:
    return (
        select(Operation.block)
        .where(Operation.state == SUCCEEDED)
        .order_by(Operation.height.desc(), Operation.seq.desc())
        .limit(1)
    )


def _relied_on(sessions: Sessions) -> tuple[Mark | None, str | None]:
    with sessions() as session:
        return session.get(Mark, 1), session.scalar(_newest())


def _restoring(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Operation).where(Operation.restoring)) or 0


def _known(ledger: Ledger, block: str) -> bool:
    return ledger.block(bytes.fromhex(block)) is not None


def _as_block(mark: Mark | None) -> Block | None:
    return None if mark is None else Block(mark.height, bytes.fromhex(mark.block), b"", mark.time)


def _note_loss(sessions: Sessions) -> None:
    with sessions.begin() as session:
        writing(session)
        if session.get(Mark, 1) is None:
            _insert(session, Mark(height=0, block="", time=0))
        session.execute(update(Mark).values(lost=True))


def _fresh_head(ledger: Ledger, mark: Mark | None) -> Block:
    """The head of the chain as it is now. A node that merely catches up has an old head: it raises ``behind`` and nothing is
    put on again."""
    ledger.expect(None)
    try:
        return ledger.head()
    except LedgerError:
        ledger.expect(_as_block(mark))
        raise


def _put_again(sessions: Sessions, ledger: Ledger) -> None:
    """Every succeeded operation whose block is gone is to be sent again. Doing this twice changes nothing more."""
    account, holder = ledger.info().account, secrets.token_hex(8)
    if _claim(sessions, account, holder) is None:
        return
    try:
        gone = _gone(sessions, ledger)
        taken = None if ledger.info().endorses else ledger.prepare(FILLER).nonce
        with sessions.begin() as session:
            writing(session)
            lost = (Operation.state == SUCCEEDED, Operation.block.in_(gone))
            again = _changed(session, update(Operation).where(*lost).values(restoring=True, attempts=0))
            sent = or_(Operation.state == PENDING, Operation.restoring & (Operation.state == SUCCEEDED))
            rows = list(session.scalars(select(Operation).where(sent, Operation.account == account).order_by(Operation.nonce)))
            if taken is None:
                endorsing.resend(rows)
            following = None if taken is None else _line_up(ledger, rows, taken)
            session.execute(update(Lane).where(Lane.account == account, Lane.holder == holder).values(next_nonce=following))
    finally:
        _release(sessions, account, holder)
    if again:
        log.error("the ledger lost %d blocks we relied on; %d operations are put on again", len(gone), again)


def _line_up(ledger: Ledger, rows: Iterable[Operation], taken: int) -> int:
    """Keep the signed bytes of operations the ledger has, and of those whose nonces follow on what it has (``taken`` nonces)
    without a gap. A gap is the nonce of a write that was refused and is not put on again: from there on all are signed
    afresh, since sending both forms of one could do it twice. Returns the account's next nonce."""
    following = taken
    for op in rows:
        follows = op.nonce == following
        following += follows
        if follows or ((op.nonce or 0) < taken and ledger.outcome(op.transaction or "").status != "unknown"):
            values: dict[str, Any] = {"state": PENDING}
        else:
            values = {"state": INITIALISED, "raw": None, "transaction": None, "nonce": None}
        if op.state == SUCCEEDED:
            values["detail"] = f"put on again; was {op.transaction} in block {op.height}"
        for name, value in {**values, "height": None, "block": None, "updated": time.time()}.items():
            setattr(op, name, value)
    return following


def _gone(sessions: Sessions, ledger: Ledger) -> list[str]:
    """Blocks of succeeded operations that the ledger no longer has. A known block vouches for all below it, so this stops at
    the first."""
    with sessions() as session:
        blocks = session.execute(
            select(Operation.block, Operation.height)
            .where(Operation.state == SUCCEEDED)
            .distinct()
            .order_by(Operation.height.desc())
        )
        gone: list[str] = []
        for block, _ in blocks:
            if block is None or _known(ledger, block):
                break
            gone.append(block)
        return gone


def _accept(sessions: Sessions, ledger: Ledger, head: Block, confirm: Callable[[], bool] | None) -> bool:
    """Rely on the chain as it is now, unless something is still missing."""
    with sessions() as session:
        if _restoring(session):
            return False
    if confirm is not None and not confirm():
        return False
    with sessions.begin() as session:
        writing(session)
        if _restoring(session):
            return False
        session.execute(update(Mark).values(height=head.height, block=head.hash.hex(), time=head.time, lost=False))
    ledger.expect(head)
    return True
