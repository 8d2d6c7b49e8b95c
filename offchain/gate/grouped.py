"""Many who ask at the same time, answered together: whoever comes while one round is under way is in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_T = TypeVar("_T")
_Item = TypeVar("_Item")


class Grouped(Generic[_Item, _T]):
    """One blocking function over many items, run in ``thread`` for all who wait. One per event loop."""

    def __init__(self, thread: ThreadPoolExecutor, work: Callable[[list[_Item]], Sequence[_T]], pause: float) -> None:
        """``work``: answers in the order of the items. ``pause``: least seconds from the start of one round to the next; a lone
        item does not wait for it."""
        self._thread = thread
        self._work = work
        self._pause = pause
        self._waiting: list[tuple[_Item, asyncio.Future[_T]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def do(self, item: _Item) -> _T:
        """The function's answer for this item; raises what it raised for the round."""
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        # A caller that goes away must not take the answer from under the round: its item is worked on all the same.
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
                await asyncio.sleep(max(0.0, began + self._pause - loop.time()))
