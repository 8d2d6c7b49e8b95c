"""Document types: numbered, named in both languages, and identified by what they say."""

from __future__ import annotations

import json

import pytest

from core.ids import schema_id
from core.vocabulary import CATEGORIES, category_number
from offchain import standards
from offchain.standards.classification import category_of

EXPECTED = {
    "patient-summary", "encounter", "diagnosis", "laboratory-result", "vital-sign", "medication", "procedure", "immunization",
    "allergy", "clinical-note", "imaging-study", "care-plan", "device", "social-history",
}  # fmt: skip


def test_every_document_type_is_there() -> None:
    assert set(standards.document_types()) == EXPECTED


@pytest.mark.parametrize("kind", standards.document_types().values(), ids=lambda k: k.code)
def test_elements_are_numbered_without_gaps_and_named_in_both_languages(kind: standards.DocumentType) -> None:
    assert [e.n for e in kind.elements] == list(range(1, kind.element_count + 1))
    assert len({e.id for e in kind.elements}) == kind.element_count <= 256
    assert CATEGORIES.by_number(kind.category)
    for element in kind.elements:
        assert element.zh, element
        assert element.en, element
        assert 1 <= element.sensitivity <= 4
        assert element.code is None or element.code.startswith("DE0")


def test_the_id_changes_with_any_word_of_the_document() -> None:
    kind = standards.by_code("medication")
    assert kind.id == schema_id(dict(kind.document))
    changed = json.loads(json.dumps(kind.document))
    changed["elements"][3]["name"]["en"] += "!"
    assert schema_id(changed) != kind.id
    assert standards.by_id(kind.id) is kind
    assert standards.by_id(bytes(32)) is None


def test_an_unknown_name_is_an_error_and_not_dropped() -> None:
    with pytest.raises(KeyError):
        standards.by_code("medication").number({"no-such-element": 1})
    with pytest.raises(KeyError, match="patient-summary"):
        standards.by_code("no-such-type")


@pytest.mark.parametrize(
    ("system", "code", "category"),
    [
        ("http://hl7.org/fhir/sid/icd-10", "F32.900", "mental-health"),
        ("http://hl7.org/fhir/sid/icd-10", "X61", "mental-health"),
        ("http://snomed.info/sct", "706893006", "mental-health"),
        ("http://loinc.org", "44261-6", "mental-health"),
        ("http://loinc.org", "72166-2", "social-history"),
        ("http://hl7.org/fhir/sid/icd-10", "Z63.0", "social-history"),
    ],
)
def test_private_codes_leave_the_category_of_their_document(system: str, code: str, category: str) -> None:
    assert category_of(system, code) == category_number(category)


def test_ordinary_codes_stay() -> None:
    assert category_of("http://hl7.org/fhir/sid/icd-10", "I10") is None
    assert category_of("http://example.org/other", "F32.900") is None
