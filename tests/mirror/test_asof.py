"""Who could read at a moment: the lines, what they rest on, and that no other consent was there."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from core import artefact, crypto
from core.artefact import ConsentArtefact
from core.entry import IndexEntry
from core.errors import Malformed
from core.messages import ConsentRevoke, parse
from core.scope import Grantee, Scope
from core.words import word
from mirror.asof import AsOf, as_of
from mirror.live import Live
from mirror.loop import Follower
from tests.mirror.alliance import Organisation
from tests.mirror.scripted import Raw, ScriptedLedger, Story
from tests.mirror.support import follower, mine

START = 1_700_000_000
SUBJECT, DOCTOR, SCHEMA, DOMAIN = (crypto.sm3(name) for name in (b"subject", b"doctor", b"schema", b"domain"))
PAIR = crypto.sm2_generate()
HOSPITAL, CLINIC = Organisation.number(0), Organisation.number(1)
ENTRY = IndexEntry(HOSPITAL.id, crypto.sm3(b"record"), SUBJECT, crypto.sm3(b"commitment"), SCHEMA, category=2)


DISMISSED: Raw = ("Identity", "CredentialRevoked", {"practitioner": DOCTOR, "organisation": HOSPITAL.id})


def suspended(who: Organisation) -> Raw:
    return ("Alliance", "OrganisationSuspended", {"organisation": who.id})


@dataclass
class Grants:
    """A ledger on which one person grants and revokes among many others."""

    ledger: ScriptedLedger = field(default_factory=lambda: ScriptedLedger(6))
    nonce: int = 0

    def __post_init__(self) -> None:
        ledger = self.ledger
        mine(ledger, Story(ledger, random.Random(6)), 12)
        ledger.extend([*HOSPITAL.joins(), *CLINIC.joins()])
        schema = {"schemaId": SCHEMA, "organisation": HOSPITAL.id, "elements": 7, "supersedes": bytes(32)}
        ledger.extend([("Schema", "SchemaRegistered", schema), self._credential(HOSPITAL.id)])

    def _credential(self, organisation: bytes) -> Raw:
        key = {"x": bytes(32), "y": bytes(32), "roles": 0b110, "notBefore": 0, "notAfter": START + 10**6}
        return ("Identity", "CredentialIssued", {"practitioner": DOCTOR, "organisation": organisation, **key})

    def grants(self, grantee: Grantee, end: int = START + 10**5, old: ConsentArtefact | None = None) -> ConsentArtefact:
        scope = Scope(SUBJECT, grantee, frozenset({0, 3}), START, end, categories=frozenset({2}), fields={SCHEMA: 0b101})
        made = artefact.build(scope, PAIR.private, DOMAIN, self.nonce, old=old.consent if old else None)
        self.nonce += 1
        message = parse(made.message)
        packed = int.from_bytes(message.terms.pack(), "big")  # type: ignore[union-attr]
        args = {"consent": made.consent, "subject": SUBJECT, "commitment": scope.commitment(made.salt), "packed": packed}
        args["messageHash"] = crypto.sm3(made.message)
        name = ("ConsentAmended", {**args, "old": old.consent}) if old else ("ConsentGranted", args)
        self.ledger.extend([("Consent", *name)])
        return made

    def revokes(self, made: ConsentArtefact) -> None:
        message = ConsentRevoke(DOMAIN, SUBJECT, made.consent, self.nonce)
        args = {"consent": made.consent, "subject": SUBJECT, "packed": self.nonce, "messageHash": crypto.sm3(message.pack())}
        self.ledger.extend([("Consent", "ConsentRevoked", args)])
        self.nonce += 1

    @property
    def height(self) -> int:
        return len(self.ledger.chain) - 1


@pytest.fixture
def told() -> Grants:
    return Grants()


@pytest.fixture
def mirror(told: Grants, database_url: str) -> Follower:
    return follower(told.ledger, database_url)


def asked(mirror: Follower, height: int | None = None, *shown: ConsentArtefact, entry: IndexEntry | None = ENTRY) -> AsOf:
    mirror.catch_up()
    found = as_of(Live(mirror.database), SUBJECT, height, None, entry, shown)
    found.section.check(found.root, found.section.size)
    return found


def test_absent_granted_amended_revoked(told: Grants, mirror: Follower) -> None:
    before = told.height
    first = told.grants(Grantee("practitioner", DOCTOR))
    granted = told.height
    second = told.grants(Grantee("practitioner", DOCTOR), old=first)
    amended = told.height
    told.revokes(second)
    mine(told.ledger, Story(told.ledger, random.Random(1)), 3)

    nothing = asked(mirror, before)
    assert (nothing.lines, nothing.ended) == ([], [])
    assert nothing.section.before is not None or nothing.section.after is not None

    one = asked(mirror, granted, first)
    line = one.lines[0]
    assert (line.consent, line.state, line.granted.event, line.granted.height) == (
        "0x" + first.consent.hex(), "in force", "ConsentGranted", granted
    )  # fmt: skip
    assert line.granted.message_hash == "0x" + crypto.sm3(first.message).hex()
    assert line.granted.transaction in {e.transaction for e in told.ledger.history() if e.height == granted}
    assert line.opened is not None
    assert [(d.purpose, d.outcome, d.reason, int(d.fields, 16)) for d in line.opened.decided] == [
        ("TREAT", "permit", "ok", 0b101), (line.opened.decided[1].purpose, "permit", "ok", 0b101)
    ]  # fmt: skip

    other = asked(mirror, amended)
    assert [(x.consent, x.opened) for x in other.lines] == [("0x" + second.consent.hex(), None)]
    assert [(e.status, e.successor, e.ended.event) for e in other.ended] == [
        ("amended", "0x" + second.consent.hex(), "ConsentAmended")
    ]
    last = asked(mirror)
    assert last.lines == []
    assert [(e.status, e.ended.event) for e in last.ended] == [("amended", "ConsentAmended"), ("revoked", "ConsentRevoked")]


def test_the_period_is_judged_at_the_time_asked_for(told: Grants, mirror: Follower) -> None:
    made = told.grants(Grantee("practitioner", DOCTOR), end=START + 50)
    mirror.catch_up()
    for time, state, reason in ((START + 49, "in force", "ok"), (START + 50, "expired", "expired")):
        found = as_of(Live(mirror.database), SUBJECT, None, time, ENTRY, [made])
        opened = found.lines[0].opened
        assert opened is not None
        assert (found.lines[0].state, opened.decided[0].reason, found.time) == (state, reason, time)


@pytest.mark.parametrize(
    ("grantee", "event", "reason"),
    [
        (Grantee("practitioner", DOCTOR), None, "ok"),
        (Grantee("organisation", HOSPITAL.id), None, "ok"),
        (Grantee.role(1), None, "ok"),
        (Grantee.role(1, HOSPITAL.id), None, "ok"),
        (Grantee("practitioner", crypto.sm3(b"nobody")), None, "request_malformed"),
        (Grantee("practitioner", DOCTOR, CLINIC.id), None, "credential_invalid"),
        (Grantee("practitioner", DOCTOR), DISMISSED, "credential_invalid"),
        (Grantee("organisation", HOSPITAL.id), suspended(HOSPITAL), "custodian_inactive"),
        (Grantee("organisation", CLINIC.id), suspended(CLINIC), "organisation_inactive"),
    ],
)
def test_the_decision_of_then(grantee: Grantee, event: Raw | None, reason: str, told: Grants, mirror: Follower) -> None:
    made = told.grants(grantee)
    at = told.height
    if event is not None:
        told.ledger.extend([event])
        opened = asked(mirror, at, made).lines[0].opened
        assert opened is not None
        assert opened.decided[0].reason == "ok", "the ledger of before the event says yes"
    opened = asked(mirror, None, made).lines[0].opened
    assert opened is not None
    assert opened.decided[0].reason == reason


def test_what_the_consent_does_not_name_is_not_readable(told: Grants, mirror: Follower) -> None:
    made = told.grants(Grantee("practitioner", DOCTOR))
    opened = asked(mirror, None, made, entry=replace(ENTRY, category=3)).lines[0].opened
    assert opened is not None
    assert {d.reason for d in opened.decided} == {"category_not_granted"}
    alone = asked(mirror, None, made, entry=None).lines[0].opened
    assert alone is not None
    assert alone.decided == []
    assert alone.scope["grantee"]["id"] == "0x" + DOCTOR.hex()


def test_an_artefact_of_something_else_is_refused(told: Grants, mirror: Follower) -> None:
    made = told.grants(Grantee("practitioner", DOCTOR))
    stranger = artefact.build(replace(made.scope, subject=word(7)), PAIR.private, DOMAIN, 0)
    with pytest.raises(Malformed, match="artefact_other"):
        asked(mirror, None, stranger)
    told.revokes(made)
    with pytest.raises(Malformed, match="artefact_other"):
        asked(mirror, None, made)


def test_somebody_nobody_knows_is_proved_absent(told: Grants, mirror: Follower) -> None:
    told.grants(Grantee("practitioner", DOCTOR))
    mirror.catch_up()
    found = as_of(Live(mirror.database), crypto.sm3(b"nobody"))
    found.section.check(found.root, found.section.size)
    assert found.lines == []
    assert found.section.size > 1
    assert found.json()["section"]["leaves"] == []
