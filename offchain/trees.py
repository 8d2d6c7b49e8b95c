"""A batch's Merkle tree as a flat file: all levels, 32 bytes a node, so that a proof is a handful of reads and no hashing.

Layout: magic (32 bytes), number of leaves u64, then level 0 (leaf hashes), level 1, … up to the root (docs/formats.md §2 shape).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core import merkle
from core.words import kind_word

MAGIC = kind_word("healthtrust/tree-file/v1")
_HEAD = 40
_NODE = 32


class TreeDamaged(Exception):
    """The file is not a whole tree file; it can be made again from the index entries."""


@dataclass(slots=True)
class Path32:
    """An audit path: leaf hash, its index, tree size, sibling hashes lowest first, root."""

    leaf: bytes
    index: int
    size: int
    hashes: list[bytes]
    root: bytes


class TreeFile:
    """A tree file opened for proofs. Close it when done (or use ``with``)."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as empty:
                raise TreeDamaged(path.name) from empty
        self.size = int.from_bytes(self._map[32:_HEAD], "big")
        self._levels = _levels(self.size)
        end = _HEAD + _NODE * sum(self._levels)
        if self._map[:32] != MAGIC or not self.size or len(self._map) != end:
            self._map.close()
            raise TreeDamaged(path.name)

    @property
    def root(self) -> bytes:
        """Root hash."""
        return self._map[-_NODE:]

    def path(self, index: int) -> Path32:
        """Audit path of leaf ``index`` (RFC 9162 §2.1.3.1). IndexError if there is no such leaf."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} of a tree of {self.size}")
        at, base, hashes, nodes = index, _HEAD, [], self._map
        for width in self._levels[:-1]:
            sibling = at ^ 1
            if sibling < width:
                start = base + _NODE * sibling
                hashes.append(nodes[start : start + _NODE])
            base += _NODE * width
            at >>= 1
        start = _HEAD + _NODE * index
        return Path32(nodes[start : start + _NODE], index, self.size, hashes, self.root)

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()

    def __enter__(self) -> TreeFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_tree(path: Path, leaves: Sequence[bytes]) -> bytes:
    """Build the tree over leaf hashes and make its file durable under ``path``; returns the root. ValueError for no leaves."""
    if not leaves:
        raise ValueError("a batch has at least one entry")
    tree = merkle.Tree(leaves)
    parts = [MAGIC, len(leaves).to_bytes(8, "big"), *(b"".join(level) for level in tree.levels)]
    write_durably(path, parts)
    return tree.root


def write_durably(path: Path, parts: Sequence[bytes]) -> None:
    """Write a whole file or none: beside, fsync, rename, fsync the directory. Mode 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(fd, "wb", buffering=0) as file:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[file.write(rest) or 0 :]
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _levels(size: int) -> list[int]:
    widths = [size]
    while widths[-1] > 1:
        widths.append((widths[-1] + 1) // 2)
    return widths
