"""The EMPI: the same identifier is the same person; nothing is merged on a guess; no identifier is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.enrolment import normalise_name, normalise_number
from gateway.identity.registrar import KeyringRegistrar
from gateway.keyring import load_or_create
from offchain import database
from offchain.empi import Empi, IdentityConflict
from offchain.intake import systems
from offchain.intake.port import Person
from offchain.keys import RegistrarKeys

NUMBER = "999999194302230001"


@pytest.fixture
def keys(tmp_path: Path) -> RegistrarKeys:
    return RegistrarKeys(load_or_create(tmp_path / "registrar" / "keys.json", "TEST-REGISTRAR"))


@pytest.fixture
def empi(tmp_path: Path, keys: RegistrarKeys) -> Empi:
    return Empi(database.registrar_sessions(f"sqlite:///{tmp_path / 'registrar.db'}"), keys)


def _person(*identities: tuple[str, str], number: str | None = NUMBER, born: str = "1943-02-23", name: str = "黄翠英") -> Person:
    return Person(identities, name, born, number)


def test_one_identifier_in_two_sources_is_one_subject(empi: Empi) -> None:
    (first,) = empi.register("hospital", [_person((systems.RESIDENT_ID, NUMBER), ("", "h1"))])
    (second,) = empi.register("district", [_person((systems.RESIDENT_ID, NUMBER), ("", "d1"))])
    assert isinstance(first, bytes)
    assert first == second
    assert empi.resolve("hospital", [("", "h1"), ("", "d1")]) == {("", "h1"): first}
    assert empi.resolve("district", [("", "d1")]) == {("", "d1"): first}


def test_people_of_one_batch_may_share_an_identifier(empi: Empi) -> None:
    pair = [_person((systems.RESIDENT_ID, NUMBER), ("", "h1")), _person((systems.RESIDENT_ID, NUMBER), ("", "h2"))]
    first, second = empi.register("hospital", pair)
    assert first == second


def test_the_same_source_id_in_two_sources_is_two_people(empi: Empi) -> None:
    first = empi.register("hospital", [_person(("", "1"), number=None)])
    second = empi.register("district", [_person(("", "1"), number=None)])
    assert first != second


def test_the_subject_is_that_of_the_first_identifier_and_stays(empi: Empi, keys: RegistrarKeys) -> None:
    (first,) = empi.register("a", [_person(("urn:mrn", "77"), number=None)])
    assert first == keys.identifier("urn:mrn", "77")
    (later,) = empi.register("b", [_person((systems.PASSPORT, "X1"), ("urn:mrn", "77"), number=None)])
    (again,) = empi.register("c", [_person((systems.PASSPORT, "X1"), number=None)])
    assert first == later == again


def test_identifiers_of_two_people_are_refused_and_change_nothing(empi: Empi) -> None:
    a, b = empi.register("s", [_person(("urn:x", "a"), number=None), _person(("urn:x", "b"), number=None)])
    (both,) = empi.register("s", [_person(("urn:x", "a"), ("urn:x", "b"), ("urn:x", "c"), number=None)])
    assert isinstance(both, IdentityConflict)
    assert empi.resolve("s", [("urn:x", "a"), ("urn:x", "b"), ("urn:x", "c")]) == {("urn:x", "a"): a, ("urn:x", "b"): b}


def test_a_number_with_another_birth_date_is_refused(empi: Empi) -> None:
    empi.register("s", [_person((systems.RESIDENT_ID, NUMBER))])
    (other,) = empi.register("s", [_person((systems.RESIDENT_ID, NUMBER), born="1990-01-01")])
    assert isinstance(other, IdentityConflict)


@pytest.mark.parametrize("placeholder", ["000000000000000000", "不详", "N/A", "unknown", "--", "999-99-9999", ""])
def test_placeholders_do_not_make_one_person_of_everybody(empi: Empi, placeholder: str) -> None:
    people = [_person((systems.PASSPORT, placeholder), ("", str(n)), number=placeholder) for n in range(3)]
    assert len(set(empi.register("s", people))) == 3
    assert empi.directory() == []
    (nobody,) = empi.register("s", [_person((systems.PASSPORT, placeholder), number=None)])
    assert isinstance(nobody, IdentityConflict)


def test_the_database_holds_no_identifier_and_no_name(empi: Empi, tmp_path: Path) -> None:
    empi.register("s", [_person((systems.RESIDENT_ID, NUMBER), ("", "patient-4711"))])
    content = b"".join(p.read_bytes() for p in tmp_path.glob("registrar.db*"))
    for secret in (NUMBER, "黄翠英", "patient-4711", "1943-02-23"):
        assert secret.encode() not in content


def test_the_directory_is_what_the_gateway_computes_and_is_handed_over_once(
    empi: Empi, keys: RegistrarKeys, tmp_path: Path
) -> None:
    (subject,) = empi.register("s", [_person((systems.RESIDENT_ID, NUMBER))])
    gateway = KeyringRegistrar(keys.ring, lambda _public: bytes(32))
    (row,) = empi.directory()
    assert row.lookup == gateway.lookup("９９９９９９ 19430223-0001")
    assert row.name_check == gateway.name_check("黄 翠英")
    assert row.subject == subject
    assert row.activation == gateway.activation_code(row.subject, 0)
    empi.posted([row])
    assert empi.directory() == []


@given(st.text(), st.text())
def test_the_registrar_and_the_gateway_agree_on_names_and_numbers(number: str, name: str) -> None:
    assert normalise_number(normalise_number(number)) == normalise_number(number)
    assert normalise_name(f" {name} ") == normalise_name(name)
