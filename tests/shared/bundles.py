"""A whole proof bundle over a small made-up EVM state: real tries, a real header, made-up residents."""

from __future__ import annotations

import json
from typing import Any

from core import artefact, bundle, crypto, httpsig, merkle
from core.bundle import AccountProof, DecisionPart, ReceiptPart, RecordPart, StorageWord, TreeProof
from core.crypto import sm3
from core.decision import ConsentState, Credential, Request, State, decide
from core.entry import IndexEntry
from core.ids import schema_id
from core.messages import domain
from core.receipt import Receipt, salted_leaf, serve_digest
from core.record import RecordTree
from core.scope import Grantee, Scope
from core.verify.hashes import keccak256
from core.words import ZERO, word

NOW, HEIGHT, CHAIN = 1_800_000_000, 42, 31337
NAMES = ("Access", "Alliance", "Consent", "DataIndex", "Identity")
SCHEMA = {
    "kind": "healthtrust/schema",
    "code": "lab-report",
    "elements": [{"n": n, "id": f"e{n}", "name": {"zh": f"项目{n}", "en": f"item {n}"}} for n in range(1, 9)],
}


def seeded(label: str) -> bytes:
    """32 fixed bytes."""
    return sm3(b"healthtrust bundle vector " + label.encode())


CUSTODIAN, HOSPITAL, DOCTOR, SUBJECT = (seeded(n) for n in ("custodian", "hospital", "doctor", "subject"))
LEDGER = seeded("ledger")
ADDRESSES = {n: seeded(n)[:20] for n in NAMES}


# --- RLP and tries, only as far as a vector needs them ---


