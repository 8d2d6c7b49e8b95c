"""T+1: what lies in a custodian's inbox is imported, anchored and told; whose delivery did not come is an alarm.

An import needs neither node nor gateway: what cannot be anchored or handed on now goes with the next look.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.errors import ForPeople, place_of
from core.hexes import to_hex
from gateway.client import GatewayClient
from gateway.settings import Settings
from healthtrust.custody import Holdings, custody, holdings, importing
from offchain.anchor import ANCHORED
from offchain.claim import AlreadyClaimed
from offchain.intake.deliveries import REFUSED, Inbox
from offchain.models import AnchorBatch, Delivery, ImportRun, Quarantine

log = structlog.get_logger("import")

SHOWN = 20
"""Deliveries and refused lines that a status names; it counts all."""


def custodians(settings: Settings) -> list[str]:
    """Codes of the custodians that have an inbox."""
    return [gate.code for gate in settings.gates if gate.inbox]


def collect(settings: Settings, code: str) -> list[Delivery]:
    """Take in what waits in a custodian's inbox, then anchor what is new and hand it to the central index.

    Raises AlreadyClaimed while another import runs, OSError, StoreFull and database errors: all of it goes on at the next call.
    """
    taken = []
    with holdings(settings, code) as own, importing(settings, own) as load:
        inbox = inbox_of(settings, own)
        for delivery in inbox.take(load):
            taken.append(delivery)
            _tell(code, delivery)
        inbox.forget(settings.collection.keep_days)
    _hand_on(settings, code)
    return taken


def look(settings: Settings, told: set[tuple[str, str, str]]) -> None:
    """One look at every inbox, as the schedule asks for. Never raises: what went wrong is logged, and tried again next time.

    ``told``: which source's missing delivery was told for which deadline; added to, so that an alarm comes once.
    """
    for code in custodians(settings):
        for step in (partial(collect, settings, code), partial(_alarm, settings, code, told)):
            try:
                step()
            except AlreadyClaimed:
                log.info("import_under_way", custodian=code)
            except Exception as error:  # a fault at one custodian must not keep the others' records out
                # Not the trace: it carries rows.
                log.error("collection_failed", custodian=code, error=type(error).__name__, at=place_of(error))  # noqa: TRY400


def status(settings: Settings, code: str, now: datetime | None = None) -> dict[str, Any]:
    """What came, what became of it, what is missing: plain data, names of files and counts, nothing of a record.

    ``ok``: every source delivered by its hour and its newest delivery was taken.
    """
    deadline = _deadline(settings.collection.due, now or datetime.now().astimezone())
    with holdings(settings, code) as own, own.records.sessions() as session:
        inbox = inbox_of(settings, own)
        newest = select(Delivery).order_by(Delivery.id.desc())
        sources: list[dict[str, Any]] = [
            {
                "source": source,
                "waiting": [path.name for path in inbox.waiting(source)],
                "overdue": _overdue(last := session.scalar(newest.where(Delivery.source == source).limit(1)), deadline),
                "last": None if last is None else _delivery(session, last),
            }
            for source in inbox.sources()
        ]
        deliveries = [_delivery(session, row) for row in session.scalars(newest.limit(SHOWN))]
    bad = any(s["overdue"] or (s["last"] and s["last"]["status"] == REFUSED) for s in sources)
    return {"custodian": code, "inbox": str(inbox.folder), "ok": not bad, "sources": sources, "deliveries": deliveries}


def text(found: dict[str, Any]) -> str:
    """A status for people."""
    lines = [f"{found['custodian']}: {found['inbox']}"]
    for source in found["sources"]:
        late = "✗ 逾期未到 overdue" if source["overdue"] else "✓"
        waiting = f", {len(source['waiting'])} waiting" if source["waiting"] else ""
        lines.append(f"{late} {source['source']}{waiting}")
    return "\n".join([*lines, *(line for delivery in found["deliveries"] for line in _said(delivery))])


def inbox_of(settings: Settings, own: Holdings) -> Inbox:
    """A custodian's inbox; its folder is made when missing. Raises ForPeople where none is set."""
    folder = settings.gate(own.party.code).inbox
    if not folder:
        raise ForPeople(f"{own.party.code} has no inbox: set `inbox` of its entry in gates (docs/settings.md)")
    path = Path(folder).expanduser()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Inbox(path, own.records.sessions, settle_seconds=settings.collection.settle_seconds)


