"""What every verb of the driver needs: the node, the tables, the addresses, our account, and the block we must not lose."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from gateway.ledger.evm.abi import Abis, Function
from gateway.ledger.evm.rpc import Rpc
from gateway.ledger.port import Block, Call, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason


@dataclass
class Context:
    """One open ledger. ``max_head_age``: seconds. ``account`` None: read-only. ``comet``: a CometBFT chain behind an Ethereum
    face (docs/decisions/0013): its first block is 1, its index comes after its blocks, and its pool is shown only in part.
    ``witness``: a second node that must say the same (:mod:`gateway.ledger.evm.witness`)."""

    rpc: Rpc
    abis: Abis
    info: LedgerInfo
    max_head_age: float
    account: LocalAccount | None
    gas_price: int = 0
    comet: bool = False
    former: Mapping[str, Sequence[str]] = field(default_factory=dict)
    witness: Rpc | None = None
    names: dict[str, str] = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    expected: Block | None = None
    recent: list[Block] = field(default_factory=list)
    next_nonce: int | None = None
    taken: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {address.lower(): name for name in self.info.contracts for address in self.addresses(name)}

    def close(self) -> None:
        """Drop the connections."""
        self.rpc.close()
        if self.witness is not None:
            self.witness.close()

    def address(self, contract: str) -> str:
        """Address of a contract. Raises LedgerError invalid_argument."""
        try:
            return self.info.contracts[contract]
        except KeyError:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"this ledger has no contract {contract}") from None

    def addresses(self, contract: str) -> list[str]:
        """The address of a contract and those that served its duty before. Raises LedgerError invalid_argument."""
        return [*self.former.get(contract, ()), self.address(contract)]

    def encode(self, call: Call) -> tuple[Function, dict[str, Any]]:
        """The function meant, and the transaction object that asks it from our account."""
        to = self.address(call.contract)
        function = self.abis.function(call.contract, call.method, call.args)
        tx: dict[str, Any] = {"to": to, "data": "0x" + function.encode(call.args).hex()}
        if self.account is not None:
            tx["from"] = self.info.account
        return function, tx

    def signer(self, account: str | None) -> LocalAccount:
        """Our key. Raises LedgerError invalid_argument when opened without one or for another account."""
        if self.account is None:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail="this ledger was opened without an account key: it only reads")
        if account is not None and account.lower() != self.info.account:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"no key for account {account}; ours is {self.info.account}")
        return self.account


def local_account(key: bytes | None) -> LocalAccount | None:
    """The account of a secp256k1 private key (32 bytes)."""
    if key is None:
        return None
    account: LocalAccount = Account.from_key(key)
    return account


def transaction_id(raw: bytes) -> str:
    """Id of a signed transaction: keccak256 of its bytes."""
    return "0x" + keccak(raw).hex()


def tag(at: int | bytes | None) -> Any:
    """A block as JSON-RPC wants it: a height, ``latest``, or EIP-1898 for a hash (which must be on the canonical chain)."""
    if at is None:
        return "latest"
    if isinstance(at, int):
        return hex(at)
    return {"blockHash": "0x" + at.hex(), "requireCanonical": True}
