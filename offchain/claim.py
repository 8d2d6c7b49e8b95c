"""One importer at a time. Two imports of a custodian would give one record two sequences; a rotation beside an import would leave
records under a key that is going.

The claim is a lock on a file in the custodian's folder, where the record store is too; the kernel lets go of it when the process
ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict


class AlreadyClaimed(Conflict):
    """Somebody else is importing, or changing keys, at this custodian."""

    default_code = "custodian_busy"
    default_zh = "该机构正在进行{what}（进程 {process}）。请等它结束后再试；已入库的内容不受影响。"
    default_en = (
        "At this custodian {what} is under way (process {process}). Wait for its end and run this again; nothing is lost."
    )


@contextmanager
def claimed(folder: Path, what: str) -> Iterator[None]:
    """Hold a custodian's folder for ``what`` while the block runs. Raises AlreadyClaimed naming who holds it."""
    with (folder / "import.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            process, _, theirs = file.read().partition(" ")
            raise AlreadyClaimed(what=theirs or "an import", process=process or "?") from None
        file.truncate(0)
        file.write(f"{os.getpid()} {what}")
        file.flush()
        yield
