"""Proof bundles (docs/formats.md §9): everything one reading needs to be checked by an outsider, in one JSON document.

The gate builds one with :func:`build`; :mod:`core.verify` (which shares no code with this) checks it. :func:`slots` names the
ledger words that complete it, for the driver's storage proofs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import hexes
from core.artefact import ConsentArtefact
from core.decision import ConsentState, Credential, Decision, Request, State
from core.emergency import KIND as EMERGENCY
from core.emergency import EmergencyArtefact
from core.entry import IndexEntry
from core.httpsig import SignedRequest
from core.merkle import Tree
from core.record import Disclosure
from core.words import u32, u64, word

KIND = "healthtrust/proof-bundle"


@dataclass(frozen=True, slots=True)
class TreeProof:
    """Place of a leaf in an anchored or signed tree."""

    leaf_index: int
    tree_size: int
    hashes: Sequence[bytes]
    root: bytes

    @classmethod
    def of(cls, tree: Tree, index: int) -> TreeProof:
        """Proof of leaf ``index`` of ``tree``."""
        return cls(index, len(tree), tree.inclusion_proof(index), tree.root)

    def to_json(self) -> dict[str, Any]:
        """``{"leafIndex", "treeSize", "hashes"}``; the root stands beside it."""
        return {"leafIndex": self.leaf_index, "treeSize": self.tree_size, "hashes": [hexes.to_hex(h) for h in self.hashes]}


@dataclass(frozen=True, slots=True)
class RecordPart:
    """The released record. ``schema``: its document; ``digest_salt``: opens the receipt's digest."""

    disclosure: Disclosure
    schema: Mapping[str, Any]
    digest_salt: bytes

    def to_json(self, entry: IndexEntry) -> dict[str, Any]:
        """The ``record`` member."""
        return {
            "id": hexes.to_hex(entry.record),
            "custodian": hexes.to_hex(entry.organisation),
            "subject": hexes.to_hex(entry.subject),
            "schema": dict(self.schema),
            "disclosure": self.disclosure.to_json(),
            "digestSalt": hexes.to_hex(self.digest_salt),
        }


@dataclass(frozen=True, slots=True)
class ReceiptPart:
    """The receipt: canonical ``json``, its ``salt``, its place in the signed group, the custodian's ``signature`` over the
    group's words."""

    json: str
    salt: bytes
    number: int
    group_first: int
    group: TreeProof
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """The ``receipt`` member, not yet anchored."""
        group = {"first": self.group_first, "root": hexes.to_hex(self.group.root), **self.group.to_json()}
        return {
            "json": self.json,
            "salt": hexes.to_hex(self.salt),
            "number": self.number,
            "group": group,
            "signature": hexes.to_hex(self.signature),
            "anchor": None,
        }


@dataclass(frozen=True, slots=True)
class DecisionPart:
    """The decision with all it was made from, at ``height``, ``block`` (hash) and ``time`` (of the block, UTC seconds)."""

    decision: Decision
    request: Request
    state: State
    height: int
    block: bytes
    time: int

    def to_json(self) -> dict[str, Any]:
        """The ``decision`` member."""
        return {
            "outcome": self.decision.outcome.text,
            "reason": self.decision.reason.text,
            "fields": hexes.to_hex(word(self.decision.fields)),
            "height": self.height,
            "block": hexes.to_hex(self.block),
            "time": self.time,
            "request": request_json(self.request),
            "state": state_json(self.state),
        }


