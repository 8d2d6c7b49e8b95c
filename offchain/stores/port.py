"""The narrow port every content store implements: append bytes durably, read them back. It never sees plaintext or keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import HealthTrustError


@dataclass(slots=True)
class Location:
    """Where a blob lies: segment number, byte offset, length in bytes."""

    segment: int
    offset: int
    length: int


class StoreError(HealthTrustError):
    """A blob cannot be read or written: its segment is missing, shorter than the index says, or the medium fails."""

    status = 503
    default_code = "store_failed"
    default_zh = "档案存储出错：{detail}。未作任何更改。"
    default_en = "The record store failed: {detail}. Nothing was changed."


class StoreFull(StoreError):
    """The medium has no room. Nothing of the batch was kept; free space and run again."""

    status = 507
    default_code = "store_full"
    default_zh = "存储空间已满（{detail}）。本批未写入任何内容，请清理空间后重新运行。"
    default_en = "The store is full ({detail}). Nothing of this batch was kept; free space and run again."


class Store(Protocol):
    """A place for encrypted blobs. Thread-safe; one appending process at a time, any number of readers."""

    def append(self, blobs: Sequence[bytes]) -> list[Location]:
        """Store all of them or none; they are durable when this returns, in the order given.

        Raises StoreFull when there is no room.
        """

    def read(self, at: Location) -> bytes:
        """The blob at this place. Raises StoreError when it is not there."""

    def close(self) -> None:
        """Release files. The store must not be used afterwards."""
