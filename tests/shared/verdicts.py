"""What `core/verify` says of changed bundles, so that the page in the browser says the same; and its words."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from core import verify
from core.canonical import canonical
from core.verify import verdict
from core.verify import words as told

MARKS = {True: "+", False: "-", None: "?"}
"""Of a line: proved, disproved, not shown."""
ODD: tuple[Any, ...] = (None, [], {}, "", 0, True, 1.5, -1)
OFTEN = 3
"""Of the nodes of storage proofs, which are many and alike, every so-manieth is changed."""


FLIPPED = 211
"""Of the digits of Fabric's messages, every so-manieth is changed."""


def vector(bundle: Any, trust: Any, comet: dict[str, Any], fabric: dict[str, Any]) -> dict[str, Any]:
    """Content of ``verdicts.json``: rows of edits to ``bundle.json``, and to the ledger part and checkpoint of ``comet.json`` and
    ``fabric.json``, with the exit code and one mark a line."""
    rows = [_row(bundle, trust, edits) for edits in _edits(bundle, trust)]
    signed = [_row(comet["bundle"], comet["trust"], edits) for edits in _comet_edits(comet["bundle"], comet["trust"])]
    endorsed = [_row(fabric["bundle"], fabric["trust"], edits) for edits in _fabric_edits(fabric["bundle"], fabric["trust"])]
    texts = {code: {"zh": zh, "en": en} for code, (zh, en) in told.TEXTS.items()}
    notes = {code: {"zh": zh, "en": en} for code, (zh, en) in told.NOT_SHOWN.items()}
    rest = {"zh": told.RESTS_ON[0], "en": told.RESTS_ON[1]}
    missing = {"zh": told.MISSING[0], "en": told.MISSING[1]}
    emergency = {code: {"zh": zh, "en": en} for code, (zh, en) in told.IN_EMERGENCY.items()}
    words = {"lines": texts, "inEmergency": emergency, "notShown": notes, "missing": missing, "restsOn": rest}
    return {"words": words, "order": [code for code, _ in verdict._ORDER], "mandatory": sorted(told.MANDATORY), "rows": rows} | {
        "comet": signed,
        "fabric": endorsed,
    }


def apply(documents: dict[str, Any], edits: list[dict[str, Any]]) -> dict[str, Any]:
    """``{"bundle", "trust"}`` with edits ``{"path", "value"}`` or ``{"path", "removed"}`` made, or ``{"path", "flipped"}``: the
    lowest bit of that digit of the text."""
    made = copy.deepcopy(documents)
    for edit in edits:
        *way, last = edit["path"].split("/")
        here: Any = made
        for key in way:
            here = here[_key(here, key)]
        if "flipped" in edit:
            text, at = here[_key(here, last)], edit["flipped"]
            here[_key(here, last)] = f"{text[:at]}{int(text[at], 16) ^ 1:x}{text[at + 1 :]}"
        elif "removed" in edit:
            del here[_key(here, last)]
        else:
            here[_key(here, last)] = edit["value"]
    return made


def _key(document: Any, name: str) -> Any:
    return int(name) if isinstance(document, list) else name


def _edit(path: tuple[Any, ...], **what: Any) -> list[dict[str, Any]]:
    return [{"path": "/".join(map(str, path)), **what}]


def _row(bundle: Any, trust: Any, edits: list[dict[str, Any]]) -> dict[str, Any]:
    made = apply({"bundle": bundle, "trust": trust}, edits)
    report = verify.verify(made["bundle"], made.get("trust"))
    return {"edits": edits, "exit": report.exit_code, "lines": "".join(MARKS[x.ok] for x in report.lines if x.code != "bundle")}


def _edits(bundle: Any, trust: Any) -> Iterator[list[dict[str, Any]]]:
    yield []
    yield _edit(("trust",), removed=True)
    for path in (("ledger",), ("receipt", "anchor"), ("consent", "artefact")):
        yield _edit(("bundle", *path), value=None)
    yield from _own(bundle)
    for root, document in (("bundle", bundle), ("trust", trust)):
        for path in _members(document, (root,)):
            yield _edit(path, removed=True)
    for i, path in enumerate([*_leaves(bundle, ("bundle",)), *_leaves(trust, ("trust",))]):
        if "proof" in path and "proofs" in path and i % OFTEN:
            continue
        value = _at({"bundle": bundle, "trust": trust}, path)
        yield _edit(path, value=_other(value))
        yield _edit(path, value=ODD[i % len(ODD)])


