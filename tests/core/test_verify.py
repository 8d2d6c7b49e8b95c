"""The offline verifier: true bundles pass, every change shows, hostile input never crashes it."""

from __future__ import annotations

import ast
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from core import crypto, verify
from core.bundle import Slots
from core.canonical import canonical
from core.decision import Reason
from core.verify import canonical as checker_json
from core.verify import decide as checker_decision
from core.verify import evidence, hashes, sm2, words
from core.vocabulary import CATEGORIES, PURPOSES, ROLES
from tests.core.shared import SHARED, raw, vectors

PROGRAM = Path(verify.__file__).parent
BUNDLE, TRUST = vectors("bundle")["bundle"], vectors("bundle")["trust"]
# What may change without making anything false: labels for people.
FREE = {("ledger", "proofs", "meaning")}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all scalars."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def changed(document: Any, path: tuple[Any, ...], make: Any) -> Any:
    result = copy.deepcopy(document)
    at = result
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = make(at[path[-1]])
    return result


def other(value: Any) -> Any:
    """A value of the same form that is not the same."""
    if isinstance(value, bool) or value is None:
        return "x" if value is None else not value
    if isinstance(value, int | float):
        return value + 1
    if value.startswith("0x") and len(value) > 2:
        middle = len(value) // 2
        return value[:middle] + ("1" if value[middle] != "1" else "2") + value[middle + 1 :]
    return value + "x"


def test_the_whole_bundle_holds() -> None:
    report = verify.verify(BUNDLE, TRUST)
    assert report.exit_code == 0, report.text()
    assert all(line.ok for line in report.lines)
    assert {line.code for line in report.lines} == set(words.TEXTS)


def test_without_trust_or_ledger_it_says_so() -> None:
    assert verify.verify(BUNDLE).exit_code == 3
    bare = verify.verify({**BUNDLE, "ledger": None}, TRUST)
    assert bare.exit_code == 3
    assert {line.ok for line in bare.lines} == {True, None}
    no_anchor = {**BUNDLE, "receipt": {**BUNDLE["receipt"], "anchor": None}}
    report = verify.verify(no_anchor, TRUST)
    assert report.exit_code == 0
    assert [line.code for line in report.lines if line.ok is None] == ["receipt_anchor", "ledger_receipt"]


def test_one_missing_proof_is_not_success() -> None:
    for i, proof in enumerate(BUNDLE["ledger"]["proofs"]):
        cut = {
            **BUNDLE,
            "ledger": {**BUNDLE["ledger"], "proofs": BUNDLE["ledger"]["proofs"][:i] + BUNDLE["ledger"]["proofs"][i + 1 :]},
        }
        report = verify.verify(cut, TRUST)
        assert any(line.ok is None for line in report.lines), proof["meaning"]
        assert report.exit_code == (0 if proof["meaning"] in ("receipt batch", "subject's key") else 3)


def test_another_checkpoint() -> None:
    assert verify.verify(BUNDLE, {**TRUST, "blocks": ["0x" + "ab" * 32]}).exit_code == 3
    assert verify.verify(BUNDLE, {**TRUST, "blocks": []}).exit_code == 3
    for name in ("chainId", "ledgerId"):
        assert verify.verify(BUNDLE, {**TRUST, name: other(TRUST[name])}).exit_code == 1
    for name, address in TRUST["contracts"].items():
        assert verify.verify(BUNDLE, {**TRUST, "contracts": {**TRUST["contracts"], name: other(address)}}).exit_code == 1
    for bad in ({}, [], 1, {"kind": "healthtrust/checkpoint"}):
        assert verify.verify(BUNDLE, bad).exit_code == 1


