"""Stores: what was appended can be read, and nothing of a batch that failed is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offchain.stores import files
from offchain.stores.files import FileStore
from offchain.stores.memory import MemoryStore
from offchain.stores.port import Location, Store, StoreError, StoreFull


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "memory":
        with pytest.warns(UserWarning, match="memory only"):
            made: Store = MemoryStore()
    else:
        made = FileStore(tmp_path / "records")
    yield made
    made.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(batches=st.lists(st.lists(st.binary(max_size=200), max_size=5), max_size=5))
def test_everything_appended_can_be_read(store: Store, batches: list[list[bytes]]) -> None:
    placed = [(place, blob) for batch in batches for place, blob in zip(store.append(batch), batch, strict=True)]
    assert [store.read(place) for place, _ in placed] == [blob for _, blob in placed]


def test_a_place_that_is_not_there_is_an_error(store: Store) -> None:
    (place,) = store.append([b"abc"])
    for wrong in (Location(99, 0, 3), Location(place.segment, place.offset, 4), Location(place.segment, place.offset + 10**6, 1)):
        with pytest.raises(StoreError):
            store.read(wrong)


def test_segments_roll_and_survive_reopening(tmp_path: Path) -> None:
    store = FileStore(tmp_path, segment_bytes=100)
    places = [store.append([bytes([i]) * 60])[0] for i in range(5)]
    store.close()
    assert len({p.segment for p in places}) > 1
    again = FileStore(tmp_path, segment_bytes=100)
    assert [again.read(p) for p in places] == [bytes([i]) * 60 for i in range(5)]
    again.close()


def test_files_are_only_for_their_owner(tmp_path: Path) -> None:
    FileStore(tmp_path / "records").append([b"x"])
    assert (tmp_path / "records").stat().st_mode & 0o077 == 0
    assert all(p.stat().st_mode & 0o077 == 0 for p in (tmp_path / "records").iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("written", [0, 7])
def test_a_full_disk_keeps_nothing_of_the_batch_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, written: int
) -> None:
    store = FileStore(tmp_path)
    (before,) = store.append([b"before"])
    size = (tmp_path / "00000001.seg").stat().st_size

    def partly(fd: int, data: bytes) -> None:
        os.write(fd, data[:written])
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_all", partly)
        with pytest.raises(StoreFull) as refused:
            store.append([b"never", b"kept"])
    assert "free space" in refused.value.en
    assert refused.value.zh
    assert (tmp_path / "00000001.seg").stat().st_size == size
    (after,) = store.append([b"after"])
    assert (store.read(before), store.read(after)) == (b"before", b"after")
    store.close()


def test_a_full_disk_while_a_segment_is_made_leaves_no_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    store = FileStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_all", full)
        with pytest.raises(StoreFull):
            store.append([b"x"])
    assert not list(tmp_path.glob("*.seg"))
    assert store.read(store.append([b"x"])[0]) == b"x"
    store.close()


def test_it_is_on_disk_before_the_place_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_size), real(fd)))
    store = FileStore(tmp_path)
    (place,) = store.append([b"x" * 1000])
    assert max(synced) >= place.offset + place.length
    store.close()
