"""A small alliance on any ledger: organisations, residents, practitioners, consents, all through the ledger port.

world = build_world(chain)                     # chain: evm or memory, see tests/conftest.py
resident = world.resident()
doctor = world.practitioner(world.hospital)
consent = world.grant(resident, world.scope(resident, doctor, categories={"laboratory"}))
world.hospital.ledger.read(Call("Consent", "consentOf", {"consent": consent.consent}))
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from core import artefact, crypto, ids, vocabulary
from core.artefact import ConsentArtefact
from core.crypto import KeyPair
from core.messages import ConsentRevoke, CredentialIssue, CredentialRevoke, KeyAttest, KeyBind
from core.scope import Grantee, Scope
from gateway.ledger import actions, membership
from gateway.ledger.port import Call, Ledger, Outcome
from gateway.ledger.reasons import LedgerError, Reason
from tests.support.waiting import until

CUSTODIAN, READER, REGISTRAR, AUDITOR, OPERATOR = 1, 2, 4, 8, 16
DAY = 86_400


class Chain(Protocol):
    """A ledger on which alliances can be founded."""

    kind: str

    def found(self, name: str, member: Organisation) -> Founded:
        """Deploy a fresh alliance whose first member this is."""

    def open(self, key: bytes | None) -> Ledger:
        """Open the alliance founded last, from this account. On a chain that tests share this may be another test's: a world
        opens its own (:meth:`World.open`)."""


@dataclass(frozen=True)
class Founded:
    """One alliance of a chain that may hold several: opened from an account, and where its deployment is written down."""

    open: Callable[[bytes | None], Ledger]
    contracts_file: Path | None = None


@dataclass
class Organisation:
    """A member: ids, keys, and its own open ledger."""

    code: str
    roles: int
    sm2: KeyPair = field(default_factory=crypto.sm2_generate)
    key: bytes = field(default_factory=lambda: b"\0" + secrets.token_bytes(31))
    ledger: Ledger = field(init=False)

    @property
    def id(self) -> bytes:
        return ids.organisation_id(self.code)

    @property
    def account(self) -> str:
        return self.ledger.info().account

    def sign(self, message: bytes) -> bytes:
        return crypto.sm2_sign(self.sm2.private, message)


@dataclass
class Resident:
    """A person with a bound SM2 key."""

    subject: bytes
    keys: KeyPair


@dataclass
class Practitioner:
    """A person with a credential."""

    id: bytes
    keys: KeyPair
    organisation: Organisation
    roles: int


class World:
    """One alliance: ``operator`` (also registrar and auditor) and two custodians, ``platform`` and ``hospital``."""

    def __init__(self, chain: Chain, name: str) -> None:
        self.chain = chain
        self.name = name
        self.operator = Organisation("TEST-OPERATOR", OPERATOR | REGISTRAR | AUDITOR)
        self.platform = Organisation("TEST-QWSJPT", CUSTODIAN | READER)
        self.hospital = Organisation("TEST-SZXYY", CUSTODIAN | READER)
        self.founded = chain.found(name, self.operator)
        for member in self.organisations:
            member.ledger = self.open(member.key)
        self.empi_key, self.directory_key = secrets.token_bytes(32), secrets.token_bytes(32)
        self._serial = itertools.count(1)
        self._domains: dict[str, bytes] = {}
        invited = (self.platform, self.hospital)
        self.send(*((self.operator, invitation(o)) for o in invited))
        self.send(*((o, Call("Alliance", "join", {"organisation": o.id})) for o in invited))

    def open(self, key: bytes | None) -> Ledger:
        """This alliance, from one more account; None = somebody who reads."""
        return self.founded.open(key)

    @property
    def contracts_file(self) -> Path:
        """Where this alliance's deployment is written down (EVM)."""
        assert self.founded.contracts_file is not None
        return self.founded.contracts_file

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        return self.operator, self.platform, self.hospital

    @property
    def ledger(self) -> Ledger:
        """The operator's ledger."""
        return self.operator.ledger

    def close(self) -> None:
        for member in self.organisations:
            member.ledger.close()

    def send(self, *writes: tuple[Organisation, Call]) -> list[Outcome]:
        """Submit all, wait for all; AssertionError if one did not succeed."""
        outcomes = self.attempt(*writes)
        for (_, call), outcome in zip(writes, outcomes, strict=True):
            assert outcome.status == "committed", f"{call.contract}.{call.method}: {outcome.status} {outcome.detail}"
        return outcomes

    def attempt(self, *writes: tuple[Organisation, Call]) -> list[Outcome]:
        """Submit all, wait until each is on the ledger, committed or failed."""
        if self.ledger.info().endorses:  # a write cannot build on one that is not on the ledger yet
            return [self._known_to_all(carry_out(member.ledger, self.signed(member, call))) for member, call in writes]
        sent, ahead, calls = [], Counter[str](), []
        for member, call in writes:
            calls.append((member, self.signed(member, call, ahead[member.code])))
            ahead[member.code] += call.method == "propose"
        for member, call in calls:
            prepared = member.ledger.prepare(call)
            member.ledger.submit(prepared)
            sent.append((member.ledger, prepared.id))
        return [await_outcome(ledger, id) for ledger, id in sent]

    def signed(self, member: Organisation, call: Call, ahead: int = 0) -> Call:
        """A proposal or vote as the member says it; ``ahead`` of its proposals are on their way. Any other call as it is."""
        if call.contract != "Alliance" or call.method not in ("propose", "vote") or "r" in call.args:
            return call
        try:
            return membership.signed(self.ledger, member.id, member.sm2.private, call, ahead=ahead)
        except LedgerError as e:
            if e.error != "UnknownProposal":
                raise
            return membership.with_signature(call, bytes(64))

    def _known_to_all(self, outcome: Outcome) -> Outcome:
        """Wait until every member's own node has the block, else the next member's write meets an older state."""
        if (height := outcome.height) is not None:
            until(lambda: all(member.ledger.block(height) for member in self.organisations))
        return outcome

    def refusal(self, member: Organisation, call: Call) -> str:
        """Name of the contract's error for a write by this member; AssertionError if it would be taken."""
        try:
            member.ledger.read(self.signed(member, call))
        except LedgerError as e:
            return e.error
        raise AssertionError(f"{call.contract}.{call.method} would be taken")

    def domain(self, contract: str) -> bytes:
        if contract not in self._domains:
            self._domains[contract] = self.ledger.read(Call(contract, "domain"))
        return self._domains[contract]

    def now(self) -> int:
        """Time of the newest block."""
        return self.ledger.head().time

    # people

    def resident(self) -> Resident:
        """A new resident whose key is bound on the ledger."""
        return self.residents(1)[0]

    def residents(self, count: int) -> list[Resident]:
        made = [Resident(self.new_subject(), crypto.sm2_generate()) for _ in range(count)]
        self.send(*((self.operator, self.binding(r)) for r in made))
        return made

    def new_subject(self) -> bytes:
        return ids.subject_id(self.empi_key, "urn:oid:2.16.156.1.1", f"test-{next(self._serial)}")

    def binding(self, resident: Resident, registrar: Organisation | None = None) -> Call:
        """The call that binds a resident's key."""
        registrar = registrar or self.operator
        domain, public = self.domain("Identity"), resident.keys.public
        possession = crypto.sm2_sign(resident.keys.private, KeyBind(domain, resident.subject, public).pack())
        attestation = crypto.sm2_sign(registrar.sm2.private, KeyAttest(domain, resident.subject, public).pack())
        args = {"subject": resident.subject, "x": public[:32], "y": public[32:], "possession": possession}
        return Call("Identity", "bindKey", {**args, "registrar": registrar.id, "attestation": attestation})

    def practitioner(self, organisation: Organisation, roles: Iterable[str] = ("physician",), days: int = 365) -> Practitioner:
        """A new practitioner with a valid credential of the organisation."""
        bits = sum(1 << vocabulary.role_number(r) for r in roles)
        person = Practitioner(
            ids.practitioner_id(self.directory_key, f"L{next(self._serial)}"), crypto.sm2_generate(), organisation, bits
        )
        self.send((organisation, self.credential(person, self.now() - 60, self.now() + days * DAY)))
        return person

    def credential(self, person: Practitioner, not_before: int, not_after: int, issuer: Organisation | None = None) -> Call:
        """The call that issues a credential, signed by the issuer (the person's own organisation)."""
        issuer, public = issuer or person.organisation, person.keys.public
        domain, nonce = self.domain("Identity"), self.credential_nonce(person)
        said = CredentialIssue(domain, issuer.id, person.id, public, person.roles, not_before, not_after, nonce)
        args = {"practitioner": person.id, "x": public[:32], "y": public[32:], "roles": person.roles}
        signature = crypto.sm2_sign(issuer.sm2.private, said.pack())
        return Call(
            "Identity", "issueCredential", {**args, "notBefore": not_before, "notAfter": not_after, "signature": signature}
        )

    def dismissal(self, person: Practitioner, issuer: Organisation | None = None) -> Call:
        """The call that revokes a credential."""
        issuer = issuer or person.organisation
        said = CredentialRevoke(self.domain("Identity"), issuer.id, person.id, self.credential_nonce(person))
        signature = crypto.sm2_sign(issuer.sm2.private, said.pack())
        return Call("Identity", "revokeCredential", {"practitioner": person.id, "signature": signature})

    def credential_nonce(self, person: Practitioner) -> int:
        return int(self.ledger.read(Call("Identity", "credentialNonceOf", {"practitioner": person.id})))

    # consents

    def scope(self, resident: Resident, grantee: Practitioner | Organisation, **changes: Any) -> Scope:
        """A scope: TREAT, everything, from a minute ago for 30 days, unless changed. ``categories`` may be codes."""
        who = _grantee(grantee)
        start = changes.pop("start", self.now() - 60)
        if isinstance(categories := changes.get("categories"), set | frozenset | list | tuple):
            changes["categories"] = frozenset(vocabulary.category_number(c) if isinstance(c, str) else c for c in categories)
        purposes = changes.pop("purposes", {"TREAT"})
        numbers = frozenset(vocabulary.purpose_number(p) if isinstance(p, str) else p for p in purposes)
        return Scope(
            resident.subject, changes.pop("grantee", who), numbers, start, changes.pop("end", start + 30 * DAY), **changes
        )

    def consent_nonce(self, resident: Resident) -> int:
        nonce: int = self.ledger.read(Call("Consent", "nonceOf", {"subject": resident.subject}))
        return nonce

    def sign(self, resident: Resident, scope: Scope, nonce: int | None = None, old: bytes | None = None) -> ConsentArtefact:
        """A signed consent, not on the ledger yet."""
        nonce = self.consent_nonce(resident) if nonce is None else nonce
        return artefact.build(scope, resident.keys.private, self.domain("Consent"), nonce, old=old)

    def grant(self, resident: Resident, scope: Scope) -> ConsentArtefact:
        """Sign and put on the ledger, relayed by the operator."""
        made = self.sign(resident, scope)
        self.send((self.operator, grant_call(made)))
        return made

    def amend(self, resident: Resident, old: ConsentArtefact, scope: Scope) -> ConsentArtefact:
        made = self.sign(resident, scope, old=old.consent)
        self.send((self.operator, amend_call(made, old.consent)))
        return made

    def revoke(self, resident: Resident, consent: bytes) -> Outcome:
        return self.send((self.operator, self.revocation(resident, consent)))[0]

    def revocation(self, resident: Resident, consent: bytes) -> Call:
        """The signed call that revokes."""
        nonce = self.consent_nonce(resident)
        message = ConsentRevoke(self.domain("Consent"), resident.subject, consent, nonce).pack()
        signature = crypto.sm2_sign(resident.keys.private, message)
        args = {"subject": resident.subject, "consent": consent, "packed": nonce, "r": signature[:32], "s": signature[32:]}
        return Call("Consent", "revoke", args)

    def request(self, resident: Resident, reader: Practitioner, custodian: Organisation, **changes: Any) -> dict[str, Any]:
        """Request words for ``Consent.decide``: TREAT, laboratory, a record and schema of their own, all fields."""
        asked = {
            "subject": resident.subject, "requester": reader.id, "requesterOrganisation": reader.organisation.id,
            "role": vocabulary.role_number("physician"), "purpose": vocabulary.purpose_number("TREAT"),
            "category": vocabulary.category_number("laboratory"), "custodian": custodian.id,
            "record": crypto.sm3(b"record"), "schema": crypto.sm3(b"schema"), "fields": 2**256 - 1,
        }  # fmt: skip
        return {**asked, **changes}

    def decide(self, request: Mapping[str, Any], consent: ConsentArtefact, time: int | None = None) -> dict[str, Any]:
        """The contract's decision."""
        args = {"request": dict(request), "consent": consent.consent, "scopeWords": consent.scope.words(), "salt": consent.salt}
        answer: dict[str, Any] = self.ledger.read(
            Call("Consent", "decide", {**args, "time": self.now() if time is None else time})
        )
        return answer

    # index

    def anchor(self, custodian: Organisation, root: bytes, count: int) -> Outcome:
        """Anchor the custodian's next batch."""
        return self.send((custodian, self.batch(custodian, root, count)))[0]

    def batch(self, custodian: Organisation, root: bytes, count: int) -> Call:
        """The call that anchors the next batch."""
        head = self.ledger.read(Call("DataIndex", "headOf", {"organisation": custodian.id}))
        args = {"root": root, "firstSequence": head["nextSequence"], "count": count, "previousRoot": head["lastRoot"]}
        return Call("DataIndex", "anchorBatch", args)


