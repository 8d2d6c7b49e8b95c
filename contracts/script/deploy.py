"""Deploy all contracts to a chain, publish them in the Registry, and write ``contracts.json`` (docs/ledger.md).

Crash order: the signed transactions are written to ``deployment.json`` first, then sent, then ``contracts.json`` is written.
A start that finds only the first file, or a chain that came back without them, sends the same transactions again: same
addresses, same ledger id.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from contracts.script.compile import ARTIFACTS
from core import crypto
from core.errors import ForPeople
from core.ids import ledger_id
from core.messages import AllianceProposal, domain

KIND = "healthtrust/contracts"
GAS = 12_000_000
WAIT_SECONDS = 120.0
EXECUTE = 6  # Action.Execute of contracts/src/types/Types.sol
CONTRACTS: dict[str, tuple[str, ...]] = {
    # name: addresses its constructor takes, in order; each is deployed before those that need it
    "SM2Verifier": (),
    "Alliance": ("SM2Verifier",),
    "Registry": ("Alliance",),
    "Identity": ("Registry", "SM2Verifier"),
    "Schema": ("Registry",),
    "DataIndex": ("Registry",),
    "Consent": ("Registry", "SM2Verifier", "Identity"),
    "Access": ("Registry", "SM2Verifier", "Identity"),
    "Workflow": ("Registry",),
    "Evidence": ("Registry",),
}


class DeployError(ForPeople):
    """The contracts are not, or could not be, on this chain; the message says why and what to do."""


@dataclass(frozen=True)
class Member:
    """The first member of the alliance. ``id``: organisation id (32 bytes); ``x``, ``y``: its SM2 key (32 bytes each);
    ``roles``: bits of docs/ledger.md; ``sign``: r‖s of a message by that key, wherever it lies."""

    id: bytes
    code: str
    x: bytes
    y: bytes
    roles: int
    sign: Callable[[bytes], bytes]
    name: str = ""


@dataclass(frozen=True)
class Precompiles:
    """Addresses of the chain's SM2 and SM3 precompiles; empty = computed in the contract."""

    sm2: str = ""
    sm3: str = ""


def deploy(
    url: str, private_key: bytes, alliance_name: str, first_member: Member, path: Path, precompiles: Precompiles | None = None
) -> dict[str, Any]:
    """Make sure the contracts are on the chain behind ``url``; returns what ``path`` (``contracts.json``) holds.

    ``private_key``: secp256k1 key (32 bytes) of the deployer, which becomes the first member's ledger account. Does nothing
    when ``path`` already describes this chain.
    Raises DeployError when it describes another one, or the chain refuses a transaction.
    """
    with closing(Chain(url)) as chain:
        return _deploy(chain, private_key, alliance_name, first_member, path, precompiles or Precompiles())


def _deploy(
    chain: Chain, private_key: bytes, alliance_name: str, first_member: Member, path: Path, precompiles: Precompiles
) -> dict[str, Any]:
    known = _read(path)
    if known is not None:
        _same_chain(chain, known, path)
        if chain.has_code(known["contracts"].values()):
            return known
    signed_path = path.with_name("deployment.json")
    signed = _read(signed_path)
    if signed is None:
        signed = _sign(chain, Account.from_key(private_key), alliance_name, first_member, precompiles)
        _write(signed_path, signed)
    _same_chain(chain, signed, signed_path)
    block = chain.send_all([bytes.fromhex(raw[2:]) for raw in signed["transactions"]])
    alliance = signed["contracts"]["Alliance"]
    facts = {k: signed[k] for k in ("kind", "version", "chainId", "genesis", "contracts")}
    written = {**facts, "ledgerId": chain.call(alliance, _selector("ledgerId()")), "block": block}
    _write(path, written)
    return written


