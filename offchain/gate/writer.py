"""Receipts of many requests at once through one log: whoever asks while a write runs is in the next one (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from offchain.gate.grouped import Grouped
from offchain.receipts import Draft, Receipt, ReceiptLog

_T = TypeVar("_T")
GATHER_SECONDS = 0.008
"""Least time from one write to the next; a lone request does not wait for it."""


class ReceiptWriter:
    """Async front of a :class:`ReceiptLog`. One per process and event loop."""

    def __init__(self, log: ReceiptLog) -> None:
        self._log = log
        self._thread = ThreadPoolExecutor(1, "receipts")
        self._drafts: Grouped[Draft, Receipt | None] = Grouped(self._thread, log.write, GATHER_SECONDS)
        self._claims: Grouped[tuple[bytes, int], bool] = Grouped(self._thread, log.claim_many, GATHER_SECONDS)

    async def write(self, draft: Draft) -> Receipt | None:
        """The durable receipt, or None when the request's nonce was used before. Raises what the database raises: then
        nothing was written."""
        return await self._drafts.do(draft)

    async def claim(self, nonce: bytes, expires: int) -> bool:
        """Use up a nonce without a receipt; False if it was used before. Raises as :meth:`write`."""
        return await self._claims.do((nonce, expires))

    async def flush(self, now: int) -> None:
        """Store delivery marks that wait, and forget nonces that expired before ``now``."""
        await self._call(lambda: self._log.forget_nonces(now))
        await self._call(lambda: self._log.flush())

    async def get(self, number: int) -> Receipt | None:
        """A receipt by number."""
        return await self._call(lambda: self._log.get(number))

    def close(self) -> None:
        """Finish what is being written, store the last marks."""
        self._thread.shutdown(wait=True)
        self._log.close()

    async def _call(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