def _hand_on(settings: Settings, code: str) -> None:
    try:
        with custody(settings, code) as own, GatewayClient(settings.gateway.public_url) as gateway:
            own.anchor()
            own.publish(gateway.sign_as(own.party.machine))
    except (ForPeople, OSError, httpx.HTTPError) as error:
        log.warning("handing_on_waits", custodian=code, error=type(error).__name__)


def _tell(code: str, delivery: Delivery) -> None:
    """One line a delivery; one that was not taken is an alarm."""
    seconds = (delivery.ended or int(time.time())) - delivery.started
    write = log.error if delivery.status == REFUSED else log.info
    write(
        f"delivery_{delivery.status}",
        custodian=code,
        source=delivery.source,
        delivery=delivery.name,
        digest=to_hex(delivery.digest),
        seconds=seconds,
        reason=delivery.reason,
    )


def _alarm(settings: Settings, code: str, told: set[tuple[str, str, str]]) -> None:
    found = status(settings, code)
    due = str(_deadline(settings.collection.due, datetime.now().astimezone()))
    for source in (s["source"] for s in found["sources"] if s["overdue"]):
        if (code, source, due) not in told:
            told.add((code, source, due))
            log.error("delivery_missing", custodian=code, source=source, due=due)


def _deadline(due: str, now: datetime) -> datetime | None:
    """The newest moment by which a delivery had to be there; None without one."""
    if not due:
        return None
    hour, minute = map(int, due.split(":"))
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


def _overdue(last: Delivery | None, deadline: datetime | None) -> bool:
    """Whether nothing came in the day before the deadline, nor since."""
    if deadline is None:
        return False
    return last is None or last.started < (deadline - timedelta(days=1)).timestamp()


def _delivery(session: Session, row: Delivery) -> dict[str, Any]:
    report = None if row.run is None else session.scalar(select(ImportRun.report).where(ImportRun.id == row.run))
    mine = (Quarantine.last_run == row.run,)
    held = session.scalars(select(Quarantine).where(*mine).order_by(Quarantine.file, Quarantine.line).limit(SHOWN)).all()
    return {
        "source": row.source,
        "name": row.name,
        "status": row.status,
        "reason": row.reason,
        "digest": to_hex(row.digest),
        "files": row.files,
        "bytes": row.size,
        "started": row.started,
        "ended": row.ended,
        "report": None if report is None else orjson.loads(report),
        "refusedLines": session.scalar(select(func.count()).select_from(Quarantine).where(*mine)) or 0,
        "refused": [{"file": q.file, "line": q.line, "rule": q.rule, "detail": q.detail} for q in held],
        "anchored": _anchored(session, row),
    }


def _anchored(session: Session, row: Delivery) -> bool | None:
    """Whether the ledger holds every entry up to the delivery's last; None where nothing was taken."""
    if row.through is None:
        return None
    end = func.max(AnchorBatch.first_sequence + AnchorBatch.count)
    open_before = select(func.min(AnchorBatch.first_sequence)).where(AnchorBatch.status != ANCHORED)
    reached, gap = session.scalar(select(end)) or 0, session.scalar(open_before)
    return row.through <= (reached if gap is None else gap)


def _said(delivery: dict[str, Any]) -> Iterable[str]:
    report = delivery["report"] or {}
    counts = {what: sum(c.get(what, 0) for c in report.get("types", {}).values()) for what in ("new", "changed", "unchanged")}
    told = ", ".join(f"{n} {what}" for what, n in counts.items()) if report else delivery["reason"] or ""
    when = datetime.fromtimestamp(delivery["started"]).astimezone().isoformat(" ", "minutes")
    anchored = {True: ", anchored", False: ", not anchored yet", None: ""}[delivery["anchored"]]
    yield f"  {when}  {delivery['source']}/{delivery['name']}: {delivery['status']}, {told}{anchored}"
    for line in delivery["refused"]:
        yield f"      {line['file']}:{line['line']} {line['rule']} {line['detail']}"
    if delivery["refusedLines"] > len(delivery["refused"]):
        yield f"      … {delivery['refusedLines']} lines in all"
