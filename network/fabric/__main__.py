"""``python -m network.fabric --home DIR``: a network in the foreground, with the ledger's contracts on its channel. What dies is
started again; SIGTERM or Ctrl-C stops it in order."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from core.errors import ForPeople
from gateway import logs
from network.fabric.network import FabricNetwork

LOOK_SECONDS = 1.0
_log = logging.getLogger("network.fabric")


class Stopped(BaseException):
    """We were told to stop."""


def main() -> int:
    """Run until told to stop. Exit code 0 = stopped by signal, 1 = the network could not be made or mended."""
    parser = argparse.ArgumentParser(prog="python -m network.fabric", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory of the network")
    parser.add_argument("--organisations", type=int, default=3, help="members of a new network")
    parser.add_argument("--chaincode", default="healthtrust", help="name under which the contracts are on the channel")
    given = parser.parse_args()
    logs.configure("info")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    network = FabricNetwork(given.home, given.organisations)
    try:
        _run(network, given.chaincode)
    except Stopped:
        return 0
    except ForPeople as error:
        _log.error("%s", error)
        return 1
    finally:
        network.ready.unlink(missing_ok=True)
        network.stop()


def _run(network: FabricNetwork, chaincode: str) -> NoReturn:
    network.ready.unlink(missing_ok=True)
    network.start()
    network.commit_chaincode(chaincode)
    network.ready.touch()
    _log.info("the network is whole, %s is on its channel", chaincode)
    while True:
        time.sleep(LOOK_SECONDS)
        if gone := network.gone():
            _log.warning("ended: %s; healing", ", ".join(gone))
            network.heal()


def _stop(_: int, __: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