def deploy_next(url: str, private_key: bytes, compiled: Mapping[str, Any], takes: Sequence[str]) -> str:
    """One more contract: the next version of one that is there. ``compiled``: its artifact; ``takes``: addresses its constructor
    takes, in order. Answers its address; it serves nobody before the alliance publishes it. Raises DeployError."""
    with closing(Chain(url)) as chain:
        account = Account.from_key(private_key)
        chain_id, _ = chain.identity()
        nonce = int(chain.ask("eth_getTransactionCount", account.address, "pending"), 16)
        data = bytes.fromhex(compiled["bytecode"][2:]) + encode(["address"] * len(takes), list(takes))
        chain.send_all([bytes.fromhex(_signed(account, chain_id, nonce, "", data)[2:])])
        return created_address(account.address, nonce)


def artifact(name: str) -> dict[str, Any]:
    """A compiled contract. Raises DeployError when the contracts were not compiled."""
    path = ARTIFACTS / f"{name}.json"
    if not path.exists():
        raise DeployError(f"{path} is missing: run `python -m contracts.script.compile`")
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


class Chain:
    """The few JSON-RPC calls a deployment needs."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30.0, trust_env=False)

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def ask(self, method: str, *params: Any) -> Any:
        """One call. Raises DeployError for a refusal or an unreachable node."""
        try:
            answer = self._http.post("", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).json()
        except (httpx.HTTPError, ValueError) as error:
            raise DeployError(f"the node at {self._http.base_url} did not answer {method}: {error}") from error
        if "error" in answer:
            raise DeployError(f"{method}: {answer['error'].get('message', answer['error'])}")
        return answer["result"]

    def identity(self) -> tuple[int, str]:
        """Chain id and genesis hash."""
        return int(self.ask("eth_chainId"), 16), self.ask("eth_getBlockByNumber", "0x0", False)["hash"]

    def call(self, address: str, data: bytes) -> str:
        """Result of a read-only call, hex."""
        return str(self.ask("eth_call", {"to": address, "data": "0x" + data.hex()}, "latest"))

    def has_code(self, addresses: Any) -> bool:
        """Whether every address holds a contract."""
        return all(len(self.ask("eth_getCode", a, "latest")) > 2 for a in addresses)

    def send_all(self, transactions: Sequence[bytes]) -> int:
        """Send in order, wait for all; the height of the last. One already on the chain is not sent again. Raises DeployError
        for one that failed."""
        hashes = ["0x" + keccak(raw).hex() for raw in transactions]
        for raw, tx in zip(transactions, hashes, strict=True):
            if self.ask("eth_getTransactionByHash", tx) is None:
                self.ask("eth_sendRawTransaction", "0x" + raw.hex())
        return max(self._mined(tx) for tx in hashes)

    def _receipt(self, tx: str) -> dict[str, Any] | None:
        """A transaction's receipt, None while there is none: Ethereum's nodes then say null, CometBFT's answer with an error."""
        try:
            receipt: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", tx)
        except DeployError as error:
            if "tx not found" in str(error):
                return None
            raise
        return receipt

    def _mined(self, tx: str) -> int:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            receipt = self._receipt(tx)
            if receipt is not None:
                if int(receipt["status"], 16) != 1:
                    raise DeployError(f"deployment transaction {tx} failed in block {int(receipt['blockNumber'], 16)}")
                return int(receipt["blockNumber"], 16)
            time.sleep(0.05)
        raise DeployError(f"deployment transaction {tx} was not mined within {WAIT_SECONDS:.0f} s")