def build(
    *,
    record: RecordPart,
    entry: IndexEntry,
    batch: int,
    index: TreeProof,
    request: SignedRequest,
    body: str | None,
    artefact: ConsentArtefact | EmergencyArtefact | None,
    decision: DecisionPart,
    receipt: ReceiptPart,
    custodian_key: bytes,
    ledger: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The bundle. ``body``: text of the signed request's body, or None to leave it out; ``ledger``: from :func:`evm_ledger`,
    or None for now."""
    return {
        "kind": KIND,
        "version": 1,
        "record": record.to_json(entry),
        "index": {
            "entry": hexes.to_hex(entry.pack()),
            "proof": index.to_json(),
            "root": hexes.to_hex(index.root),
            "batch": batch,
        },
        "request": {**request.evidence(), "body": body},
        "consent": {"artefact": None if artefact is None else artefact.to_json()},
        "decision": decision.to_json(),
        "receipt": receipt.to_json(),
        "ledger": None if ledger is None else dict(ledger),
        "custodianKey": hexes.to_hex(custodian_key),
    }


def with_anchor(bundle: Mapping[str, Any], batch: int, proof: TreeProof) -> dict[str, Any]:
    """The bundle with the receipt's place in a batch on the ledger (Access contract, batch number of the custodian)."""
    anchor = {"batch": batch, "root": hexes.to_hex(proof.root), **proof.to_json()}
    return {**bundle, "receipt": {**bundle["receipt"], "anchor": anchor}}


def with_ledger(bundle: Mapping[str, Any], ledger: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle with its ledger part."""
    return {**bundle, "ledger": dict(ledger)}


def request_json(q: Request) -> dict[str, Any]:
    """Request of a decision as in bundles and vectors: ids in hex, purpose, category, role as vocabulary numbers."""
    ids = {n: hexes.to_hex(getattr(q, n)) for n in ("subject", "requester", "organisation", "custodian", "record", "schema")}
    return {**ids, "role": q.role, "purpose": q.purpose, "category": q.category, "fields": hexes.to_hex(word(q.fields))}


def request_from_json(doc: Mapping[str, Any]) -> Request:
    """Inverse of :func:`request_json`. Raises Malformed or KeyError."""
    ids = {n: hexes.to_bytes(doc[n], 32, n) for n in ("subject", "requester", "organisation", "custodian", "record", "schema")}
    fields = int.from_bytes(hexes.to_bytes(doc["fields"]), "big")
    return Request(**ids, role=doc["role"], purpose=doc["purpose"], category=doc["category"], fields=fields)


def state_json(s: State) -> dict[str, Any]:
    """State of a decision as in bundles and vectors."""
    c, k = s.consent, s.credential
    return {
        "consent": {
            "subject": hexes.to_hex(c.subject),
            "commitment": hexes.to_hex(c.commitment),
            "notBefore": c.not_before,
            "notAfter": c.not_after,
            "useLimit": c.use_limit,
            "uses": c.uses,
            "status": int(c.status),
        },
        "organisation": int(s.organisation),
        "custodian": int(s.custodian),
        "credential": {
            "organisation": hexes.to_hex(k.organisation),
            "roles": k.roles,
            "notBefore": k.not_before,
            "notAfter": k.not_after,
            "status": int(k.status),
        },
    }


def state_from_json(doc: Mapping[str, Any]) -> State:
    """Inverse of :func:`state_json`. Raises Malformed or KeyError."""
    c, k = doc["consent"], doc["credential"]
    consent = ConsentState(
        hexes.to_bytes(c["subject"]),
        hexes.to_bytes(c["commitment"]),
        c["notBefore"],
        c["notAfter"],
        c["useLimit"],
        c["uses"],
        c["status"],
    )
    credential = Credential(hexes.to_bytes(k["organisation"]), k["roles"], k["notBefore"], k["notAfter"], k["status"])
    return State(consent, doc["organisation"], doc["custodian"], credential)


class Slots:
    """Where contract storage holds what bundles prove (EVM). Base slots of mappings; checked against the compiler's layout by
    a test."""

    CONSENT_CONSENTS = 0
    DATAINDEX_BATCHES = 1
    ACCESS_BATCHES = 2
    ACCESS_EMERGENCIES = 3
    IDENTITY_KEYS = 0
    IDENTITY_CREDENTIALS = 2
    ALLIANCE_ORGANISATIONS = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Storage words of one contract that complete a bundle. ``late``: only provable once the receipt is anchored (a later
    block)."""

    contract: str
    slots: tuple[bytes, ...]
    meaning: str
    late: bool = False


def slots(bundle: Mapping[str, Any], keccak: Any) -> list[Wanted]:
    """Which storage words to prove for this bundle. ``keccak``: function bytes → 32 bytes (the caller's; core has no need of
    one).

    All but the ``late`` ones are proved at the decision's block; the late ones at any block after the receipt was anchored.
    """

    def at(base: int, key: bytes) -> bytes:
        return bytes(keccak(word(key) + word(base)))

    def run(start: bytes, count: int) -> tuple[bytes, ...]:
        first = int.from_bytes(start, "big")
        return tuple(word((first + i) % 2**256) for i in range(count))

    def batch(base: int, organisation: bytes, number: int) -> bytes:
        return bytes(keccak(word(number) + at(base, organisation)))

    q = request_from_json(bundle["decision"]["request"])
    wanted = [
        Wanted("DataIndex", run(batch(Slots.DATAINDEX_BATCHES, q.custodian, bundle["index"]["batch"]), 2), "index batch"),
        Wanted("Alliance", run(at(Slots.ALLIANCE_ORGANISATIONS, q.custodian), 3), "custodian"),
    ]
    if bundle["request"]["keyid"].startswith("subject:"):
        wanted.append(Wanted("Identity", run(at(Slots.IDENTITY_KEYS, q.requester), 2), "requester's key"))
    else:
        wanted.append(Wanted("Identity", run(at(Slots.IDENTITY_CREDENTIALS, q.requester), 4), "requester's credential"))
        wanted.append(Wanted("Alliance", run(at(Slots.ALLIANCE_ORGANISATIONS, q.organisation), 1), "requester's organisation"))
    artefact = bundle["consent"]["artefact"]
    if artefact is not None and artefact.get("kind") == EMERGENCY:
        id = hexes.to_bytes(artefact["consent"])
        wanted.append(Wanted("Access", run(at(Slots.ACCESS_EMERGENCIES, id), 3), "emergency"))
    elif artefact is not None:
        consent = hexes.to_bytes(artefact["consent"])
        wanted.append(Wanted("Consent", run(at(Slots.CONSENT_CONSENTS, consent), 3), "consent"))
        wanted.append(Wanted("Identity", run(at(Slots.IDENTITY_KEYS, q.subject), 2), "subject's key"))
    anchor = bundle["receipt"]["anchor"]
    if anchor is not None:
        late = run(batch(Slots.ACCESS_BATCHES, q.custodian, anchor["batch"]), 2)
        wanted.append(Wanted("Access", late, "receipt batch", late=True))
    return wanted


@dataclass(frozen=True, slots=True)
class Commit:
    """What CometBFT's validators signed: the block after the proved one, whose ``header`` (14 encoded fields, each with its
    length before it) commits to the proved block and its state. ``parts``: number and hash of the pieces it was sent in.
    ``validators``: all that could sign; a checkpoint's, not the bundle's, for a bundle may not say whom to trust."""

    block: bytes
    header: bytes
    round: int
    parts: tuple[int, bytes]
    signatures: Sequence[CommitSignature]
    validators: Validators

    def to_json(self) -> dict[str, Any]:
        """One member of ``ledger.commits``."""
        parts = {"total": self.parts[0], "hash": hexes.to_hex(self.parts[1])}
        return {"round": self.round, "parts": parts, "signatures": [one.to_json() for one in self.signatures]}


@dataclass(frozen=True, slots=True)
class CommitSignature:
    """One validator's: its Ed25519 key, the time it signed (UTC seconds and nanoseconds since 1970), 64 bytes."""

    key: bytes
    seconds: int
    nanos: int
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        """One of a commit's ``signatures``."""
        signed = {"seconds": self.seconds, "nanos": self.nanos, "signature": hexes.to_hex(self.signature)}
        return {"key": hexes.to_hex(self.key), **signed}


@dataclass(frozen=True, slots=True)
class Organisations:
    """Whose signatures a verifier takes on Fabric: roots (DER) of the MSPs of members, whose peers endorse, and of orderers.
    ``signatures``: how many orderers have to sign a block."""

    members: Mapping[str, Sequence[bytes]]
    orderers: Mapping[str, Sequence[bytes]]
    signatures: int

    def to_json(self) -> dict[str, Any]:
        """Members of a checkpoint."""
        shown = {
            name: {msp: [hexes.to_hex(root) for root in roots] for msp, roots in sorted(side.items())}
            for name, side in (("members", self.members), ("orderers", self.orderers))
        }
        return {**shown, "signatures": self.signatures}


@dataclass(frozen=True, slots=True)
class Endorsed:
    """What members' peers on Fabric say of the ledger, signed: ``read``, the payload of an endorsed transaction that was never
    ordered and asks :func:`questions`; and the block of the decision as it was ordered: its ``data``, ``flags`` (a byte each,
    0 = counted by the peer) and the orderers' ``signatures`` (common.Metadata). ``trust``: a checkpoint's, not the bundle's."""

    channel: str
    chaincode: str
    read: bytes
    number: int
    previous: bytes
    data: Sequence[bytes]
    flags: bytes
    signatures: bytes
    trust: Organisations

    def to_json(self, ledger_id: bytes, contracts: Mapping[str, str]) -> dict[str, Any]:
        """The ``ledger`` member of a bundle."""
        block = {
            "number": self.number,
            "previous": hexes.to_hex(self.previous),
            "data": [hexes.to_hex(one) for one in self.data],
            "flags": hexes.to_hex(self.flags),
            "signatures": hexes.to_hex(self.signatures),
        }
        return {
            "kind": "fabric",
            "channel": self.channel,
            "chaincode": self.chaincode,
            "ledgerId": hexes.to_hex(ledger_id),
            "contracts": {name: address.lower() for name, address in contracts.items()},
            "read": hexes.to_hex(self.read),
            "block": block,
        }


def questions(bundle: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]] | None:
    """Contract methods with their arguments (as JSON) whose answers complete a bundle where the ledger endorses; None until the
    receipt is anchored: only its batch shows that the answers are later than the decision."""
    q, anchor = request_from_json(bundle["decision"]["request"]), bundle["receipt"]["anchor"]
    if anchor is None:
        return None
    custodian, requester = hexes.to_hex(q.custodian), hexes.to_hex(q.requester)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("DataIndex.batchOf", {"organisation": custodian, "batch": bundle["index"]["batch"]}),
        ("Access.receiptBatchOf", {"organisation": custodian, "batch": anchor["batch"]}),
        ("Alliance.organisation", {"id": custodian}),
    ]
    if bundle["request"]["keyid"].startswith("subject:"):
        asked.append(("Identity.keyOf", {"subject": requester}))
    else:
        asked.append(("Identity.credentialOf", {"practitioner": requester}))
        if q.organisation != q.custodian:
            asked.append(("Alliance.organisation", {"id": hexes.to_hex(q.organisation)}))
    artefact = bundle["consent"]["artefact"]
    if artefact is not None and artefact.get("kind") == EMERGENCY:
        asked.append(("Access.emergencyOf", {"id": artefact["consent"]}))
    elif artefact is not None:
        asked.append(("Consent.consentOf", {"consent": artefact["consent"]}))
        asked.append(("Identity.keyOf", {"subject": hexes.to_hex(q.subject)}))
    return asked


