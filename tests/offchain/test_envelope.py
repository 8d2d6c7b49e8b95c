"""Envelope encryption: what is sealed opens only as what it was sealed as, and a destroyed key stays destroyed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from offchain import database, repository
from offchain.envelope import ContentDestroyed, Envelope, EnvelopeError, Sealed
from offchain.models import EntryRow, KeyDestruction, RecordKey
from offchain.repository import Content, Records
from offchain.stores.files import FileStore

RECORD, SCHEMA = b"r" * 32, b"s" * 32
KEY, OTHER = b"k" * 16, b"o" * 16


@given(st.binary(max_size=3000), st.integers(1, 2**32 - 1))
def test_opens_as_sealed_and_only_so(plaintext: bytes, version: int) -> None:
    envelope = Envelope(KEY)
    sealed = envelope.seal(RECORD, version, SCHEMA, plaintext)
    assert envelope.open(RECORD, version, SCHEMA, sealed) == plaintext
    for record, number, schema in ((b"x" * 32, version, SCHEMA), (RECORD, version - 1, SCHEMA), (RECORD, version, b"x" * 32)):
        with pytest.raises(EnvelopeError):
            envelope.open(record, number, schema, sealed)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_any_flipped_bit_is_refused(plaintext: bytes, data: st.DataObject) -> None:
    envelope = Envelope(KEY)
    sealed = envelope.seal(RECORD, 1, SCHEMA, plaintext)
    bit = data.draw(st.integers(0, len(sealed.blob) * 8 - 1))
    blob = bytearray(sealed.blob)
    blob[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EnvelopeError):
        envelope.open(RECORD, 1, SCHEMA, Sealed(bytes(blob), sealed.wrapped, sealed.wrapped_by))


def test_every_seal_has_its_own_key_and_another_organisation_opens_nothing() -> None:
    first, second = (Envelope(KEY).seal(RECORD, 1, SCHEMA, b"same") for _ in range(2))
    assert first.blob != second.blob
    with pytest.raises(EnvelopeError):
        Envelope(KEY).open(RECORD, 1, SCHEMA, Sealed(first.blob, second.wrapped, second.wrapped_by))
    with pytest.raises(EnvelopeError):
        Envelope(OTHER).open(RECORD, 1, SCHEMA, first)


def test_a_stolen_wrapped_key_does_not_open_under_a_renamed_wrapping_key() -> None:
    sealed = Envelope(KEY).seal(RECORD, 1, SCHEMA, b"secret")
    with pytest.raises(EnvelopeError):
        Envelope(OTHER).open(RECORD, 1, SCHEMA, Sealed(sealed.blob, sealed.wrapped, Envelope(OTHER).wrapped_by))


def test_quarantined_rows_are_bound_to_their_digest() -> None:
    envelope = Envelope(KEY)
    blob = envelope.seal_row(b"d" * 32, b"row")
    assert envelope.open_row(b"d" * 32, blob) == b"row"
    with pytest.raises(EnvelopeError):
        envelope.open_row(b"e" * 32, blob)


@pytest.fixture
def custody(tmp_path):
    """A custodian with one stored record; yields (engine, store, sealed plaintext marker)."""
    engine = database.prepare(database.open_engine(f"sqlite:///{tmp_path / 'store.db'}"))
    store = FileStore(tmp_path / "records")
    sealed = Envelope(KEY).seal(RECORD, 1, SCHEMA, repository.pack(Content(b"z" * 32, {1: "甲", 3: 5.5})))
    place = store.append([sealed.blob])[0]
    with Session(engine) as session, session.begin():
        session.add(_row(place))
        session.add(RecordKey(record=RECORD, version=1, wrapped=sealed.wrapped, wrapped_by=sealed.wrapped_by))
    yield engine, store, sealed
    store.close()
    engine.dispose()


def _row(place) -> EntryRow:
    zero = bytes(32)
    return EntryRow(
        sequence=0, record=RECORD, version=1, subject=b"p" * 32, schema=SCHEMA, category=3, flags=0, commitment=zero,
        previous=zero, recorded_at=1, indexed_at=2, segment=place.segment, offset=place.offset, length=place.length,
    )  # fmt: skip


def test_a_destroyed_key_is_gone_from_every_byte_of_the_database_and_leaves_a_receipt(custody, tmp_path) -> None:
    engine, store, sealed = custody
    records = Records(b"o" * 32, store, Envelope(KEY))
    files = [tmp_path / name for name in ("store.db", "store.db-wal")]
    assert any(sealed.wrapped in f.read_bytes() for f in files if f.exists())
    with Session(engine) as session, session.begin():
        records.destroy(session, RECORD, by=b"a" * 32, reason="the resident asked for erasure", at=99)
    database.forget_freed_pages(engine)
    assert not any(sealed.wrapped in f.read_bytes() for f in files if f.exists())
    with Session(engine) as session:
        entry = repository.version(session, RECORD, 1)
        assert entry is not None
        assert len(records.leaf(entry)) == 256
        with pytest.raises(ContentDestroyed):
            records.content(session, entry)
        receipt = session.query(KeyDestruction).one()
        assert (receipt.record, receipt.versions, receipt.at) == (RECORD, 1, 99)
        with pytest.raises(KeyError):
            records.destroy(session, b"unknown" + bytes(25), by=b"a" * 32, reason="x", at=1)


def test_preparing_is_repeatable() -> None:
    engine = create_engine("sqlite://")
    assert database.prepare(database.prepare(engine)) is engine
