"""A store that forgets: a double for tests and trials, refused in production (gateway.settings)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence

from offchain.stores.port import Location, StoreError


class MemoryStore:
    """Keeps blobs in this process. Everything is lost when it ends, and it says so."""

    def __init__(self) -> None:
        warnings.warn("records are kept in memory only and are lost when this process ends", stacklevel=2)
        self._data = bytearray()
        self._lock = threading.Lock()

    def append(self, blobs: Sequence[bytes]) -> list[Location]:
        """See :class:`offchain.stores.port.Store`."""
        with self._lock:
            places = []
            for blob in blobs:
                places.append(Location(1, len(self._data), len(blob)))
                self._data += blob
            return places

    def read(self, at: Location) -> bytes:
        """See :class:`offchain.stores.port.Store`."""
        with self._lock:
            blob = bytes(self._data[at.offset : at.offset + at.length])
        if at.segment != 1 or len(blob) != at.length:
            raise StoreError(detail=f"no blob of {at.length} bytes at {at.segment}:{at.offset}")
        return blob

    def close(self) -> None:
        """See :class:`offchain.stores.port.Store`."""
