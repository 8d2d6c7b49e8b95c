"""``python -m network.evm --home DIR --port N``: the embedded node in the foreground; SIGTERM or Ctrl-C stops it with its state
written."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

from gateway import logs
from network.evm.node import Node, NodeError, keep_copies


def main() -> int:
    """Run until told to stop. Exit code 0 = stopped by signal, 1 = the node ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m network.evm", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory for the node's state")
    parser.add_argument("--port", type=int, default=8545)
    parser.add_argument("--chain-id", type=int, default=31337)
    parser.add_argument("--block-seconds", type=float, default=1.0)
    given = parser.parse_args()
    logs.configure("info")
    node = Node(given.home, given.port, given.chain_id, given.block_seconds)
    return run(node)


def run(node: Node) -> int:
    """Start, keep copies of the state, stop on SIGTERM or SIGINT."""
    stopped = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        node.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        node.start()
    except NodeError as e:
        if stopped:
            return 0
        logging.getLogger(__name__).error("%s", e)  # noqa: TRY400 - the message says what to do, a trace does not
        return 1
    logging.getLogger(__name__).info("node answers at %s, chain %d", node.url, node.chain_id)
    if stopped:
        node.terminate()
    keep_copies(node)
    return 0 if stopped else 1


if __name__ == "__main__":
    sys.exit(main())
