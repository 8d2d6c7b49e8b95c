"""A real node whose chain is full of events, made in seconds.

The events are ``AccessRequested`` in their real form, emitted by a small contract in Access's place, because a million signed
requests would measure the node's transaction pool.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from contracts.script.compile import build
from contracts.script.deploy import Member, deploy
from core import crypto
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.evm.rpc import Rpc
from network.evm.node import Node

EVENTS_A_TRANSACTION = 200
# for n = calldata word 0 down to 1: log3(data = the seed, topic word 1, keccak(seed ‖ n), word 2); the seed is word 3
EMITTER = bytes.fromhex("6060356000526000355b8015602a576001900380602052604035604060002060203560206000a36009565b00")
SCAN_BLOCKS = 50


class _Unsaved(Node):
    """Keeps its state in memory alone: the embedded node writes the whole of it as JSON every second, and with a million events
    does nothing else."""

    def _command(self) -> list[str]:
        command = super()._command()
        at = command.index("--state")
        return command[:at] + command[at + 4 :]

    def _await_first_state(self, deadline: float) -> None:
        """There is none."""


class EventfulChain:
    """A node that mines when told, with the platform's contracts and the emitter in Access's place."""

    def __init__(self, home: Path) -> None:
        self.node = _Unsaved(home / "node", 0, block_seconds=0.2).start()
        self._rpc = Rpc(self.node.url, 60.0)
        build()
        pair, self._key = crypto.sm2_generate(), b"\0" + secrets.token_bytes(31)
        sign = partial(crypto.sm2_sign, pair.private)
        member = Member(secrets.token_bytes(32), "BENCH", pair.public[:32], pair.public[32:], 31, sign)
        deploy(self.node.url, self._key, "bench", member, home / "contracts.json")
        self.node.hold()
        self._account = Account.from_key(self._key)
        self._nonce = int(self._rpc.call("eth_getTransactionCount", self._account.address, "latest"), 16)
        self.emitter = self._deploy_emitter()
        known = Deployment.parse(json.loads((home / "contracts.json").read_text()))
        self.deployment = replace(known, contracts={**known.contracts, "Access": self.emitter})
        with self.ledger() as ledger:
            specs = ledger._ctx.abis.events.values()
            self._topic = bytes.fromhex(next(s.topic for s in specs if s.name == "AccessRequested")[2:])

    @contextmanager
    def ledger(self) -> Iterator[EvmLedger]:
        """A read-only connection."""
        ledger = EvmLedger(connect(self.node.url, self.deployment, None, Limits(60.0, 1e9)))
        try:
            yield ledger
        finally:
            ledger.close()

    def block(self, events: int) -> None:
        """Mine one block with so many events."""
        sends = []
        for start in range(0, events, EVENTS_A_TRANSACTION):
            count = min(EVENTS_A_TRANSACTION, events - start)
            words = [count.to_bytes(32, "big"), self._topic, b"\1" * 32, secrets.token_bytes(32)]
            fields = {"to": to_checksum_address(self.emitter), "data": b"".join(words), "gas": 2_000_000}
            sends.append(("eth_sendRawTransaction", [self._signed(fields)]))
        self._rpc.all(sends)
        self._rpc.call("evm_mine")

    def height(self) -> int:
        """The height of the head."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def scan(self) -> int:
        """Every log of the chain read and cut into numbers and bytes, in memory; answers how many."""
        seen: list[tuple[Any, ...]] = []
        head = self.height()
        for start in range(0, head + 1, SCAN_BLOCKS):
            wanted = {"fromBlock": hex(start), "toBlock": hex(min(head, start + SCAN_BLOCKS - 1)), "address": self.emitter}
            for log in self._rpc.call("eth_getLogs", wanted):
                words = [bytes.fromhex(t[2:]) for t in (*log["topics"], log["data"], log["blockHash"], log["transactionHash"])]
                seen.append((int(log["blockNumber"], 16), int(log["logIndex"], 16), *words))
        return len(seen)

    def close(self) -> None:
        """Stop the node."""
        self._rpc.close()
        self.node.stop()

    def _deploy_emitter(self) -> str:
        # codesize − 12 bytes of constructor: copy what follows and return it
        constructor = bytes.fromhex(f"60{len(EMITTER):02x}600c60003960{len(EMITTER):02x}6000f3")
        id = self._rpc.call("eth_sendRawTransaction", self._signed({"data": constructor + EMITTER, "gas": 1_000_000}))
        self._rpc.call("evm_mine")
        return str(self._rpc.call("eth_getTransactionReceipt", id)["contractAddress"])

    def _signed(self, fields: dict[str, Any]) -> str:
        signed = self._account.sign_transaction(
            {**fields, "nonce": self._nonce, "gasPrice": 0, "value": 0, "chainId": self.node.chain_id}
        )
        self._nonce += 1
        return "0x" + signed.raw_transaction.hex()