def rlp(item: Any) -> bytes:
    """RLP of bytes or a list."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _prefix(0x80, item)
    return _prefix(0xC0, b"".join(map(rlp, item)))


def _prefix(offset: int, body: bytes) -> bytes:
    if len(body) <= 55:
        return bytes([offset + len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size + body


def number(n: int) -> bytes:
    """An integer as RLP wants it: no leading zeros."""
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


class Trie:
    """A secure Merkle-Patricia trie: keys are hashed."""

    def __init__(self, items: dict[bytes, bytes]) -> None:
        self.items = {keccak256(k).hex(): v for k, v in items.items()}
        self.node = _build(self.items, 0)
        self.root = keccak256(rlp(encode(self.node)))

    def proof(self, key: bytes) -> list[bytes]:
        """Nodes from the root to where the key is, or would be; nodes below 32 bytes stand inside their parents."""
        path, node, nodes = keccak256(key).hex(), self.node, [rlp(encode(self.node))]
        while True:
            if len(node) == 17:
                child, path = (node[int(path[0], 16)], path[1:]) if path else (b"", "")
            else:
                prefix, leaf = _nibbles(node[0])
                if leaf or not path.startswith(prefix):
                    return nodes
                child, path = node[1], path[len(prefix) :]
            if child == b"":
                return nodes
            if len(rlp(encode(child))) >= 32:
                nodes.append(rlp(encode(child)))
            node = child


def _build(items: dict[str, bytes], depth: int) -> Any:
    if len(items) == 1:
        ((path, value),) = items.items()
        return [_compact(path[depth:], leaf=True), value]
    common = depth
    paths = list(items)
    while all(p[common] == paths[0][common] for p in paths):
        common += 1
    children = [{p: v for p, v in items.items() if p[common] == d} for d in "0123456789abcdef"]
    branch = [_build(c, common + 1) if c else b"" for c in children] + [b""]
    return branch if common == depth else [_compact(paths[0][depth:common], leaf=False), branch]


def _compact(nibbles: str, *, leaf: bool) -> bytes:
    flag = 2 * leaf + len(nibbles) % 2
    return bytes.fromhex(f"{flag:x}" + ("" if len(nibbles) % 2 else "0") + nibbles)


def _nibbles(compact: bytes) -> tuple[str, bool]:
    text = compact.hex()
    flag = int(text[0], 16)
    return text[1 if flag & 1 else 2 :], bool(flag & 2)


def encode(node: Any) -> Any:
    """The node as it is hashed."""
    if len(node) == 17:
        return [_reference(c) if c != b"" else b"" for c in node[:16]] + [node[16]]
    leaf = _nibbles(node[0])[1]
    return [node[0], node[1] if leaf else _reference(node[1])]


def _reference(node: Any) -> Any:
    encoded = encode(node)
    return keccak256(rlp(encoded)) if len(rlp(encoded)) >= 32 else encoded


# --- the state a ledger would hold ---


def _slot(key: bytes, base: int) -> int:
    return int.from_bytes(keccak256(word(key) + word(base)), "big")


def _packed(*fields: tuple[int, int]) -> bytes:
    """(value, bits) pairs, lowest first, as Solidity packs a struct."""
    total = shift = 0
    for value, bits in fields:
        total |= value << shift
        shift += bits
    return word(total)


def _put(storage: dict[int, bytes], at: int, *words: bytes) -> None:
    for i, value in enumerate(words):
        storage[at + i] = value


def storage_of(world: World) -> dict[str, dict[int, bytes]]:
    """Storage words of every contract."""
    s: dict[str, dict[int, bytes]] = {n: {0: word(1)} for n in NAMES}
    c, k = world.state.consent, world.state.credential
    for organisation, key in ((CUSTODIAN, world.custodian_public), (HOSPITAL, world.hospital_public)):
        at = _slot(organisation, bundle.Slots.ALLIANCE_ORGANISATIONS)
        _put(s["Alliance"], at, _packed((1, 8), (3, 32), (NOW - 9, 64), (0, 64)), key[:32], key[32:])
    batch = int.from_bytes(keccak256(word(0) + word(_slot(CUSTODIAN, bundle.Slots.DATAINDEX_BATCHES))), "big")
    _put(s["DataIndex"], batch, world.index.root, _packed((world.first, 64), (world.index.tree_size, 32), (NOW - 5, 64)))
    _put(s["Identity"], _slot(SUBJECT, bundle.Slots.IDENTITY_KEYS), world.subject_public[:32], world.subject_public[32:])
    credential = _packed((k.not_before, 64), (k.not_after, 64), (k.roles, 32), (k.status, 8))
    doctor = world.doctor_public
    _put(s["Identity"], _slot(DOCTOR, bundle.Slots.IDENTITY_CREDENTIALS), k.organisation, doctor[:32], doctor[32:], credential)
    consent = _packed((c.not_before, 64), (c.not_after, 64), (c.use_limit, 32), (c.uses, 32), (0, 56), (c.status, 8))
    _put(s["Consent"], _slot(world.artefact.consent, bundle.Slots.CONSENT_CONSENTS), c.subject, c.commitment, consent)
    return s


def header(state_root: bytes, parent: bytes, height: int, time: int) -> bytes:
    """RLP of a block header (London)."""
    fields = [
        parent,
        ZERO,
        bytes(20),
        state_root,
        ZERO,
        ZERO,
        bytes(256),
        b"",
        number(height),
        number(30_000_000),
        b"",
        number(time),
    ]
    return rlp([*fields, b"", ZERO, bytes(8), number(7)])


class Chain:
    """One block over a state; gives proofs as ``eth_getProof`` does."""

    def __init__(self, storage: dict[str, dict[int, bytes]], parent: bytes, height: int, time: int) -> None:
        self.storage = {n: {word(k): v for k, v in slots.items() if v != ZERO} for n, slots in storage.items()}
        self.tries = {n: Trie({k: rlp(v.lstrip(b"\0")) for k, v in slots.items()}) for n, slots in self.storage.items()}
        accounts = {ADDRESSES[n]: rlp([number(1), b"", t.root, keccak256(n.encode())]) for n, t in self.tries.items()}
        others = {seeded(f"account {i}")[:20]: rlp([number(i), number(10**18), ZERO, ZERO]) for i in range(1, 40)}
        self.state = Trie({**accounts, **others})
        self.header = header(self.state.root, parent, height, time)
        self.hash = keccak256(self.header)

    def prove(self, wanted: bundle.Wanted) -> AccountProof:
        """Account and storage proofs of the wanted words."""
        trie, slots = self.tries[wanted.contract], self.storage[wanted.contract]
        words = [StorageWord(slot, slots.get(slot, ZERO), trie.proof(slot)) for slot in wanted.slots]
        return AccountProof(wanted.contract, self.hash, self.state.proof(ADDRESSES[wanted.contract]), words, wanted.meaning)


class World:
    """Everybody's keys, one record, one consent, one index batch."""

    def __init__(self) -> None:
        keys = {
            n: (int.from_bytes(seeded("key " + n), "big") >> 2).to_bytes(32, "big")
            for n in ("subject", "doctor", "custodian", "hospital")
        }
        self.keys = keys
        self.subject_public, self.doctor_public, self.custodian_public, self.hospital_public = (
            crypto.sm2_public(k) for k in keys.values()
        )
        self.schema = schema_id(SCHEMA)
        self.tree = RecordTree(
            self.schema, 8, {1: "血红蛋白", 2: 135.5, 3: "g/L", 5: ["正常"], 8: {"note": "x"}}, seeded("record salt")
        )
        record = seeded("record")
        self.entry = IndexEntry(
            CUSTODIAN, record, SUBJECT, self.tree.commitment, self.schema, ZERO, 3, 1, 3, 0, NOW - 100, NOW - 50
        )
        self.first = 0
        leaves = [self.entry.pack() if i == 3 else seeded(f"entry {i}") * 8 for i in range(11)]
        self.index = TreeProof.of(merkle.Tree(merkle.leaf_hashes(leaves)), 3)
        scope = Scope(
            SUBJECT,
            Grantee("practitioner", DOCTOR, HOSPITAL),
            frozenset({0}),
            NOW - 1000,
            NOW + 1000,
            frozenset({3, 5}),
            frozenset({CUSTODIAN}),
            None,
            {self.schema: 0b10110111},
            2,
        )
        where = domain(LEDGER, ADDRESSES["Consent"])
        self.artefact = artefact.build(scope, keys["subject"], where, 0, salt=seeded("salt"), seed=seeded("seed"))
        consent = ConsentState(SUBJECT, scope.commitment(seeded("salt")), scope.start, scope.end, 2, 1, 1)
        self.state = State(consent, 1, 1, Credential(HOSPITAL, 1, NOW - 2000, NOW + 2000, 1))
        self.request = Request(SUBJECT, DOCTOR, HOSPITAL, 0, 0, 3, CUSTODIAN, record, self.schema, 0b00001111)
        self.decision = decide(self.state, self.request, scope.words(), seeded("salt"), NOW)

    def signed(self) -> tuple[httpsig.SignedRequest, str]:
        """The doctor's signed request and its body."""
        ids = {n: "0x" + getattr(self.request, n).hex() for n in ("subject", "record", "schema")}
        wanted = {**ids, "purpose": "TREAT", "category": "laboratory", "role": "physician", "fields": [1, 2, 3, 4]}
        body = json.dumps(
            {"request": wanted, "consent": "0x" + self.artefact.consent.hex(), "artefact": None}, separators=(",", ":")
        )
        uri, keyid = "http://127.0.0.1:8091/gate/v1/records/read", httpsig.key_id("practitioner", DOCTOR)
        headers = httpsig.sign_request(
            self.keys["doctor"], keyid, "POST", uri, body.encode(), now=NOW, nonce="vector-nonce-000001"
        )
        nonces = httpsig.MemoryNonces(0)
        return httpsig.parse_and_verify(headers, "POST", uri, body.encode(), lambda *_: self.doctor_public, NOW, nonces), body


