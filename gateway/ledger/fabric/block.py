"""Blocks by height or hash."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger.fabric import query
from gateway.ledger.fabric.blocks import FabricBlock
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.head import to_block
from gateway.ledger.port import Block


def block(ctx: Context, height_or_hash: int | bytes) -> Block | None:
    """A block of the channel, or None."""
    if isinstance(height_or_hash, int):
        return blocks(ctx, [height_or_hash])[0]
    found = query.by_hash(ctx, height_or_hash)
    return None if found is None else to_block(found)


def blocks(ctx: Context, heights: Sequence[int]) -> list[Block | None]:
    """The blocks at these heights, None where there is none (yet)."""
    highest = query.chain_info(ctx)[0] if heights else -1
    there = {h: b for h in sorted(set(heights)) if 0 <= h <= highest and (b := ctx.read_before(h)) is not None}
    for start, stop in _stretches([h for h in sorted(set(heights)) if 0 <= h <= highest and h not in there]):
        there.update((b.height, b) for b in fetch(ctx, start, stop))
    return [to_block(there[h]) if h in there else None for h in heights]


def fetch(ctx: Context, start: int, stop: int) -> list[FabricBlock]:
    """The blocks from … to (inclusive), which the peer must have."""
    if start == stop:
        found = query.by_height(ctx, start)
        return [] if found is None else [found]
    with translated("prepare"):
        return [query.taken(ctx, b.SerializeToString()) for b in ctx.gateway.blocks(start, stop)]


def _stretches(heights: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending heights as runs without gaps."""
    runs: list[tuple[int, int]] = []
    for height in heights:
        if runs and runs[-1][1] == height - 1:
            runs[-1] = runs[-1][0], height
        else:
            runs.append((height, height))
    return runs
