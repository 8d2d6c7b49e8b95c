"""What the contracts hold, with every earlier value, so that a question can be asked of any block and blocks can be taken
back."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

Key = tuple[Any, ...]


class Store:
    """Values by key and height. Values are immutable; heights only grow (until :meth:`rewind`)."""

    def __init__(self) -> None:
        self._heights: dict[Key, list[int]] = {}
        self._values: dict[Key, list[Any]] = {}

    def get(self, key: Key, height: int) -> Any:
        """Value at the end of the block, or None."""
        at = bisect_right(self._heights.get(key, []), height)
        return self._values[key][at - 1] if at else None

    def put(self, height: int, changes: dict[Key, Any]) -> None:
        """Values as of this block."""
        for key, value in changes.items():
            heights, values = self._heights.setdefault(key, []), self._values.setdefault(key, [])
            if heights and heights[-1] == height:
                values[-1] = value
            else:
                heights.append(height)
                values.append(value)

    def rewind(self, height: int) -> None:
        """Forget everything after this block."""
        for key, heights in self._heights.items():
            keep = bisect_right(heights, height)
            del heights[keep:]
            del self._values[key][keep:]