def _comet_edits(bundle: Any, trust: Any) -> Iterator[list[dict[str, Any]]]:
    """What only a chain of validators has: headers, their signatures, two proofs a word, and whose signatures count."""
    yield []
    yield _edit(("trust",), removed=True)
    yield _edit(("trust", "blocks"), value=list(bundle["ledger"]["headers"]))
    yield [*_edit(("trust", "validators"), removed=True), *_edit(("trust", "blocks"), value=list(bundle["ledger"]["headers"]))]
    power = trust["validators"][0]["power"]
    for others in (power // 2, 2 * power):
        yield _edit(("trust", "validators"), value=[*trust["validators"], {"key": "0x" + "00" * 31 + "07", "power": others}])
    parts = (("bundle", "ledger"), bundle["ledger"]), (("trust",), trust)
    for path in (path for root, document in parts for path in _members(document, root)):
        if "storage" not in path or path[-1] == "storage":
            yield _edit(path, removed=True)
    for i, path in enumerate(path for root, document in parts for path in _leaves(document, root)):
        odd = ODD[i // OFTEN % len(ODD)]
        yield _edit(path, value=odd if i % OFTEN == 0 else _other(_at({"bundle": bundle, "trust": trust}, path)))
    for block, commit in bundle["ledger"]["commits"].items():
        few = commit["signatures"][:1]
        for shown in (few, few * 4, commit["signatures"][:3]):
            yield _edit(("bundle", "ledger", "commits", block, "signatures"), value=shown)


def _fabric_edits(bundle: Any, trust: Any) -> Iterator[list[dict[str, Any]]]:
    """What only a Fabric channel has: endorsed answers, an ordered block, and whose roots count."""
    yield []
    yield _edit(("trust",), removed=True)
    yield [*_edit(("trust", "orderers"), value={}), *_edit(("trust", "blocks"), value=[bundle["decision"]["block"]])]
    for needed in (0, 2):
        yield _edit(("trust", "signatures"), value=needed)
    parts = (("bundle", "ledger"), bundle["ledger"]), (("trust",), trust)
    for path in (path for root, document in parts for path in _members(document, root)):
        yield _edit(path, removed=True)
    for i, path in enumerate(path for root, document in parts for path in _leaves(document, root)):
        value = _at({"bundle": bundle, "trust": trust}, path)
        yield _edit(path, value=ODD[i % len(ODD)])
        if isinstance(value, str) and value.startswith("0x"):
            for digit in range(2, len(value), FLIPPED):
                yield _edit(path, flipped=digit)
        else:
            yield _edit(path, value=_other(value))


def _own(bundle: Any) -> Iterator[list[dict[str, Any]]]:
    """The bundle rewritten into a resident's own reading, step by step: few lines hold, but others are checked than before."""
    q, subject = "bundle/decision/request", bundle["record"]["subject"]
    told = json.loads(bundle["receipt"]["json"]) | {"requester": subject, "purpose": "PATRQT", "reason": "self", "consent": None}
    told["organisation"] = "0x" + "00" * 32
    made = [
        {"path": "bundle/decision/reason", "value": "self"},
        {"path": "bundle/consent/artefact", "value": None},
        {"path": f"{q}/requester", "value": subject},
        {"path": f"{q}/purpose", "value": 4},
        {"path": f"{q}/organisation", "value": told["organisation"]},
        {"path": "bundle/decision/fields", "value": bundle["decision"]["request"]["fields"]},
        {"path": "bundle/request/keyid", "value": f"subject:{subject}"},
        {"path": "bundle/request/publicKey", "value": bundle["consent"]["artefact"]["publicKey"]},
        {"path": "bundle/receipt/json", "value": canonical(told).decode()},
        {"path": "bundle/decision/state/custodian", "value": 2},
    ]
    for n in range(1, len(made) + 1):
        yield made[:n]


def _members(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _members(item, (*path, key))
    elif isinstance(value, list) and path[-1] in ("proofs", "storage", "hashes"):
        for i, item in enumerate(value):
            yield (*path, i)
            yield from _members(item, (*path, i))


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    else:
        yield path


def _at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _other(value: Any) -> Any:
    """A value of the same form that is not the same."""
    if isinstance(value, bool) or value is None:
        return "x" if value is None else not value
    if isinstance(value, int | float):
        return value + 1
    if value.startswith("0x") and len(value) > 2:
        middle = len(value) // 2
        return value[:middle] + ("1" if value[middle] != "1" else "2") + value[middle + 1 :]
    return value + "x"
