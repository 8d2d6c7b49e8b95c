"""Invariants 1 and 2 of the product, over long random sequences of calls."""

from __future__ import annotations

import random
import secrets
from typing import Any

import pytest
from eth_account import Account

from core import crypto
from core.ids import consent_id, use_preimage
from core.scope import Grantee, Scope
from tests.contracts.lab import LAST, Lab, Person, Refused, packed

pytestmark = pytest.mark.node
PERMIT = 1


class Watched:
    """A resident with consents in every state, and every question a curious reader could ask about them."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        self.lab, self.rng = lab, rng
        self.person, self.reader = lab.resident(), lab.practitioner(roles=1)
        self.seeds = [secrets.token_bytes(32) for _ in range(5)]
        self.opened: list[dict[str, Any]] = []
        for at, (uses, end) in enumerate(((0, LAST), (2, LAST), (0, lab.time() + 10**6), (0, LAST), (0, LAST))):
            self._grant(self.seeds[at], uses, end)
        lab.send("Consent", "revoke", **lab.revoking(self.person, self.opened[3]["consent"]))
        lab.send(
            "Consent",
            "amend",
            **lab.amending(self.person, self.opened[4]["consent"], secrets.token_bytes(32), secrets.token_bytes(32)),
        )
        self.used: list[dict[str, Any]] = [self.opened[0]["args"], self.opened[3]["args"]]

    def _grant(self, seed: bytes, uses: int, end: int) -> None:
        scope = Scope(
            self.person.id,
            Grantee("practitioner", self.reader.id),
            frozenset({0}),
            0,
            end,
            frozenset({3}),
            None,
            None,
            None,
            uses,
        )
        salt, consent = secrets.token_bytes(32), consent_id(seed, uses)
        words = scope.words()
        args = self.lab.granting(
            self.person,
            consent,
            crypto.hmac_sm3(salt, words),
            packed(0, end, uses, self.lab.read("Consent", "nonceOf", subject=self.person.id)),
        )
        self.lab.send("Consent", "grant", **args)
        self.opened.append({"consent": consent, "scopeWords": words, "salt": salt, "args": args})

    def questions(self) -> list[dict[str, Any]]:
        return [
            {"request": self._request(purpose, category, requester), **{k: o[k] for k in ("consent", "scopeWords", "salt")}}
            for o in self.opened
            for purpose in (0, 3)
            for category in (3, 12)
            for requester in (self.reader.id, bytes(31) + b"\x01")
        ]

    def _request(self, purpose: int, category: int, requester: bytes) -> dict[str, Any]:
        ids = {
            "subject": self.person.id,
            "requester": requester,
            "requesterOrganisation": self.lab.first.id,
            "custodian": self.lab.first.id,
        }
        return {
            **ids,
            "role": 0,
            "purpose": purpose,
            "category": category,
            "record": b"r" * 32,
            "schema": b"s" * 32,
            "fields": 0xFF,
        }

    def permitted(self, time: int) -> list[int]:
        """Mask of permitted fields for every question."""
        answers = self.lab.read("Consent", "decideMany", asks=self.questions(), time=time)
        return [a["fields"] if a["outcome"] == PERMIT else 0 for a in answers]


class Attacker:
    """Everything that somebody without the subject's key can send: a member's account, the registrar's SM2 key set aside, and
    all past calls."""

    def __init__(self, watched: Watched) -> None:
        self.w, self.lab, self.rng = watched, watched.lab, watched.rng
        self.own = Person()
        self.lab.send("Identity", "bindKey", **self.lab.binding(self.own))
        self.account = Account.create()
        self.lab.send("Alliance", "setAccount", **self.lab.account_change(self.account.address))

    def act(self) -> str:
        move = self.rng.choice(
            (
                self.replay,
                self.forge,
                self.steal,
                self.foreign_amend,
                self.foreign_revoke,
                self.spend,
                self.rebind,
                self.rotate,
                self.recover,
                self.reissue,
            )
        )
        try:
            move()
        except Refused as refused:
            return f"{move.__name__}: {refused}"
        return f"{move.__name__}: accepted"

    def replay(self) -> None:
        self.lab.send("Consent", "grant", self.account, **self.rng.choice(self.w.used))

    def forge(self) -> None:
        nonce = self.lab.read("Consent", "nonceOf", subject=self.w.person.id)
        imposter = Person(self.w.person.id, self.own.pair)
        self.lab.send(
            "Consent",
            "grant",
            self.account,
            **self.lab.granting(imposter, secrets.token_bytes(32), secrets.token_bytes(32), packed(nonce=nonce)),
        )

    def steal(self) -> None:
        """The subject's own signature, with one argument exchanged."""
        args = dict(self.rng.choice(self.w.used))
        key = self.rng.choice(["consent", "commitment", "packed", "subject"])
        args[key] = (
            packed(nonce=self.lab.read("Consent", "nonceOf", subject=self.w.person.id))
            if key == "packed"
            else secrets.token_bytes(32)
        )
        self.lab.send("Consent", "grant", self.account, **args)

    def foreign_amend(self) -> None:
        victim = self.rng.choice(self.w.opened)
        self.lab.send(
            "Consent",
            "amend",
            self.account,
            **self.lab.amending(self.own, victim["consent"], secrets.token_bytes(32), victim["args"]["commitment"]),
        )

    def foreign_revoke(self) -> None:
        self.lab.send("Consent", "revoke", self.account, **self.lab.revoking(self.own, self.rng.choice(self.w.opened)["consent"]))

    def spend(self) -> None:
        """Somebody who holds the artefact may spend a use: that permits less, never more."""
        at = self.rng.choice([0, 1, 1, 2])
        preimage = use_preimage(self.w.seeds[1], 2, self.rng.choice([1, 2])) if at == 1 else self.w.seeds[at]
        self.lab.send("Consent", "spend", self.account, consent=self.w.opened[at]["consent"], preimage=preimage)

    def rebind(self) -> None:
        self.lab.send("Identity", "bindKey", self.account, **self.lab.binding(Person(self.w.person.id, self.own.pair)))

    def rotate(self) -> None:
        from tests.contracts.test_identity import rotation

        self.lab.send(
            "Identity", "rotateKey", self.account, **rotation(self.lab, self.w.person, self.own.pair, signer=self.own.pair)
        )

    def recover(self) -> None:
        self.lab.send("Identity", "recoverKey", self.account, subject=self.w.person.id)

    def reissue(self) -> None:
        """A new credential for another person does not make that person the grantee."""
        self.lab.send("Identity", "issueCredential", self.account, **self.lab.credential(Person(), roles=255))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_but_the_subject_makes_decide_permit_more(lab: Lab, seed: int) -> None:
    watched = Watched(lab, random.Random(seed))
    attacker = Attacker(watched)
    now, later = lab.time(), lab.time() + 10**6 + 1
    before = watched.permitted(now), watched.permitted(later)
    assert sum(map(bool, before[0])) == 3
    assert sum(map(bool, before[1])) == 2
    done = []
    for _ in range(60):
        done.append(attacker.act())
        after = watched.permitted(now), watched.permitted(later)
        for old, new in zip(before, after, strict=True):
            assert all(n & ~o == 0 for o, n in zip(old, new, strict=True)), done[-1]
        before = after
    assert len({d.partition(":")[0] for d in done}) >= 9
    accepted = {d.partition(":")[0] for d in done if d.endswith("accepted")}
    assert accepted <= {"spend", "reissue"}