@pytest.mark.parametrize("part", list(BUNDLE))
def test_every_changed_value_shows(part: str) -> None:
    """Flip each value of the bundle in turn: never exit 0."""
    for path in leaves(BUNDLE[part], (part,)):
        if tuple(p for p in path if isinstance(p, str)) in FREE:
            continue
        for make in (other, lambda _: None, lambda _: []):
            if make(value := at(BUNDLE, path)) == value:
                continue
            report = verify.verify(changed(BUNDLE, path, make), TRUST)
            # Where the change takes evidence away rather than making it false, a line must say so.
            assert report.exit_code != 0 or any(line.ok is None for line in report.lines), (path, report.text())


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize("part", list(BUNDLE))
def test_a_missing_member_shows(part: str) -> None:
    report = verify.verify({k: v for k, v in BUNDLE.items() if k != part}, TRUST)
    assert report.exit_code in (1, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("0x" + "00" * 32) | st.just("0x"),
    lambda c: st.lists(c, max_size=4) | st.dictionaries(st.text(max_size=6), c, max_size=4),
    max_leaves=10,
)
PATHS = [p[:n] for p in leaves(BUNDLE) for n in range(1, len(p) + 1)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PATHS), JSON), min_size=1, max_size=3), JSON)
def test_hostile_input_never_crashes_it(edits: list[tuple[tuple[Any, ...], Any]], trust: Any) -> None:
    bundle: Any = copy.deepcopy(BUNDLE)
    for path, value in edits:
        try:
            bundle = changed(bundle, path, lambda _, v=value: v)
        except (KeyError, IndexError, TypeError):
            continue
    assert verify.verify(bundle, trust).exit_code in (0, 1, 2, 3)
    assert verify.verify(trust, bundle).exit_code in (1, 2)


def test_deep_and_odd_documents() -> None:
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    odd = [None, [], "x", deep, {"kind": "healthtrust/proof-bundle", "version": 1}, {**BUNDLE, "version": 2}]
    assert [verify.verify(x, TRUST).exit_code for x in odd] == [2] * len(odd)
    record = {**BUNDLE["record"], "schema": {"elements": deep}}
    assert verify.verify({**BUNDLE, "record": record}, TRUST).exit_code == 1
    surrogate = {**BUNDLE["record"]["disclosure"], "values": {"1": "\ud800"}}
    assert verify.verify({**BUNDLE, "record": {**BUNDLE["record"], "disclosure": surrogate}}, TRUST).exit_code == 1


def test_command_line(tmp_path: Path) -> None:
    """As an outsider runs it: the folder alone, away from the package, without site packages."""
    shutil.copytree(PROGRAM, tmp_path / "verify", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "b.json").write_text(json.dumps(BUNDLE), "utf-8")
    (tmp_path / "t.json").write_text(json.dumps(TRUST), "utf-8")
    (tmp_path / "twice.json").write_text('{"kind": 1, "kind": 2}', "utf-8")
    (tmp_path / "deep.json").write_text("[" * 100_000, "utf-8")

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-E", "-s", "-S", "-m", "verify", *arguments],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=False,
            env={"PYTHONIOENCODING": "utf-8"},
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    assert run("b.json", "--trust", "t.json")[0] == 0
    code, text = run("b.json", "--lang", "zh")
    assert code == 3
    assert "检查点" in text
    code, text = run("b.json", "--trust", "t.json", "--json")
    assert json.loads(text)["exitCode"] == code == 0
    assert [run(name)[0] for name in ("none.json", "twice.json", "deep.json", "t.json")] == [2, 2, 2, 2]


def test_it_is_self_contained() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in PROGRAM.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    froms = {node.level: set() for node in nodes if isinstance(node, ast.ImportFrom)}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            froms[node.level].add(node.module or "")
    assert {n.split(".")[0] for n in names | froms[0]} <= sys.stdlib_module_names
    assert froms[1] <= {path.stem for path in PROGRAM.glob("*.py")}
    assert set(froms) == {0, 1}


def test_its_own_cryptography() -> None:
    for row in vectors("sm3")["lengths"] + vectors("sm3")["examples"]:
        assert hashes.sm3_pure(raw(row["message"])).hex() == row["digest"]
    for row in vectors("sm3")["hmac"]:
        assert hashes.hmac_sm3(raw(row["key"]), raw(row["message"])).hex() == row["mac"]
    example = vectors("sm2")["example"]
    assert sm2.sm2_verify(raw(example["public"]), raw(example["message"]), raw(example["signature"]))
    for row in vectors("sm2")["invalid"]:
        assert not sm2.sm2_verify(raw(row["public"]), raw(row["message"]), raw(row["signature"])), row["why"]
    for row in vectors("sm2")["badPublicKeys"]:
        assert not sm2.sm2_verify(raw(row["key"]), b"", raw(example["signature"]))
    assert hashes.keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert hashes.keccak256(b"x" * 136).hex() == keccak_of_the_library(b"x" * 136)


def keccak_of_the_library(data: bytes) -> str:
    from eth_utils.crypto import keccak

    return keccak(data).hex()


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=400))
def test_its_keccak_is_the_libraries(data: bytes) -> None:
    assert hashes.keccak256(data).hex() == keccak_of_the_library(data)


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=40))
def test_its_sm2_agrees_with_the_engine(message: bytes) -> None:
    pair = crypto.sm2_generate()
    signature = crypto.sm2_sign(pair.private, message)
    assert sm2.sm2_verify(pair.public, message, signature)
    assert not sm2.sm2_verify(pair.public, message + b"x", signature)


