"""The embedded node: one real EVM node (anvil) as a child process with its state in one directory.

What it keeps and what it can lose: anvil rewrites its whole state as one JSON file every second and once more on SIGTERM. A
crash loses up to a second, or leaves a torn file. So every start first looks whether the file parses, keeps a copy of one that
does, and otherwise falls back to the copy with a warning. That the chain may come back older than its last answer is dealt with
above (docs/decisions/0005-embedded-node.md).

Blocks are asked for from here, one each ``block_seconds``. Anvil's own clock would keep the whole state of the last 1,500 blocks
in memory and write 3,600 more into the user's home; mining when told, it keeps HISTORY_BLOCKS and writes none.

The node has no account with power of its own: anvil's well-known development keys are not created, and every transaction must
be signed. Its administration methods cannot be switched off, so it listens on the loopback address only and must never be shown
to a network.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import urllib3

from network.attach import die_with_parent

log = logging.getLogger(__name__)

READY_SECONDS = 90.0
STOP_SECONDS = 15.0
BLOCK_GAS = 1_000_000_000
HISTORY_BLOCKS = 256


class NodeError(RuntimeError):
    """The node could not be started or did not answer."""


def anvil_binary() -> Path:
    """The node's program: ``HEALTHTRUST_ANVIL``, the npm package of this tree, or the search path. Raises NodeError with what
    to do."""
    given = os.environ.get("HEALTHTRUST_ANVIL")
    if given:
        return Path(given)
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), "linux")
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "amd64")
    root = Path(__file__).resolve().parents[2]
    for modules in (root / "node_modules", root / "network" / "evm" / "node_modules"):
        path = modules / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
        if path.is_file():
            return path
    found = shutil.which("anvil")
    if found:
        return Path(found)
    raise NodeError("anvil is not installed: run `npm ci` in the source tree, or set HEALTHTRUST_ANVIL")


class Node:
    """One node process. ``home``: its directory; ``block_seconds``: seconds between blocks; port 0 = any free one."""

    def __init__(
        self, home: Path, port: int = 8545, chain_id: int = 31337, block_seconds: float = 1.0, host: str = "127.0.0.1"
    ) -> None:
        self.home = home
        self.host = host
        self.port = port or free_port()
        self.chain_id = chain_id
        self.block_seconds = block_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._clock: _BlockClock | None = None
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)

    @property
    def url(self) -> str:
        """JSON-RPC address."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self.running() and self._process else None

    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Node:
        """Start and wait until it answers. Raises NodeError with the end of the node's log."""
        if self.running():
            return self
        self.home.mkdir(parents=True, exist_ok=True)
        recover_state(self.home)
        keep_one_genesis(self.home)
        with (self.home / "node.log").open("ab") as output:
            try:
                self._process = subprocess.Popen(self._command(), stdout=output, stderr=output, preexec_fn=_in_child)
            except OSError as e:
                raise NodeError(f"the node's program cannot be run: {e}; check HEALTHTRUST_ANVIL or run `npm ci`") from e
        self._await_ready()
        self._clock = _BlockClock(lambda: self._rpc("evm_mine", []), self.block_seconds)
        return self

    def stop(self) -> None:
        """SIGTERM, so that the node writes its state; SIGKILL if it takes longer than it may."""
        if self._process is None:
            return
        self.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("the node did not stop in %.0f s and was killed; it may come back up to a second older", STOP_SECONDS)
            self._process.kill()
            self._process.wait()
        self._process = None

    def hold(self) -> None:
        """From here on blocks are made only when the node is told to."""
        if self._clock is not None:
            self._clock.stop()

    def terminate(self) -> None:
        """Ask the process to end without waiting for it."""
        self.hold()
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL: what a power cut does."""
        self.hold()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end; its exit code. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        return self._process.wait(timeout) if self._process else 0

    def health(self) -> dict[str, Any]:
        """``{"running", "chain", "height", "time"}``. Raises NodeError when it does not answer."""
        chain, head = self._rpc("eth_chainId", []), self._rpc("eth_getBlockByNumber", ["latest", False])
        return {"running": True, "chain": int(chain, 16), "height": int(head["number"], 16), "time": int(head["timestamp"], 16)}

    def __enter__(self) -> Node:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _command(self) -> list[str]:
        flags = {
            "--host": self.host,
            "--port": str(self.port),
            "--chain-id": str(self.chain_id),
            "--state": str(self.home / "state.json"),
            "--state-interval": "1",
            "--prune-history": str(HISTORY_BLOCKS),
            "--gas-limit": str(BLOCK_GAS),
            "--base-fee": "0",
            "--gas-price": "0",
            "--accounts": "0",
        }
        switches = ["--no-mining", "--no-priority-fee", "--no-cors", "--no-request-size-limit", "--quiet"]
        return [str(anvil_binary()), *(part for pair in flags.items() for part in pair), *switches]

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if not self.running():
                raise NodeError(f"the node ended at once: {self._log_tail()}")
            try:
                answered = self.health()
            except NodeError:
                time.sleep(0.05)
                continue
            if answered["chain"] != self.chain_id:
                self.stop()
                raise NodeError(
                    f"port {self.port} answers for chain {answered['chain']}, not {self.chain_id}: another node is there"
                )
            return self._await_first_state(deadline)
        self.kill()
        raise NodeError(f"the node did not answer within {READY_SECONDS:.0f} s: {self._log_tail()}")

    def _await_first_state(self, deadline: float) -> None:
        """A new chain exists once its genesis is on disk: a crash before that would start another chain under the same
        contracts."""
        while not _whole(self.home / "state.json"):
            if time.monotonic() > deadline or not self.running():
                self.kill()
                raise NodeError(f"the node did not write its state: {self._log_tail()}")
            time.sleep(0.05)

    def _rpc(self, method: str, params: list[Any]) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = self._http.request("POST", self.url, json=body).json()
        except (urllib3.exceptions.HTTPError, ValueError) as e:
            raise NodeError(f"{self.url}: {e}") from e
        if not isinstance(answer, dict) or answer.get("result") is None:
            raise NodeError(f"{self.url}: {method} answered {answer}")
        return answer["result"]

    def _log_tail(self) -> str:
        with suppress(OSError):
            return (self.home / "node.log").read_text("utf-8", "replace")[-800:].strip() or "its log is empty"
        return "it left no log"


class _BlockClock:
    """Asks for a block each ``seconds`` until stopped. A block that takes longer than that delays the next one; none is made up
    for. A node that does not answer is asked again: whoever holds it notices its end."""

    def __init__(self, mine: Callable[[], Any], seconds: float) -> None:
        self._mine = mine
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="block-clock", daemon=True).start()

    def stop(self) -> None:
        """Ask for no more blocks. May be called from a signal handler."""
        self._stopped.set()

    def _run(self) -> None:
        due = time.monotonic() + self._seconds
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            with suppress(NodeError):
                self._mine()
            due = max(due + self._seconds, time.monotonic())


def recover_state(home: Path) -> None:
    """Before a start: keep a copy of a whole state file; put the copy in place of a torn one. Raises NodeError when both are
    torn (the chain is then lost on this machine; restore a backup)."""
    state, copy = home / "state.json", home / "state.last-good.json"
    if keep_copy(home):
        return
    if _whole(copy):
        log.warning("%s is torn or missing; going on from the last whole copy, which is older", state)
        if state.exists():
            os.replace(state, home / f"state.torn-{int(time.time())}.json")
        shutil.copyfile(copy, state)
    elif state.exists():
        raise NodeError(
            f"{state} is torn and there is no whole copy beside it: restore a backup of {home}, or move it away for a new chain"
        )


def keep_one_genesis(home: Path) -> None:
    """Before a start: leave only the chain's own genesis in the state.

    Anvil makes a genesis of its own at every start, then loads the state's blocks over it, then writes both back; the start after
    that would pick either one as block 0. Ours is the oldest.
    """
    path = home / "state.json"
    if not path.exists():
        return
    state = json.loads(path.read_bytes())
    first = [b for b in state["blocks"] if _number(b["header"]["number"]) == 0]
    if len(first) < 2:
        return
    own = min(first, key=lambda b: _number(b["header"]["timestamp"]))
    state["blocks"] = [own, *(b for b in state["blocks"] if _number(b["header"]["number"]) != 0)]
    written = home / "state.tmp"
    with written.open("w") as f:
        json.dump(state, f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(written, path)


def _number(value: str | int) -> int:
    return int(value, 0) if isinstance(value, str) else value


def keep_copies(node: Node, every: float = 30.0) -> None:
    """While the node runs, keep a whole copy of its state not much older than ``every`` seconds. Returns when the process has
    ended."""
    while True:
        try:
            node.wait(every)
        except subprocess.TimeoutExpired:
            keep_copy(node.home)
            continue
        return


def keep_copy(home: Path) -> bool:
    """Copy the state file if it is whole at this moment (the node may be in the middle of writing it)."""
    state, copy = home / "state.json", home / "state.last-good.json"
    try:
        content = state.read_bytes()
        whole = isinstance(orjson.loads(content), dict)
    except (OSError, ValueError):
        return False
    if whole:
        partial = copy.with_suffix(".tmp")
        partial.write_bytes(content)
        os.replace(partial, copy)
    return whole


def _whole(path: Path) -> bool:
    try:
        return isinstance(orjson.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def _in_child() -> None:
    """Before exec: leave Ctrl-C to the parent, which stops us in order, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
