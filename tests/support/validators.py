"""The consortium's EVM chain to test on: four validators on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.script.compile import build
from contracts.script.deploy import Member, Precompiles, deploy
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.port import Call, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from network.evm.genesis import SM2_PRECOMPILE, SM3_PRECOMPILE
from network.evm.validators import ValidatorNetwork
from tests.support.world import Founded, Organisation

BLOCK_SECONDS = 0.2


class ValidatorChain:
    """Four validators, with one alliance after the other deployed to them."""

    kind = "evm"

    def __init__(
        self,
        home: Path | None = None,
        block_seconds: float = BLOCK_SECONDS,
        limits: Limits | None = None,
        strict: Limits | None = None,
    ) -> None:
        """``limits``: of who works on the chain; ``strict``: of who only looks at a validator (:meth:`seen_from`)."""
        build()
        self._temporary = tempfile.TemporaryDirectory(prefix="validators-") if home is None else None
        self.home = Path(self._temporary.name) if self._temporary else home
        assert self.home is not None
        self.network = ValidatorNetwork(self.home / "network", block_seconds=block_seconds)
        self.limits = limits or Limits(timeout=60.0)
        self.strict = strict or self.limits
        self.founded = 0
        try:
            self.network.start()
        except BaseException:
            self.close()
            raise

    @property
    def contracts_file(self) -> Path:
        """contracts.json of the alliance founded last."""
        assert self.home is not None
        return self.home / f"alliance-{self.founded}" / "contracts.json"

    def found(self, name: str, member: Organisation) -> Founded:
        self.founded += 1
        x, y = member.sm2.public[:32], member.sm2.public[32:]
        first = Member(member.id, member.code, x, y, member.roles, member.sign)
        precompiles = Precompiles(SM2_PRECOMPILE, SM3_PRECOMPILE)
        written = self.contracts_file
        deploy(self.network.urls[0], member.key, name, first, written, precompiles)
        return Founded(lambda key: self._open(written, key, 0, self.limits), written)

    def open(self, key: bytes | None, validator: int = 0, limits: Limits | None = None) -> Ledger:
        """Seen from a validator of one's own."""
        return self._open(self.contracts_file, key, validator, limits or self.limits)

    def _open(self, written: Path, key: bytes | None, validator: int, limits: Limits) -> Ledger:
        return EvmLedger(connect(self.network.urls[validator], Deployment.read(written), key, limits))

    @contextmanager
    def seen_from(self, validator: int) -> Iterator[Ledger]:
        """The alliance as one of the validators shows it, to somebody who only reads."""
        ledger = self.open(None, validator, self.strict)
        try:
            yield ledger
        finally:
            ledger.close()

    def height(self, validator: int) -> int:
        """A validator's newest block, 0 while it does not answer."""
        return self.network.status()["parts"][validator]["height"] or 0

    def refuses(self, validator: int, reason: Reason) -> bool:
        """Whether a question to a validator is refused for this reason (False also while it does not answer)."""
        try:
            with self.seen_from(validator) as ledger:
                ledger.read(Call("Alliance", "name"))
        except LedgerError as error:
            return error.reason is reason
        return False

    def close(self) -> None:
        self.network.stop()
        if self._temporary:
            self._temporary.cleanup()
