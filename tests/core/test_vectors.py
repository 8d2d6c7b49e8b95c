"""The shared vector files: what the generator makes, and what the code says to them."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from core import artefact, hexes, httpsig, ids, merkle, messages
from core.bundle import request_from_json, state_from_json
from core.canonical import canonical
from core.decision import Reason, decide, decide_opened, open_scope
from core.entry import IndexEntry, pack_many, pack_rows, unpack_many
from core.errors import HealthTrustError, Malformed, NotCanonical, ScopeMalformed
from core.receipt import Receipt, batch_root, check_chain, salted_leaf
from core.record import Disclosure, RecordTree, disclosed_canonical, element_salt, element_salts, verify_disclosure
from core.scope import Scope, use_chain
from core.words import kind_word, u64, word
from tests.core.shared import SHARED, raw, vectors

FILES = (
    "sm2",
    "sm3",
    "sm4",
    "merkle",
    "canonical",
    "words",
    "messages",
    "scope",
    "artefact",
    "entry",
    "record",
    "receipt",
    "httpsig",
    "decision",
    "bundle",
    "verdicts",
    "ics23",
)


@pytest.fixture(scope="module")
def generate() -> Iterator[Any]:
    before = list(sys.path)
    yield runpy.run_path(str(SHARED / "generate.py"))["text"]
    sys.path[:] = before


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_generator_makes(generate: Any, name: str) -> None:
    assert generate(name) == (SHARED / f"{name}.json").read_text("utf-8"), f"run: python tests/shared/generate.py {name}"


def test_decision_rows() -> None:
    rows = vectors("decision")["rows"]
    assert len(rows) >= 400
    assert {r["expected"]["reason"] for r in rows} == {int(r) for r in Reason}
    for row in rows:
        state, request = state_from_json(row["state"]), request_from_json(row["request"])
        words, salt, want = raw(row["words"]), raw(row["salt"]), row["expected"]
        got = decide(state, request, words, salt, row["time"])
        assert (int(got.outcome), int(got.reason), got.fields) == (want["outcome"], want["reason"], int(want["fields"], 16)), row[
            "name"
        ]
        assert decide_opened(state, request, open_scope(words, salt), row["time"]) == got


def test_merkle() -> None:
    v = vectors("merkle")
    leaves = [raw(h) for h in v["leafHashes"]]
    roots = {r["size"]: raw(r["root"]) for r in v["roots"]}
    assert merkle.leaf_hashes(map(raw, v["data"])) == leaves == [merkle.leaf_hash(raw(d)) for d in v["data"]]
    for size, root in roots.items():
        assert merkle.root(leaves[:size]) == merkle.Tree(leaves[:size]).root == root
    for row in v["inclusion"]:
        path = [raw(h) for h in row["hashes"]]
        assert merkle.inclusion_proof(leaves[: row["size"]], row["index"]) == path
        assert merkle.verify_inclusion(leaves[row["index"]], row["index"], row["size"], path, roots[row["size"]])
    for row in v["consistency"]:
        path = [raw(h) for h in row["hashes"]]
        old, new = merkle.root(leaves[: row["old"]]), merkle.root(leaves[: row["new"]])
        assert merkle.verify_consistency(row["old"], row["new"], old, new, path)


def test_canonical_json() -> None:
    v = vectors("canonical")
    for row in v["valid"]:
        assert canonical(json.loads(row["json"])).hex() == row["canonical"]
    for text in v["invalid"]:
        with pytest.raises(NotCanonical):
            canonical(json.loads(text))


def test_words_and_ids() -> None:
    v, x = vectors("words"), vectors("words")["ids"]
    for row in v["kinds"]:
        assert kind_word(row["name"]) == raw(row["word"])
    for row in v["numbers"]:
        assert (word(int(row["value"])), u64(int(row["value"]))) == (raw(row["word"]), raw(row["u64"]))
    assert ids.ledger_id(x["ledger"]["name"], raw(x["ledger"]["random"])) == raw(x["ledger"]["id"])
    assert ids.organisation_id(x["organisation"]["code"]) == raw(x["organisation"]["id"])
    assert ids.subject_id(raw(x["subject"]["key"]), x["subject"]["system"], x["subject"]["value"]) == raw(x["subject"]["id"])
    assert ids.practitioner_id(raw(x["practitioner"]["key"]), x["practitioner"]["licence"]) == raw(x["practitioner"]["id"])
    assert ids.schema_id(x["schema"]["document"]) == raw(x["schema"]["id"])
    assert ids.record_id(raw(x["record"]["key"]), x["record"]["system"], x["record"]["value"]) == raw(x["record"]["id"])
    assert ids.lookup(raw(x["lookup"]["key"]), x["lookup"]["number"]) == raw(x["lookup"]["id"])
    for row in v["useChains"]:
        chain = use_chain(raw(row["seed"]), row["uses"])
        assert chain == [raw(row["consent"]), *map(raw, row["spends"])]
        assert all(ids.chain(later, 1) == earlier for earlier, later in pairwise(chain))


def test_messages() -> None:
    v = vectors("messages")
    assert messages.domain(raw(v["ledgerId"]), raw(v["contract"])) == raw(v["domain"])
    assert messages.fabric_contract(v["fabric"]["channel"], v["fabric"]["chaincode"]) == raw(v["fabric"]["contract"])
    terms = messages.unpack_terms(raw(v["packed"]))
    assert messages.pack_terms(v["notBefore"], v["notAfter"], v["useLimit"], v["nonce"]) == raw(v["packed"]) == terms.pack()
    for row in (v["messages"] | v["organisationMessages"]).values():
        assert messages.parse(raw(row["bytes"])).pack() == raw(row["bytes"])


MESSAGES = vectors("messages")["messages"] | vectors("messages")["organisationMessages"]


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_refuse_other_shapes(name: str) -> None:
    good = raw(MESSAGES[name]["bytes"])
    for bad in (good[:-1], good[:-32], good + bytes(32), b"x" + good[1:], b""):
        with pytest.raises(Malformed):
            messages.parse(bad)
    if name.startswith("consent"):
        at = 5 * 32 + 20 if name != "consent-revoke" else 4 * 32 + 20
        with pytest.raises(Malformed):
            messages.parse(good[:at] + b"\1" + good[at + 1 :])


def test_an_account_message_names_twenty_bytes_and_a_yes_or_no() -> None:
    good = raw(MESSAGES["ledger-account"]["bytes"])
    for bad in (good[:96] + b"\1" + good[97:], good[:159] + b"\2" + good[160:]):
        with pytest.raises(Malformed):
            messages.parse(bad)


def test_scopes() -> None:
    v = vectors("scope")
    for row in v["valid"]:
        scope = Scope.from_document(row["document"])
        assert scope.to_document() == row["document"]
        assert scope.words() == raw(row["words"])
        assert Scope.from_words(raw(row["words"])) == scope
        assert scope.commitment(raw(v["salt"])) == raw(row["commitment"])
    for row in v["invalid"]:
        with pytest.raises(ScopeMalformed):
            Scope.from_document(row["document"])


def test_artefact() -> None:
    v = vectors("artefact")
    made = artefact.ConsentArtefact.from_json(v["artefact"])
    assert made.to_json() == v["artefact"]
    assert artefact.ConsentArtefact.from_json(v["amendment"]).to_json() == v["amendment"]
    assert artefact.open_sealed(v["sealed"], raw(v["recipient"]["id"]), raw(v["recipient"]["private"])) == made


def test_entries() -> None:
    v = vectors("entry")
    entries = [IndexEntry.unpack(raw(row["bytes"])) for row in v["entries"]]
    packed = [raw(row["bytes"]) for row in v["entries"]]
    for e, row in zip(entries, v["entries"], strict=True):
        assert (e.sequence, e.version, e.category, e.flags) == (row["sequence"], row["version"], row["category"], row["flags"])
        assert (hexes.to_hex(e.record), e.recorded_at, e.indexed_at) == (row["record"], row["recordedAt"], row["indexedAt"])
        assert e.tombstone == (row["flags"] == 1)
    rows = [
        (
            e.organisation,
            e.record,
            e.subject,
            e.commitment,
            e.schema,
            e.previous,
            e.sequence,
            e.version,
            e.category,
            e.flags,
            e.recorded_at,
            e.indexed_at,
        )
        for e in entries
    ]
    assert pack_many(entries) == pack_rows(rows) == packed
    assert unpack_many(b"".join(packed)) == entries
    assert merkle.root(merkle.leaf_hashes(packed)) == raw(v["root"])
    for row in v["invalid"]:
        with pytest.raises(Malformed):
            IndexEntry.unpack(raw(row["bytes"]))


def test_records() -> None:
    for row in vectors("record")["records"]:
        tree = RecordTree(
            raw(row["schema"]), row["elementCount"], {int(n): v for n, v in row["values"].items()}, raw(row["recordSalt"])
        )
        assert (tree.canonical, tree.commitment) == (raw(row["canonical"]), raw(row["commitment"]))
        assert element_salt(tree.record_salt, 1) == raw(row["elementSalt1"])
        count = row["elementCount"]
        assert element_salts(tree.record_salt, count) == [element_salt(tree.record_salt, n) for n in range(1, count + 1)]
        shown = tree.disclose(int(row["mask"], 16))
        assert shown.to_json() == row["disclosure"]
        assert disclosed_canonical(Disclosure.from_json(row["disclosure"])) == tree.canonical
        assert verify_disclosure(shown, tree.commitment)


def test_receipts() -> None:
    v = vectors("receipt")
    receipts = [Receipt.from_bytes(row["json"]) for row in v["receipts"]]
    assert check_chain(receipts) is None
    assert check_chain(receipts[:1] + receipts[2:]) == 1
    assert check_chain(receipts[1:]) == 0
    for r, row in zip(receipts, v["receipts"], strict=True):
        assert (r.hash(), salted_leaf(raw(row["salt"]), r.canonical())) == (raw(row["hash"]), raw(row["leafData"]))
    assert batch_root([raw(row["leafData"]) for row in v["receipts"]]) == raw(v["root"])
    for bad in ("{}", "[]", "1", "", v["receipts"][0]["json"] + " ", v["receipts"][0]["json"].replace('"permit"', '"maybe"')):
        with pytest.raises(HealthTrustError):
            Receipt.from_bytes(bad)


def test_signed_requests() -> None:
    v = vectors("httpsig")
    for row in v["requests"]:
        nonces = httpsig.MemoryNonces(0)
        body = raw(row["body"])
        seen = httpsig.parse_and_verify(
            row["headers"], row["method"], row["uri"], body, lambda *_: raw(v["publicKey"]), v["now"], nonces
        )
        assert (seen.base, seen.keyid, seen.digest()) == (row["base"], v["keyid"], raw(row["digest"]))
