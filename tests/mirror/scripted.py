"""A ledger that does what a test tells it: mine, reorganise, go back, disappear."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from core import merkle
from core.crypto import sm3
from gateway.ledger.port import Block, Event, LedgerInfo, Outcome
from gateway.ledger.reasons import LedgerError, Reason

LEDGER_ID = sm3(b"ledger")
GENESIS = sm3(b"genesis")

Raw = tuple[str, str, dict[str, Any]]


class ScriptedLedger:
    """The reading half of the ledger port over a list of blocks."""

    def __init__(self, seed: int = 0) -> None:
        self.chain: list[tuple[Block, list[Event]]] = []
        self.salt = seed
        self.down = 0
        self.extend([])

    def extend(self, raw: Sequence[Raw]) -> None:
        """Mine a block with these events."""
        height = len(self.chain)
        self.salt += 1
        parent = self.chain[-1][0].hash if self.chain else bytes(32)
        hash_ = sm3(parent + self.salt.to_bytes(8, "big")) if height else GENESIS
        transaction = "0x" + sm3(hash_).hex()
        events = [Event(c, n, dict(a), height, hash_, i, transaction) for i, (c, n, a) in enumerate(raw)]
        self.chain.append((Block(height, hash_, parent, 1_700_000_000 + height, (transaction,)), events))

    def cut(self, height: int) -> None:
        """Forget every block above ``height``."""
        del self.chain[height + 1 :]

    def history(self) -> Iterator[Event]:
        for _, events in self.chain:
            yield from events

    def info(self) -> LedgerInfo:
        return LedgerInfo("scripted", LEDGER_ID, 1, {}, GENESIS, "", 0)

    def head(self) -> Block:
        if self.down:
            self.down -= 1
            raise LedgerError(Reason.UNREACHABLE, detail="scripted outage")
        return self.chain[-1][0]

    def block(self, height_or_hash: int | bytes | list[int]) -> Any:
        if isinstance(height_or_hash, list):
            return [self.block(h) for h in height_or_hash]
        assert isinstance(height_or_hash, int)
        return self.chain[height_or_hash][0] if 0 <= height_or_hash < len(self.chain) else None

    def events(self, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
        for _, events in self.chain[from_height : to_height + 1]:
            if events:
                yield list(events)

    def outcome(self, id: str | list[str]) -> Any:
        """What the receipts say, whatever the logs say."""
        assert isinstance(id, list)
        blocks = {b.transactions[0]: (b, events) for b, events in self.chain}
        return [Outcome(i, "committed", blocks[i][0].height, blocks[i][0].hash, events=tuple(blocks[i][1])) for i in id]

    def expect(self, block: Block | None) -> None:
        assert block is None

    def close(self) -> None:
        pass


def entries(organisation: bytes, first: int, count: int, rng: random.Random) -> tuple[bytes, bytes]:
    """Bytes and root of ``count`` index entries (docs/formats.md section 3)."""
    kind = b"healthtrust/index-entry/v1".ljust(32, b"\0")
    leaves = []
    for n in range(count):
        packed = (
            (first + n).to_bytes(8, "big")
            + (1).to_bytes(4, "big")
            + bytes([rng.randrange(16), 0, 0, 0])
            + bytes(6)
            + b"\x01\x00"
            + bytes(8)
        )
        words = [
            kind,
            organisation,
            rng.randbytes(32),
            rng.randbytes(32),
            rng.randbytes(32),
            rng.randbytes(32),
            bytes(32),
            packed,
        ]
        leaves.append(b"".join(words))
    return b"".join(leaves), merkle.root(merkle.leaf_hashes(leaves))


class Story:
    """Random events that the contracts could have emitted after what is on the ledger; ``window``: they go on from what happened
    in so many newest blocks (0: in all)."""

    def __init__(self, ledger: ScriptedLedger, rng: random.Random, window: int = 0) -> None:
        self.ledger, self.rng, self.window = ledger, rng, window

    def block(self, most: int = 6) -> list[Raw]:
        """Events of one more block."""
        past: list[Raw] = [(e.contract, e.name, e.args) for _, events in self.ledger.chain[-self.window :] for e in events]
        new: list[Raw] = []
        for _ in range(self.rng.randrange(most + 1)):
            new += self._next(past + new)
        return new

    def _word(self) -> bytes:
        return self.rng.randbytes(32)

    def _next(self, past: list[Raw]) -> list[Raw]:
        makers = [self._organisation, self._consent, self._identity, self._credential, self._access, self._index, self._evidence]
        makers += [self._workflow, self._registry, self._vote, self._schema, self._emergency]
        return self.rng.choice(makers)(past)

    def _pick(self, past: list[Raw], name: str, key: str, ended: Sequence[tuple[str, str]] = ()) -> bytes | None:
        gone = {a[k] for n, k in ended for _, name_, a in past if name_ == n}
        live = [a[key] for _, n, a in past if n == name and a[key] not in gone]
        return self.rng.choice(live) if live else None

    def _organisation(self, past: list[Raw]) -> list[Raw]:
        id_ = self._pick(past, "OrganisationInvited", "organisation")
        if id_ is None or self.rng.random() < 0.4:
            id_, account = self._word(), "0x" + self.rng.randbytes(20).hex()
            invited = {
                "organisation": id_,
                "nameDigest": self._word(),
                "roles": 3,
                "x": self._word(),
                "y": self._word(),
                "account": account,
            }
            return [
                ("Alliance", "OrganisationInvited", invited),
                ("Alliance", "OrganisationJoined", {"organisation": id_, "account": account}),
            ]
        return [self._organisation_change(id_)]

    def _organisation_change(self, id_: bytes) -> Raw:
        name = self.rng.choice(
            ["OrganisationSuspended", "OrganisationRestored", "OrganisationLeft", "RolesSet", "KeyRotated", "AccountSet"]
        )
        extra: dict[str, dict[str, Any]] = {
            "OrganisationLeft": {"expelled": True},
            "RolesSet": {"roles": self.rng.randrange(32)},
            "KeyRotated": {"x": self._word(), "y": self._word(), "nonce": 1},
            "AccountSet": {"account": "0x" + self.rng.randbytes(20).hex(), "allowed": self.rng.random() < 0.5},
        }
        return ("Alliance", name, {"organisation": id_, **extra.get(name, {})})

    def _consent(self, past: list[Raw]) -> list[Raw]:
        ended = [("ConsentRevoked", "consent"), ("ConsentAmended", "old")]
        granted = [a["consent"] for _, n, a in past if n in ("ConsentGranted", "ConsentAmended")]
        gone = {a[k] for n, k in ended for _, name, a in past if name == n}
        live = [c for c in granted if c not in gone]
        packed = (1_700_000_000 << 192) | (self.rng.choice([1_800_000_000, 2**64 - 1]) << 128) | (3 << 96)
        fresh = {
            "subject": self._word(),
            "consent": self._word(),
            "commitment": self._word(),
            "packed": packed,
            "messageHash": self._word(),
        }
        if not live or self.rng.random() < 0.4:
            return [("Consent", "ConsentGranted", fresh)]
        old, kind = self.rng.choice(live), self.rng.randrange(3)
        if kind == 0:
            return [("Consent", "ConsentAmended", {**fresh, "old": old})]
        if kind == 1:
            revoked = {"consent": old, "subject": self._word(), "packed": 1, "messageHash": self._word()}
            return [("Consent", "ConsentRevoked", revoked)]
        return [("Consent", "ConsentSpent", {"consent": old, "uses": 1, "by": self._word()})]

    def _identity(self, past: list[Raw]) -> list[Raw]:
        subject = self._pick(past, "KeyBound", "subject")
        key = {"x": self._word(), "y": self._word()}
        if subject is None or self.rng.random() < 0.4:
            return [("Identity", "KeyBound", {"subject": self._word(), **key, "registrar": self._word(), "version": 1})]
        pending = [
            n
            for _, n, a in past
            if a.get("subject") == subject and n in ("RecoveryRequested", "RecoveryVetoed", "KeyRecovered", "KeyRotated")
        ]
        if pending and pending[-1] == "RecoveryRequested":
            if self.rng.random() < 0.5:
                return [("Identity", "RecoveryVetoed", {"subject": subject, **key})]
            return [("Identity", "KeyRecovered", {"subject": subject, **key, "version": 2})]
        if self.rng.random() < 0.5:
            return [("Identity", "KeyRotated", {"subject": subject, **key, "version": 2})]
        return [("Identity", "RecoveryRequested", {"subject": subject, **key, "registrar": self._word(), "executableAt": 5})]

    def _credential(self, past: list[Raw]) -> list[Raw]:
        live = self._pick(past, "CredentialIssued", "practitioner")
        organisation = self._word()
        if live is not None and self.rng.random() < 0.5:
            return [("Identity", "CredentialRevoked", {"practitioner": live, "organisation": organisation})]
        key = {"x": self._word(), "y": self._word(), "roles": 1, "notBefore": 0, "notAfter": 2**64 - 1}
        return [("Identity", "CredentialIssued", {"practitioner": live or self._word(), "organisation": organisation, **key})]

    def _access(self, past: list[Raw]) -> list[Raw]:
        request = self._pick(past, "AccessRequested", "id", [("AccessAnswered", "id")])
        common = {"organisation": self._word(), "commitment": self._word()}
        if request is not None and self.rng.random() < 0.5:
            return [("Access", "AccessAnswered", {"id": request, **common, "answer": 1})]
        if self.rng.random() < 0.5:
            receipts = {
                "organisation": self._word(),
                "batch": 0,
                "root": self._word(),
                "firstNumber": 0,
                "count": 9,
                "headHash": self._word(),
            }
            return [("Access", "ReceiptsRecorded", receipts)]
        return [("Access", "AccessRequested", {"id": self._word(), **common})]

    def _emergency(self, past: list[Raw]) -> list[Raw]:
        opened = self._pick(past, "EmergencyOpened", "id", [("EmergencyReviewed", "id")])
        if opened is not None and self.rng.random() < 0.5:
            return [("Access", "EmergencyReviewed", {"id": opened, "reviewer": self._word(), "outcome": 1, "late": False})]
        words = {n: self._word() for n in ("id", "organisation", "commitment", "first", "second")}
        return [("Access", "EmergencyOpened", {**words, "endsAt": 7, "reviewBy": 9})]

    def _index(self, past: list[Raw]) -> list[Raw]:
        organisation, count = self._word(), self.rng.randrange(1, 5)
        raw, root = entries(organisation, 0, count, self.rng)
        batch = {"organisation": organisation, "batch": 0, "root": root, "firstSequence": 0, "count": count}
        anchored: Raw = ("DataIndex", "BatchAnchored", {**batch, "previousRoot": bytes(32)})
        return [anchored] if self.rng.random() < 0.5 else [anchored, ("DataIndex", "EntriesAnchored", {**batch, "entries": raw})]

    def _evidence(self, past: list[Raw]) -> list[Raw]:
        number = sum(n == "EvidenceRecorded" for _, n, _ in past)
        return [
            (
                "Evidence",
                "EvidenceRecorded",
                {"organisation": self._word(), "number": number, "kind": self._word(), "digest": self._word()},
            )
        ]

    def _workflow(self, past: list[Raw]) -> list[Raw]:
        id_ = self._pick(past, "Submitted", "id")
        if id_ is not None and self.rng.random() < 0.5:
            return [
                (
                    "Workflow",
                    "Moved",
                    {"id": id_, "organisation": self._word(), "from": 1, "to": self.rng.randrange(2, 7), "digest": self._word()},
                )
            ]
        return [("Workflow", "Submitted", {n: self._word() for n in ("id", "organisation", "kind", "packageDigest")})]

    def _registry(self, past: list[Raw]) -> list[Raw]:
        name = self._pick(past, "Published", "name")
        target = "0x" + self.rng.randbytes(20).hex()
        if name is not None and self.rng.random() < 0.5:
            return [("Registry", self.rng.choice(["Frozen", "Thawed"]), {"name": name, "target": target})]
        return [("Registry", "Published", {"name": name or b"Consent".ljust(32, b"\0"), "target": target, "version": len(past)})]

    def _vote(self, past: list[Raw]) -> list[Raw]:
        open_ = self._pick(past, "Proposed", "proposal", [("Executed", "proposal")])
        if open_ is None or self.rng.random() < 0.3:
            proposal = {
                "proposal": self.rng.getrandbits(256),
                "organisation": self._word(),
                "action": 1,
                "args": self.rng.randbytes(64),
                "expires": 9,
            }
            return [("Alliance", "Proposed", proposal)]
        if self.rng.random() < 0.6:
            return [("Alliance", "Voted", {"proposal": open_, "organisation": self._word()})]
        return [("Alliance", "Executed", {"proposal": open_})]

    def _schema(self, past: list[Raw]) -> list[Raw]:
        old = self._pick(past, "SchemaRegistered", "schemaId", [("SchemaRegistered", "supersedes")])
        supersedes = old if old is not None and self.rng.random() < 0.5 else bytes(32)
        return [
            (
                "Schema",
                "SchemaRegistered",
                {"schemaId": self._word(), "organisation": self._word(), "elements": 7, "supersedes": supersedes},
            )
        ]
