"""Founding the alliance on one machine: contracts, member organisations, relayer account, document types.

Every step looks first at what the ledger already holds, so that it can be run at every start and after a crash in the middle.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contracts.script.deploy import Member, Precompiles, deploy
from core import crypto
from core.ids import organisation_id
from gateway.client import Key
from gateway.keyring import Keyring, load_or_create
from gateway.ledger.actions import invite, vote
from gateway.ledger.factory import open_ledger
from gateway.ledger.membership import set_account, signed
from gateway.ledger.port import Call, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import Settings
from offchain import standards

CUSTODIAN, READER, REGISTRAR, AUDITOR, OPERATOR = (1 << bit for bit in range(5))
"""Role bits of a member organisation (docs/ledger.md)."""
ACTIVE, INVITED = 1, 4
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Party:
    """An organisation with its keys. Holds secrets: ``repr`` shows the name only (see Keyring)."""

    code: str
    name: str
    roles: int
    ring: Keyring

    @property
    def id(self) -> bytes:
        """Organisation id (32 bytes)."""
        return organisation_id(self.code)

    @property
    def public_key(self) -> bytes:
        """SM2 public key, x‖y."""
        return crypto.sm2_public(bytes.fromhex(self.ring.sm2))

    def sign(self, message: bytes) -> bytes:
        """r‖s of the message by its SM2 key."""
        return crypto.sm2_sign(bytes.fromhex(self.ring.sm2), message)

    def says(self, ledger: Ledger, call: Call) -> Call:
        """A proposal or vote of ``gateway.ledger.actions``, signed."""
        return signed(ledger, self.id, bytes.fromhex(self.ring.sm2), call)

    @property
    def machine(self) -> Key:
        """Its own signing key, for its machines."""
        return Key.of("organisation", self.id, bytes.fromhex(self.ring.sm2))

    @property
    def ledger_key(self) -> bytes:
        """Private key of its ledger account (32 bytes)."""
        return bytes.fromhex(self.ring.evm)


def registrar(settings: Settings) -> Party:
    """The identity office: first member, registrar, auditor, operator."""
    ring = load_or_create(settings.path("registrar", "keys.json"), "registrar")
    return Party(settings.office.code, settings.office.name, REGISTRAR | AUDITOR | OPERATOR | READER, ring)


def custodian(settings: Settings, code: str) -> Party:
    """A hospital or the district platform."""
    gate = settings.gate(code)
    ring = load_or_create(settings.path("custodians", code, "keys.json"), code)
    return Party(code, gate.name, CUSTODIAN | READER, ring)


def relayer(settings: Settings) -> Party:
    """The gateway: a ledger account of the identity office, and no member of its own."""
    return Party("", "", 0, load_or_create(settings.path("gateway", "keys.json"), "gateway"))


def found_office(settings: Settings) -> Party:
    """Make sure that contracts, the identity office as first member, the gateway's account and the document types are on the
    ledger. Raises LedgerError, DeployError."""
    first = registrar(settings)
    (_found_on_fabric if settings.ledger.kind == "fabric" else _deploy)(settings, first)
    with ledger_of(settings, first) as ledger:
        _allow_relayer(settings, ledger, first)
        _register_schemas(ledger)
    return first


def found_alliance(settings: Settings) -> None:
    """The office, and every custodian of these settings as a member: an alliance on one machine. Raises as found_office."""
    members = [found_office(settings)]
    for gate in settings.gates:
        newcomer = custodian(settings, gate.code)
        _admit(settings, members, newcomer)
        members.append(newcomer)


def _deploy(settings: Settings, first: Party) -> None:
    x, y = first.public_key[:32], first.public_key[32:]
    member = Member(first.id, first.code, x, y, first.roles, first.sign, first.name)
    chosen = settings.ledger
    precompiles = Precompiles(chosen.sm2_precompile, chosen.sm3_precompile)
    deploy(chosen.url, first.ledger_key, settings.alliance, member, settings.home / "contracts.json", precompiles)


def _found_on_fabric(settings: Settings, first: Party) -> None:
    from gateway.ledger.fabric.found import Founder
    from healthtrust.fabric import found_on_fabric

    members = {first.code: [first.ledger_key, relayer(settings).ledger_key]}
    members |= {gate.code: [custodian(settings, gate.code).ledger_key] for gate in settings.gates}
    found_on_fabric(settings, Founder(first.id, first.code, first.public_key, first.roles, first.name), members)


@contextmanager
def ledger_of(settings: Settings, party: Party) -> Iterator[Ledger]:
    """The ledger, from this party's account."""
    ledger = open_ledger(settings, party.ledger_key)
    try:
        yield ledger
    finally:
        ledger.close()


def write(ledger: Ledger, *calls: Call) -> None:
    """Write and wait until all are on the ledger. For founding only: all else goes through an outbox. Raises LedgerError."""
    waiting = [ledger.submit(ledger.prepare(call)).id for call in calls]
    deadline = time.monotonic() + WAIT_SECONDS
    while waiting:
        outcomes = ledger.outcome(waiting)
        for outcome in outcomes:
            if outcome.status == "failed":
                raise LedgerError(outcome.reason or Reason.INTERNAL, "commit", outcome.id, outcome.detail)
        waiting = [outcome.id for outcome in outcomes if outcome.status != "committed"]
        if waiting and time.monotonic() > deadline:
            raise LedgerError(Reason.TIMEOUT, "commit", waiting[0])
        time.sleep(0.1)


def _status(ledger: Ledger, organisation: bytes) -> int:
    return int(ledger.read(Call("Alliance", "statusOf", {"id": organisation})))


def _admit(settings: Settings, members: list[Party], newcomer: Party) -> None:
    with ledger_of(settings, newcomer) as own:
        status = _status(own, newcomer.id)
        if status == ACTIVE:
            return
        if status != INVITED:
            _vote_in(settings, members, newcomer, own.info().account)
        write(own, Call("Alliance", "join", {"organisation": newcomer.id}))


def _vote_in(settings: Settings, members: list[Party], newcomer: Party, account: str) -> None:
    proposer, *others = members
    call = invite(newcomer.id, crypto.sm3(newcomer.name.encode()), newcomer.roles, newcomer.public_key, account)
    with ledger_of(settings, proposer) as ledger:
        call = proposer.says(ledger, call)
        number = ledger.read(call)
        write(ledger, call)
        for other in others:
            if _status(ledger, newcomer.id) == INVITED:
                return
            with ledger_of(settings, other) as voter:
                write(voter, other.says(voter, vote(number)))


def _allow_relayer(settings: Settings, ledger: Ledger, owner: Party) -> None:
    with ledger_of(settings, relayer(settings)) as own:
        account = own.info().account
    if ledger.read(Call("Alliance", "organisationOf", {"account": account})) != owner.id:
        write(ledger, set_account(ledger, owner.id, bytes.fromhex(owner.ring.sm2), account, True))


def _register_schemas(ledger: Ledger) -> None:
    types = list(standards.document_types().values())
    known = ledger.read_many([Call("Schema", "schemaOf", {"schemaId": t.id}) for t in types])
    missing = [t for t, found in zip(types, known, strict=True) if found["elements"] == 0]
    write(ledger, *(_registration(t) for t in missing))


def _registration(kind: standards.DocumentType) -> Call:
    return Call("Schema", "register", {"schemaId": kind.id, "elements": kind.element_count, "supersedes": bytes(32)})