def test_its_decision_canonical_json_and_scope() -> None:
    for row in vectors("decision")["rows"]:
        got = checker_decision.decide(row["state"], row["request"], raw(row["words"]), raw(row["salt"]), row["time"])
        assert got == (row["expected"]["reason"], int(row["expected"]["fields"], 16)), row["name"]
    for row in vectors("canonical")["valid"]:
        assert checker_json.canonical(json.loads(row["json"])).hex() == row["canonical"]
    for row in vectors("scope")["valid"]:
        assert checker_decision.scope_words(row["document"]) == raw(row["words"])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_its_numbers_are_ecmascripts(value: float) -> None:
    assume(not 2**53 <= abs(value) < 1e21)
    assert checker_json.canonical(value) == canonical(value)


def test_its_tables_are_the_vocabulary() -> None:
    assert [t.code for t in PURPOSES.terms] == list(checker_decision.PURPOSES)
    assert [t.code for t in CATEGORIES.terms] == list(checker_decision.CATEGORIES)
    assert [t.code for t in ROLES.terms] == list(checker_decision.ROLES)
    assert [r.text for r in Reason] == list(checker_decision.REASONS)
    ours = (
        Slots.CONSENT_CONSENTS,
        Slots.DATAINDEX_BATCHES,
        Slots.ACCESS_BATCHES,
        Slots.ACCESS_EMERGENCIES,
        Slots.IDENTITY_KEYS,
        Slots.IDENTITY_CREDENTIALS,
    )
    assert [*ours, Slots.ALLIANCE_ORGANISATIONS] == list(evidence.SLOTS.values())


LAYOUT = {
    ("Consent", "_consents"): (
        Slots.CONSENT_CONSENTS,
        {
            "subject": (0, 0),
            "commitment": (1, 0),
            "notBefore": (2, 0),
            "notAfter": (2, 8),
            "useLimit": (2, 16),
            "uses": (2, 20),
            "status": (2, 31),
        },
    ),
    ("DataIndex", "_batches"): (Slots.DATAINDEX_BATCHES, {"root": (0, 0), "firstSequence": (1, 0), "count": (1, 8)}),
    ("Access", "_batches"): (Slots.ACCESS_BATCHES, {"root": (0, 0), "firstNumber": (1, 0), "count": (1, 8)}),
    ("Access", "_emergencies"): (
        Slots.ACCESS_EMERGENCIES,
        {"organisation": (0, 0), "commitment": (1, 0), "endsAt": (2, 0), "reviewBy": (2, 8), "outcome": (2, 16)},
    ),
    ("Identity", "_keys"): (Slots.IDENTITY_KEYS, {"x": (0, 0), "y": (1, 0)}),
    ("Identity", "_credentials"): (
        Slots.IDENTITY_CREDENTIALS,
        {
            "organisation": (0, 0),
            "x": (1, 0),
            "y": (2, 0),
            "notBefore": (3, 0),
            "notAfter": (3, 8),
            "roles": (3, 16),
            "status": (3, 20),
        },
    ),
    ("Alliance", "_organisations"): (Slots.ALLIANCE_ORGANISATIONS, {"status": (0, 0), "x": (1, 0), "y": (2, 0)}),
}


@pytest.mark.parametrize(("contract", "mapping"), list(LAYOUT))
def test_storage_layout_is_the_compilers(contract: str, mapping: str) -> None:
    """The verifier reads contract storage by position; the compiler says where things are."""
    artifact = SHARED.parent.parent / "contracts" / "artifacts" / f"{contract}.json"
    if not artifact.exists():
        pytest.skip(f"contracts are not built: {artifact} is missing")
    document = json.loads(artifact.read_text("utf-8"))
    layout = document.get("storageLayout") or document["storage_layout"]
    slot, members = LAYOUT[contract, mapping]
    found = next(v for v in layout["storage"] if v["label"] == mapping)
    assert int(found["slot"]) == slot
    kind = layout["types"][found["type"]]
    while "value" in kind:
        kind = layout["types"][kind["value"]]
    places = {m["label"]: (int(m["slot"]), int(m["offset"])) for m in kind["members"]}
    assert {name: places[name] for name in members} == members
