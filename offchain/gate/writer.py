"""Receipts of many requests at once through one log: whoever asks while a write runs is in the next one (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from offchain.receipts import Draft, Receipt, ReceiptLog

_T = TypeVar("_T")
GATHER_SECONDS = 0.003
"""Least time from one write to the next; a lone request does not wait for it."""


class ReceiptWriter:
    """Async front of a :class:`ReceiptLog`. One per process and event loop."""

    def __init__(self, log: ReceiptLog) -> None:
        self._log = log
        self._thread = ThreadPoolExecutor(1, "receipts")
        self._waiting: list[tuple[Draft, asyncio.Future[Receipt | None]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def write(self, draft: Draft) -> Receipt | None:
        """The durable receipt, or None when the request's nonce was used before. Raises what the database raises: then
        nothing was written."""
        answer: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, answer))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        # A caller that goes away must not take the answer from under the writer: its receipt is written all the same.
        return await asyncio.shield(answer)

    async def claim(self, nonce: bytes, expires: int) -> bool:
        """Use up a nonce without a receipt; False if it was used before."""
        return await self._call(lambda: self._log.claim(nonce, expires))

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

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            began = loop.time()
            asked, self._waiting = self._waiting, []
            try:
                receipts: Sequence[Receipt | None] = await loop.run_in_executor(
                    self._thread, self._log.write, [d for d, _ in asked]
                )
            except Exception as e:
                _fail([f for _, f in asked], e)
            else:
                for (_, answer), receipt in zip(asked, receipts, strict=True):
                    answer.set_result(receipt)
            if self._waiting:
                await asyncio.sleep(max(0.0, began + GATHER_SECONDS - loop.time()))


def _fail(answers: Sequence[asyncio.Future[Receipt | None]], error: Exception) -> None:
    for answer in answers:
        answer.set_exception(error)