@dataclass(frozen=True, slots=True)
class StorageWord:
    """One proved word: Merkle-Patricia nodes from the storage root down; on CometBFT two ICS-23 proofs, to the root of the EVM's
    store and from there to that of all stores."""

    slot: bytes
    value: bytes
    proof: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class AccountProof:
    """Proved words of one contract at one block (hash), with the account's own proof from the state root down (on CometBFT
    none)."""

    contract: str
    block: bytes
    account: Sequence[bytes]
    storage: Sequence[StorageWord]
    meaning: str

    def to_json(self) -> dict[str, Any]:
        """One member of ``ledger.proofs``."""
        words = [
            {"slot": hexes.to_hex(w.slot), "value": hexes.to_hex(word(w.value)), "proof": [hexes.to_hex(n) for n in w.proof]}
            for w in self.storage
        ]
        account = [hexes.to_hex(n) for n in self.account]
        return {
            "contract": self.contract,
            "block": hexes.to_hex(self.block),
            "account": account,
            "storage": words,
            "meaning": self.meaning,
        }


def evm_ledger(
    chain_id: int,
    ledger_id: bytes,
    contracts: Mapping[str, str],
    headers: Mapping[bytes, bytes],
    proofs: Iterable[AccountProof],
    commits: Iterable[Commit] = (),
) -> dict[str, Any]:
    """The ``ledger`` member. ``contracts``: name → 0x address; ``headers``: block hash → the header's RLP, or its fields on
    CometBFT, where the proofs rest on ``commits``."""
    signed = {hexes.to_hex(commit.block): commit.to_json() for commit in commits}
    return {
        "kind": "comet" if signed else "evm",
        **({"commits": signed} if signed else {}),
        "chainId": chain_id,
        "ledgerId": hexes.to_hex(ledger_id),
        "contracts": {name: address.lower() for name, address in contracts.items()},
        "headers": {hexes.to_hex(h): hexes.to_hex(rlp) for h, rlp in headers.items()},
        "proofs": [p.to_json() for p in proofs],
    }


