"""Append-only segment files: one write and one fsync for a whole batch (ADR 0008).

A batch is written at the end of the newest segment and is durable before its places are returned; only then does the caller
commit the index rows that point there. A crash between the two leaves unreferenced ciphertext under keys that were never kept:
dead space, never a half record.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from offchain.stores.port import Location, StoreError, StoreFull

MAGIC = b"healthtrust/segment/v1\n"
SEGMENT_BYTES = 256 * 1024 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileStore:
    """Segments ``00000001.seg``, ``00000002.seg``, … in one directory (mode 0700, files 0600)."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._limit = segment_bytes
        self._threads = threading.Lock()
        self._readers: dict[int, int] = {}

    def append(self, blobs: Sequence[bytes]) -> list[Location]:
        """See :class:`offchain.stores.port.Store`. A batch never spans two segments."""
        if not blobs:
            return []
        with self._threads, self._only_writer():
            segment = self._writable_segment()
            start = self._write(segment, b"".join(blobs))
        places = []
        for blob in blobs:
            places.append(Location(segment, start, len(blob)))
            start += len(blob)
        return places

    def read(self, at: Location) -> bytes:
        """See :class:`offchain.stores.port.Store`."""
        blob = os.pread(self._reader(at.segment), at.length, at.offset)
        if len(blob) != at.length:
            raise StoreError(detail=f"segment {at.segment} ends before byte {at.offset + at.length}; restore it from a copy")
        return blob

    def close(self) -> None:
        """See :class:`offchain.stores.port.Store`."""
        with self._threads:
            for fd in self._readers.values():
                os.close(fd)
            self._readers.clear()

    def _path(self, segment: int) -> Path:
        return self._directory / f"{segment:08d}.seg"

    def _reader(self, segment: int) -> int:
        with self._threads:
            if segment not in self._readers:
                try:
                    self._readers[segment] = os.open(self._path(segment), os.O_RDONLY)
                except FileNotFoundError as missing:
                    raise StoreError(detail=f"segment {segment} is missing; restore it from a copy") from missing
            return self._readers[segment]

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        fd = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _writable_segment(self) -> int:
        newest = max((int(p.stem) for p in self._directory.glob("*.seg")), default=0)
        if newest and self._path(newest).stat().st_size < self._limit:
            return newest
        self._create(newest + 1)
        return newest + 1

    def _create(self, segment: int) -> None:
        # Written beside and renamed, so that a segment without its header is never seen.
        beside = self._path(segment).with_suffix(".tmp")
        try:
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _write_all(fd, MAGIC)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.replace(beside, self._path(segment))
        except OSError as error:
            raise _as_store_error(error, self._directory) from error
        _fsync_directory(self._directory)

    def _write(self, segment: int, data: bytes) -> int:
        fd = os.open(self._path(segment), os.O_WRONLY | os.O_APPEND)
        try:
            start = os.fstat(fd).st_size
            try:
                _write_all(fd, data)
                os.fsync(fd)
            except OSError as error:
                os.ftruncate(fd, start)
                raise _as_store_error(error, self._directory) from error
            return start
        finally:
            os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _as_store_error(error: OSError, directory: Path) -> StoreError:
    if error.errno in _FULL:
        return StoreFull(detail=directory.name)
    return StoreError(detail=f"{directory.name}: {error.strerror}")


def _fsync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