def test_the_property_would_notice(lab: Lab) -> None:
    """The watch itself: a grant by the subject does show."""
    watched = Watched(lab, random.Random(9))
    before = watched.permitted(lab.time())
    revoked = watched.opened[3]
    args = lab.granting(watched.person, secrets.token_bytes(32), revoked["args"]["commitment"])
    lab.send("Consent", "grant", **args)
    watched.opened[3] = {**revoked, "consent": args["consent"]}
    assert sum(map(bool, watched.permitted(lab.time()))) == sum(map(bool, before)) + 1


def test_nothing_on_the_chain_says_what_was_granted_to_whom(fresh: Lab) -> None:
    """Every byte the chain keeps of a consent's life (transactions, logs, storage) is searched for the words of the opened
    scope."""
    person, doctor = fresh.resident(), Person()
    custodian, record, schema, hospital = (secrets.token_bytes(32) for _ in range(4))
    scopes = [
        Scope(
            person.id,
            Grantee(kind, ident, org),
            frozenset({3, 8}),
            0,
            LAST,
            frozenset({12, 5}),
            frozenset({custodian}),
            frozenset({record}),
            {schema: mask},
        )
        for kind, ident, org, mask in (
            ("practitioner", doctor.id, hospital, 0x5A5A5A5A5A),
            ("organisation", hospital, None, 0xA5A5A5A5A5),
        )
    ]
    secret = [
        doctor.id,
        hospital,
        custodian,
        record,
        schema,
        (0x5A5A5A5A5A).to_bytes(32, "big"),
        (0xA5A5A5A5A5).to_bytes(32, "big"),
    ]
    secret += [scope.words()[32 * n : 32 * n + 32] for scope in scopes for n in (2, 6)]
    consents = []
    for scope in scopes:
        salt, consent = secrets.token_bytes(32), secrets.token_bytes(32)
        fresh.send("Consent", "grant", **fresh.granting(person, consent, crypto.hmac_sm3(salt, scope.words())))
        consents.append(consent)
        secret += [salt, scope.words()[:64]]
    fresh.send("Consent", "amend", **fresh.amending(person, consents[0], secrets.token_bytes(32), secrets.token_bytes(32)))
    fresh.send("Consent", "revoke", **fresh.revoking(person, consents[1]))
    kept = kept_bytes(fresh)
    assert consents[0].hex() in kept
    assert person.id.hex() in kept
    for value in secret:
        assert value.hex() not in kept, value.hex()


def kept_bytes(lab: Lab) -> str:
    """Blocks with their transactions, logs, and the node's whole state, as text."""
    head = int(lab.chain.ask("eth_blockNumber"), 16)
    blocks = [lab.chain.ask("eth_getBlockByNumber", hex(n), True) for n in range(head + 1)]
    lab.node.stop()  # the node writes its state when it ends
    state = (lab.node.home / "state.json").read_text()
    lab.node.start()
    return f"{blocks}{lab.logs()}{state}"


def test_equal_scopes_look_unrelated(lab: Lab) -> None:
    """The same scope granted twice gives commitments and ids with nothing in common, so that guesses cannot be tried against the
    chain."""
    person = lab.resident()
    words = Scope(person.id, Grantee("role", bytes(32)), frozenset({0}), 0, LAST, frozenset({1}), None, None, None).words()
    commitments = set()
    for _ in range(2):
        args = lab.granting(person, secrets.token_bytes(32), crypto.hmac_sm3(secrets.token_bytes(32), words))
        ((_, event),) = lab.send("Consent", "grant", **args)
        commitments.add(event["commitment"])
    assert len(commitments) == 2
