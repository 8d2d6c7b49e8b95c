"""An organisation says on the ledger what its mirror holds: signed with its SM2 key, put on through its own outbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import sessionmaker

from core.hexes import to_hex
from gateway.ledger import outbox
from gateway.ledger.db import open_engine
from gateway.ledger.port import Call, Ledger
from gateway.settings import Settings
from healthtrust import founding
from healthtrust.custody import custody, put
from healthtrust.founding import Party
from mirror.agreement import agreement, evidence_calls
from mirror.database import Database
from mirror.live import Live

#: So many blocks below the mirror's head unless a height is named: what may still be replaced is not spoken of.
SETTLED_BLOCKS = 2


@dataclass(frozen=True)
class Attested:
    """What was said. ``new``: it was not on the ledger in these words before."""

    organisation: str
    height: int
    digest: str
    new: bool


def attest(settings: Settings, code: str, height: int | None = None) -> Attested:
    """Sign what this mirror holds at ``height`` and wait until the ledger has it. ``code``: a custodian of the settings, or the
    registrar's. Said once already in the same words: nothing is written.

    Raises KeyError for an unknown code, Malformed for a block the mirror does not hold, LedgerError.
    """
    with closing(Database(settings.mirror_database())) as database, writer(settings, code) as (party, sessions, ledger):
        database.prepare()
        live = Live(database)
        if height is None:
            height = max(0, agreement(live, 0).height - SETTLED_BLOCKS)
        calls = evidence_calls(live, party.id, party.sign, height)
        digest = to_hex(calls[-1].args["digest"])
        if _said(live, to_hex(party.id), height, digest):
            return Attested(party.code, height, digest, new=False)
        put(sessions, ledger, "evidence.record", *((_key(call), call) for call in calls))
    return Attested(party.code, height, digest, new=True)


def _said(live: Live, organisation: str, height: int, digest: str) -> bool:
    return any(
        (s.organisation, s.digest, s.signed) == (organisation, digest, True)
        for at in agreement(live, heights=200).heights
        if at.height == height
        for s in at.said
    )


def _key(call: Call) -> str:
    """A signature is new each time, so the words themselves are part of the key."""
    return f"mirror/{call.args['kind'].hex()}/{call.args['digest'].hex()}"


@contextmanager
def writer(settings: Settings, code: str) -> Iterator[tuple[Party, outbox.Sessions, Ledger]]:
    """The party, its outbox and its ledger. The office writes through the gateway's outbox, whose account is the office's."""
    office = founding.registrar(settings)
    if code != office.code:
        with custody(settings, code) as own:
            yield own.party, own.sessions, own.ledger
        return
    engine = open_engine(settings.gateway_database())
    try:
        with founding.ledger_of(settings, founding.relayer(settings)) as ledger:
            yield office, sessionmaker(engine, expire_on_commit=False), ledger
    finally:
        engine.dispose()