def make() -> tuple[dict[str, Any], dict[str, Any]]:
    """(bundle, checkpoint)."""
    w = World()
    chain = Chain(storage_of(w), seeded("parent"), HEIGHT, NOW)
    request, body = w.signed()
    disclosure = w.tree.disclose(w.decision.fields)
    digest_salt = seeded("digest salt")
    digest = serve_digest(digest_salt, disclosure.to_json()["values"])
    receipt = Receipt(
        CUSTODIAN,
        7,
        seeded("previous"),
        NOW + 1,
        DOCTOR,
        HOSPITAL,
        SUBJECT,
        w.entry.record,
        "TREAT",
        w.artefact.consent,
        w.decision.outcome,
        w.decision.reason.text,
        w.decision.fields,
        HEIGHT,
        chain.hash,
        request.digest(),
        digest,
    )
    salt = seeded("receipt salt")
    leaves = merkle.leaf_hashes([salted_leaf(salt, receipt.canonical()) if n == 7 else seeded(f"leaf {n}") for n in range(12)])
    group = TreeProof.of(merkle.Tree(leaves[5:9]), 2)
    signature = crypto.sm2_sign(w.keys["custodian"], bundle.group_words(CUSTODIAN, group.root, 5, 4))
    made = bundle.build(
        record=RecordPart(disclosure, SCHEMA, digest_salt),
        entry=w.entry,
        batch=0,
        index=w.index,
        request=request,
        body=body,
        artefact=w.artefact,
        decision=DecisionPart(w.decision, w.request, w.state, HEIGHT, chain.hash, NOW),
        receipt=ReceiptPart(receipt.canonical().decode(), salt, 7, 5, group, signature),
        custodian_key=w.custodian_public,
    )
    made = bundle.with_anchor(made, 1, TreeProof.of(merkle.Tree(leaves), 7))
    later = storage_of(w)
    at = int.from_bytes(keccak256(word(1) + word(_slot(CUSTODIAN, bundle.Slots.ACCESS_BATCHES))), "big")
    _put(later["Access"], at, merkle.root(leaves), _packed((0, 64), (12, 32), (NOW + 2, 64)))
    after = Chain(later, chain.hash, HEIGHT + 1, NOW + 2)
    wanted = bundle.slots(made, keccak256)
    proofs = [(after if x.late else chain).prove(x) for x in wanted]
    addresses = {n: "0x" + a.hex() for n, a in ADDRESSES.items()}
    ledger = bundle.evm_ledger(CHAIN, LEDGER, addresses, {chain.hash: chain.header, after.hash: after.header}, proofs)
    return bundle.with_ledger(made, ledger), bundle.checkpoint(CHAIN, LEDGER, addresses, [after.hash])


def vector() -> dict[str, Any]:
    """Content of ``bundle.json``."""
    made, trust = make()
    return {"bundle": made, "trust": trust, "exitCode": 0}