@dataclass(frozen=True, slots=True)
class Validators:
    """Whose signatures a verifier takes: of the chain CometBFT calls so, each key's (Ed25519) power."""

    chain: str
    powers: Mapping[bytes, int]

    def to_json(self) -> dict[str, Any]:
        """Members of a checkpoint."""
        shown = [{"key": hexes.to_hex(key), "power": power} for key, power in sorted(self.powers.items())]
        return {"chain": self.chain, "validators": shown}


def checkpoint(
    chain_id: int,
    ledger_id: bytes,
    contracts: Mapping[str, str],
    blocks: Iterable[bytes],
    signers: Validators | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a verifier trusts (``verify --trust``): this ledger, these contracts, these block hashes, and whatever more than two
    thirds of these validators signed, or on Fabric (:func:`fabric_signers`) most members endorsed and orderers signed. Get it
    from somebody you trust."""
    return {
        **(signers.to_json() if isinstance(signers, Validators) else signers or {}),
        "kind": "healthtrust/checkpoint",
        "version": 1,
        "chainId": chain_id,
        "ledgerId": hexes.to_hex(ledger_id),
        "contracts": {name: address.lower() for name, address in contracts.items()},
        "blocks": [hexes.to_hex(b) for b in blocks],
    }


def fabric_signers(endorsed: Endorsed) -> dict[str, Any]:
    """Of a Fabric channel, for :func:`checkpoint`."""
    return {"channel": endorsed.channel, "chaincode": endorsed.chaincode, **endorsed.trust.to_json()}


def group_words(store: bytes, root: bytes, first: int, count: int) -> bytes:
    """What the custodian signs for receipts written together (docs/formats.md §7)."""
    return b"healthtrust/receipts/v1".ljust(32, b"\0") + store + root + u64(first) + u32(count) + bytes(20)