def build_world(chain: Chain, name: str = "测试联盟") -> World:
    """A fresh alliance."""
    return World(chain, name)


def invitation(o: Organisation) -> Call:
    """The operator's proposal to invite."""
    return actions.invite(o.id, crypto.sm3(o.code.encode()), o.roles, o.sm2.public, o.account)


def grant_call(made: ConsentArtefact) -> Call:
    """``Consent.grant`` for a signed consent."""
    return Call("Consent", "grant", _consent_args(made))


def amend_call(made: ConsentArtefact, old: bytes) -> Call:
    """``Consent.amend`` for a signed amendment."""
    return Call("Consent", "amend", {**_consent_args(made), "oldConsent": old})


def _consent_args(made: ConsentArtefact) -> dict[str, Any]:
    packed = int.from_bytes(made.message[160:192], "big")
    args = {"subject": made.scope.subject, "consent": made.consent, "commitment": made.message[128:160], "packed": packed}
    return {**args, "r": made.signature[:32], "s": made.signature[32:]}


def _grantee(grantee: Practitioner | Organisation) -> Grantee:
    kind = "practitioner" if isinstance(grantee, Practitioner) else "organisation"
    return Grantee(kind, grantee.id)


def await_outcome(ledger: Ledger, id: str, seconds: float = 120.0) -> Outcome:
    """Wait until a write is committed or failed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        outcome = ledger.outcome(id)
        if outcome.status in ("committed", "failed"):
            return outcome
        time.sleep(0.02)
    raise AssertionError(f"{id} was not settled within {seconds} s")


def carry_out(ledger: Ledger, call: Call) -> Outcome:
    """Send one write and wait until it is committed or failed, wherever the ledger refuses it. What came too close to another
    write is sent again, as the outbox does."""
    while True:
        try:
            prepared = ledger.prepare(call)
        except LedgerError as e:
            if e.reason is not Reason.REJECTED:
                raise
            return Outcome(e.transaction or "", "failed", reason=e.reason, detail=e.detail)
        ledger.submit(prepared)
        outcome = await_outcome(ledger, prepared.id)
        if outcome.reason is not Reason.CONFLICT:
            return outcome


def events_of(outcomes: Sequence[Outcome]) -> list[tuple[str, str, dict[str, Any]]]:
    """What was reported, without what differs between ledgers (heights, hashes)."""
    return [(e.contract, e.name, e.args) for o in outcomes for e in o.events]
