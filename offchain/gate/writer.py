"""Receipts of many requests at once through one log: whoever asks while a write runs is in the next one (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from offchain.receipts import Draft, Receipt, ReceiptLog

_T = TypeVar("_T")
_Item = TypeVar("_Item")
GATHER_SECONDS = 0.003
"""Least time from one write to the next; a lone request does not wait for it."""


class ReceiptWriter:
    """Async front of a :class:`ReceiptLog`. One per process and event loop."""

    def __init__(self, log: ReceiptLog) -> None:
        self._log = log
        self._thread = ThreadPoolExecutor(1, "receipts")
        self._drafts: _Grouped[Draft, Receipt | None] = _Grouped(self._thread, log.write)
        self._claims: _Grouped[tuple[bytes, int], bool] = _Grouped(self._thread, log.claim_many)

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


class _Grouped(Generic[_Item, _T]):
    """One blocking function over many items, called for all who wait."""

    def __init__(self, thread: ThreadPoolExecutor, work: Callable[[list[_Item]], Sequence[_T]]) -> None:
        self._thread = thread
        self._work = work
        self._waiting: list[tuple[_Item, asyncio.Future[_T]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def do(self, item: _Item) -> _T:
        """The function's answer for this item; raises what it raised for the group."""
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        # A caller that goes away must not take the answer from under the writer: its item is written all the same.
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            began = loop.time()
            asked, self._waiting = self._waiting, []
            try:
                answers = await loop.run_in_executor(self._thread, self._work, [item for item, _ in asked])
            except Exception as e:
                for _, waiting in asked:
                    waiting.set_exception(e)
            else:
                for (_, waiting), answer in zip(asked, answers, strict=True):
                    waiting.set_result(answer)
            if self._waiting:
                await asyncio.sleep(max(0.0, began + GATHER_SECONDS - loop.time()))
