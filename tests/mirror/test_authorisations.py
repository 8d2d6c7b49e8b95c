"""What is authorised, from the mirror's tables: equal to what the events say, at every height."""

from __future__ import annotations

import random

import pytest

from core.authorisations import Authorisations, IndexHead, LiveConsent, authorisations
from core.errors import Malformed
from mirror.authorisations import standing
from mirror.database import Database
from mirror.models import NUMBER_MAX
from tests.mirror.scripted import ScriptedLedger, Story
from tests.mirror.support import follower, mine

U64 = 2**64 - 1


def told_by_events(ledger: ScriptedLedger, height: int) -> Authorisations:
    """The set, kept beside the mirror in the plainest way."""
    live: dict[bytes, LiveConsent] = {}
    heads: dict[bytes, IndexHead] = {}
    uses: dict[bytes, int] = {}
    for e in (e for e in ledger.history() if e.height <= height):
        a = e.args
        if e.name in ("ConsentGranted", "ConsentAmended"):
            live.pop(a.get("old", b""), None)
            p = a["packed"]
            times = [min(t, NUMBER_MAX) for t in (p >> 192, p >> 128 & U64)]
            live[a["consent"]] = LiveConsent(a["consent"], a["subject"], a["commitment"], *times, p >> 96 & 0xFFFFFFFF, 0)
        elif e.name == "ConsentRevoked":
            live.pop(a["consent"], None)
        elif e.name == "ConsentSpent":
            uses[a["consent"]] = max(uses.get(a["consent"], 0), a["uses"])
        elif e.name == "BatchAnchored":
            entries = min(a["firstSequence"], NUMBER_MAX) + a["count"]
            heads[a["organisation"]] = IndexHead(a["organisation"], a["batch"] + 1, entries, a["root"])
    counted = [
        LiveConsent(c.consent, c.subject, c.commitment, c.not_before, c.not_after, c.use_limit, uses.get(c.consent, 0))
        for c in live.values()
    ]
    return authorisations(counted, heads.values())


def test_every_height_gives_what_the_events_say(database_url: str) -> None:
    ledger = ScriptedLedger(7)
    live = follower(ledger, database_url)
    mine(ledger, Story(ledger, random.Random(7)), 60)
    live.catch_up()
    seen = set()
    for height in range(0, 61, 5):
        found = standing(live.database, height)
        assert found.authorised == told_by_events(ledger, height)
        seen.add(found.authorised.digest)
    assert len(seen) > 5
    assert standing(live.database) == standing(live.database, 60)
    assert found.authorised.consents > 0
    assert found.authorised.indexes > 0


def test_an_unknown_block_is_refused(database_url: str) -> None:
    ledger = ScriptedLedger(1)
    live = follower(ledger, database_url)
    live.catch_up()
    with pytest.raises(Malformed, match="block_unknown"):
        standing(live.database, 5)


def test_an_empty_mirror_says_so(database_url: str) -> None:
    database = Database(database_url)
    database.prepare()
    with pytest.raises(Malformed, match="block_unknown"):
        standing(database)
    database.close()