def _sign(chain: Chain, account: LocalAccount, alliance_name: str, first: Member, precompiles: Precompiles) -> dict[str, Any]:
    """All transactions, signed: ten deployments, then ten publications through an alliance vote of one."""
    chain_id, genesis = chain.identity()
    nonce, salt = int(chain.ask("eth_getTransactionCount", account.address, "pending"), 16), secrets.token_bytes(32)
    addresses = {name: created_address(account.address, nonce + i) for i, name in enumerate(CONTRACTS)}
    calls: list[tuple[str, bytes]] = [
        ("", _init_code(name, addresses, account.address, (alliance_name, salt), first, precompiles)) for name in CONTRACTS
    ]
    alliance = addresses["Alliance"]
    where = domain(ledger_id(alliance_name, salt), bytes.fromhex(alliance[2:]))
    # The nonce is 1 after joining and grows with every proposal.
    calls += [(alliance, _publication(addresses, name, where, first, n)) for n, name in enumerate(CONTRACTS, 1)]
    raws = [_signed(account, chain_id, nonce + i, to, data) for i, (to, data) in enumerate(calls)]
    return {"kind": KIND, "version": 1, "chainId": chain_id, "genesis": genesis, "contracts": addresses, "transactions": raws}


def _init_code(
    name: str, addresses: Mapping[str, str], deployer: str, alliance: tuple[str, bytes], first: Member, precompiles: Precompiles
) -> bytes:
    types = ["address"] * len(CONTRACTS[name])
    values: list[Any] = [addresses[n] for n in CONTRACTS[name]]
    if name == "SM2Verifier":
        types, values = ["address", "address"], [a or "0x" + "00" * 20 for a in (precompiles.sm2, precompiles.sm3)]
    elif name == "Alliance":
        types += ["string", "bytes32", "(bytes32,bytes32,uint32,bytes32,bytes32,address)"]
        digest = crypto.sm3((first.name or first.code).encode())
        values += [*alliance, (first.id, digest, first.roles, first.x, first.y, deployer)]
    return bytes.fromhex(artifact(name)["bytecode"][2:]) + encode(types, values)


def _publication(addresses: Mapping[str, str], name: str, where: bytes, first: Member, nonce: int) -> bytes:
    """Call data of the first member's signed proposal to publish a contract."""
    values = [name.encode(), addresses[name], 1]
    publish = _selector("publish(bytes32,address,uint32)") + encode(["bytes32", "address", "uint32"], values)
    args = encode(["address", "bytes"], [addresses["Registry"], publish])
    signature = first.sign(AllianceProposal(where, first.id, EXECUTE, crypto.sm3(args), nonce).pack())
    call = [EXECUTE, args, signature[:32], signature[32:]]
    return _selector("propose(uint8,bytes,bytes32,bytes32)") + encode(["uint8", "bytes", "bytes32", "bytes32"], call)


def _signed(account: LocalAccount, chain_id: int, nonce: int, to: str, data: bytes) -> str:
    tx: dict[str, Any] = {"chainId": chain_id, "nonce": nonce, "gas": GAS, "gasPrice": 0, "value": 0, "to": to, "data": data}
    raw: bytes = account.sign_transaction(tx).raw_transaction
    return "0x" + bytes(raw).hex()


def created_address(sender: str, nonce: int) -> str:
    """Address of the contract that ``sender`` creates with ``nonce``: the last 20 bytes of keccak(rlp([sender, nonce]))."""
    number = b"" if nonce == 0 else nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded = number if len(number) == 1 and number[0] < 0x80 else bytes([0x80 + len(number)]) + number
    payload = b"\x94" + bytes.fromhex(sender[2:]) + encoded
    return to_checksum_address(keccak(bytes([0xC0 + len(payload)]) + payload)[12:])


def _selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


def _same_chain(chain: Chain, described: Mapping[str, Any], path: Path) -> None:
    chain_id, genesis = chain.identity()
    if (chain_id, genesis) != (described["chainId"], described["genesis"]):
        raise DeployError(
            f"{path} belongs to chain {described['chainId']} with genesis {described['genesis']}, but the node serves chain"
            f" {chain_id} with genesis {genesis}. Point the node at the old chain's data, or use another home directory."
        )


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if loaded.get("kind") != KIND or loaded.get("version") != 1:
        raise DeployError(f"{path}: not a {KIND} version 1 file")
    return loaded


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
