"""Consent artefacts: parts that do not belong together are refused, sealing is for the recipients only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from core import artefact, crypto
from core.artefact import ConsentArtefact
from core.errors import ArtefactInvalid, DecryptionFailed, HealthTrustError
from core.messages import ConsentRevoke
from core.scope import Scope
from tests.core.shared import raw, vectors

V = vectors("artefact")
GOOD = ConsentArtefact.from_json(V["artefact"])
PRIVATE = raw(V["privateKey"])
ID, KEY = raw(V["recipient"]["id"]), raw(V["recipient"]["private"])


@pytest.mark.parametrize(
    "change",
    [
        {"salt": b"x" * 32},
        {"seed": b"x" * 32},
        {"consent": b"x" * 32},
        {"scope": replace(GOOD.scope, purposes=frozenset({0, 2, 3}))},
        {"scope": replace(GOOD.scope, end=GOOD.scope.end + 1)},
        {"scope": replace(GOOD.scope, uses=4)},
        {"scope": replace(GOOD.scope, subject=b"x" * 32)},
        {"signature": GOOD.signature[:-1] + bytes([GOOD.signature[-1] ^ 1])},
        {"public": crypto.sm2_public(b"\1" * 32)},
        {"public": b"\1" * 64},
        {"message": GOOD.message + bytes(32)},
        {"message": ConsentRevoke(b"d" * 32, GOOD.scope.subject, GOOD.consent, 1).pack()},
    ],
)
def test_a_changed_part_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ArtefactInvalid):
        replace(GOOD, **change).check()


@pytest.mark.parametrize("name", list(V["artefact"]))
def test_the_document_is_parsed_strictly(name: str) -> None:
    for bad in (None, 7, "x", [], {}):
        with pytest.raises(ArtefactInvalid):
            ConsentArtefact.from_json(V["artefact"] | {name: bad})
    with pytest.raises(ArtefactInvalid):
        ConsentArtefact.from_json({k: v for k, v in V["artefact"].items() if k != name})


def test_fresh_salt_and_seed_each_time() -> None:
    a, b = (artefact.build(GOOD.scope, PRIVATE, raw(V["domain"]), 0) for _ in range(2))
    assert a.salt != b.salt
    assert a.consent != b.consent
    a.check()


def test_sealing_is_for_the_recipients_only() -> None:
    mine, other = crypto.sm2_generate(), crypto.sm2_generate()
    sealed = artefact.seal(GOOD, {b"m" * 32: mine.public})
    assert artefact.open_sealed(sealed, b"m" * 32, mine.private) == GOOD
    with pytest.raises(ArtefactInvalid):
        artefact.open_sealed(sealed, b"o" * 32, other.private)
    with pytest.raises(DecryptionFailed):
        artefact.open_sealed(sealed, b"m" * 32, other.private)
    for word in (GOOD.salt.hex(), GOOD.seed.hex(), GOOD.scope.grantee.id.hex(), "TREAT"):
        assert word not in str(sealed)
    with pytest.raises(ArtefactInvalid):
        artefact.seal(GOOD, {})


@pytest.mark.parametrize("name", list(V["sealed"]))
def test_a_changed_sealed_artefact_does_not_open(name: str) -> None:
    value = V["sealed"][name]
    bad = [None, 7, "!", "0x" + "ab" * 32, [], "AAAA" + value[4:] if isinstance(value, str) else [{}]]
    for change in bad:
        with pytest.raises(HealthTrustError):
            artefact.open_sealed(V["sealed"] | {name: change}, ID, KEY)


def test_secrets_are_not_in_the_repr() -> None:
    assert repr(GOOD.salt) not in repr(GOOD)
    assert repr(GOOD.seed) not in repr(GOOD)


def test_scope_schema_says_what_the_parser_does() -> None:
    """The published JSON schema accepts the good documents; the parser refuses at least what it refuses."""
    path = Path(artefact.__file__).parent / "schemas" / "consent-scope.v1.json"
    validator = jsonschema_rs.validator_for(json.loads(path.read_text("utf-8")))
    for row in vectors("scope")["valid"]:
        validator.validate(row["document"])
    beyond = {"zero subject", "grantee zero", "period backwards", "period empty", "schema twice", "uses true", "version true"}
    for row in vectors("scope")["invalid"]:
        with pytest.raises(HealthTrustError):
            Scope.from_document(row["document"])
        assert not validator.is_valid(row["document"]) or row["why"] in beyond, row["why"]
