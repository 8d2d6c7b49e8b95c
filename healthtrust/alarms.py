"""`healthtrust alarms`: what an administrator has to look at on this host, one line each; docs/operations.md says what to do.

Nothing here changes anything, and nothing needs the processes to run: it reads databases, files, and our own node.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from sqlalchemy import exists, func, select

from gateway.ledger import outbox
from gateway.ledger.reasons import LedgerError
from gateway.settings import Settings
from healthtrust.backup import databases, inventory
from healthtrust.backup.behind import behind, number
from healthtrust.collection import custodians
from healthtrust.collection import status as deliveries
from mirror.status import status as mirror_status
from offchain.receipts import BatchRow, DeliveryRow, ReceiptRow

LAG_SECONDS = 60
STUCK_SECONDS = 300
EXPIRY_DAYS = 30
_WELL = ("following", "catching up")


@dataclass(frozen=True)
class Alarm:
    """``kind``: the section of docs/operations.md; ``text``: what was found, with names and numbers, never personal data."""

    kind: str
    text: str


def alarms(settings: Settings) -> list[Alarm]:
    """Everything that needs somebody; empty when all is well."""
    return [
        *_mirror(settings),
        *_writes(settings),
        *_receipts(settings),
        *_missing(settings),
        *_late(settings),
        *_expiring(settings),
    ]


def _mirror(settings: Settings) -> Iterator[Alarm]:
    found = mirror_status(settings)
    if found.state not in _WELL:
        yield Alarm("mirror", f"the mirror is {found.state} at block {found.height} {found.detail}".rstrip())
    elif found.lag_seconds is None or found.lag_seconds > LAG_SECONDS:
        yield Alarm("mirror", f"the mirror is {found.lag_blocks} blocks behind the node ({found.lag_seconds} s)")


def _writes(settings: Settings) -> Iterator[Alarm]:
    waiting = outbox.Operation.state.in_((outbox.INITIALISED, outbox.PENDING))
    old = select(func.count()).where(waiting, outbox.Operation.created < time.time() - STUCK_SECONDS)
    for name, url in _there(settings):
        if stuck := number(url, outbox.Operation, old):
            yield Alarm("writes", f"{stuck} writes of {name} have waited for the ledger for more than {STUCK_SECONDS} s")


def _receipts(settings: Settings) -> Iterator[Alarm]:
    undelivered = select(func.count()).where(~exists().where(DeliveryRow.number == ReceiptRow.number))
    within = BatchRow.first <= ReceiptRow.number, BatchRow.first + BatchRow.size > ReceiptRow.number
    batched = exists().where(*within, BatchRow.batch.is_not(None))
    for name, url in _there(settings):
        if count := number(url, ReceiptRow, undelivered.select_from(ReceiptRow)):
            yield Alarm("undelivered", f"{count} receipts of {name} have no answer that is known to have left")
        if count := number(url, ReceiptRow, select(func.count()).select_from(ReceiptRow).where(~batched)):
            yield Alarm("unanchored", f"{count} receipts of {name} are not on the ledger yet")


def _missing(settings: Settings) -> Iterator[Alarm]:
    try:
        found = behind(settings)
    except LedgerError as error:
        yield Alarm("node", f"our node does not answer: {error}")
        return
    yield from (Alarm("gaps", str(one)) for one in found if not one.whole)


def _late(settings: Settings) -> Iterator[Alarm]:
    for code in custodians(settings):
        if not deliveries(settings, code)["ok"]:
            yield Alarm("deliveries", f"{code}: a source's delivery is missing or was refused; see `healthtrust import status`")


def _expiring(settings: Settings) -> Iterator[Alarm]:
    """Certificates of a Fabric network's clients and nodes. EVM validators have keys without an end."""
    limit = dt.datetime.now(dt.UTC) + dt.timedelta(days=EXPIRY_DAYS)
    files = (path for folder in ("fabric", "network") for path in (settings.home / folder).rglob("*"))
    for path in sorted(path for path in files if path.suffix in (".crt", ".pem")):
        for end in _ends(path):
            if end < limit:
                yield Alarm("certificates", f"{path.relative_to(settings.home)} ends on {end:%Y-%m-%d}")


def _ends(path: Path) -> list[dt.datetime]:
    content = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in content:
        return []
    return [certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(content)]


def _there(settings: Settings) -> Iterator[tuple[str, str]]:
    """Databases that exist, each URL once."""
    seen: set[str] = set()
    for name, url in inventory.databases(settings).items():
        if url not in seen and databases.is_there(url):
            seen.add(url)
            yield name, url
