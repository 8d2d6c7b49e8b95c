"""Contracts of an EVM chain over storage that is made up for one question: on any node, with nothing written to its chain.

Each contract stands behind one that lends its code and keeps the words: given two words it stores the second under the first,
given anything else it lets the contract's code answer over them. A question is code that stores the words, then asks; it is
called and not sent, so nothing of it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_abi.abi import encode
from eth_account import Account

from contracts.script.deploy import Chain, artifact, created_address
from gateway.ledger.evm.rpc import Request, Rpc

GAS = 12_000_000
_LENDER = (
    "3660401460{store}57"  # calldata of 64 bytes: go to store
    "366000600037"  # else: the calldata to memory,
    "60006000366000 73{target} 5af4"  # the target's code over it, on this storage,
    "3d60006000 3e60{good}57 3d6000fd"  # its answer back: as an error,
    "5b3d6000f3"  # or as an answer
    "5b60203560003555 00"  # store: the second word under the first
)


class Imposed:
    """Alliance, Identity and Consent of an alliance on the node at ``url``, over made up storage."""

    def __init__(self, url: str, contracts: Mapping[str, str]) -> None:
        """Deploys a registry, and Identity and Consent beneath it, with the deployed bytecode's own source."""
        self._rpc = Rpc(url, 60)
        account, chain = Account.create(), Chain(url)
        names = ("alliance", "registry", "identity code", "identity", "consent code", "consent")
        at = {name: created_address(account.address, nonce) for nonce, name in enumerate(names)}
        codes = [
            _lender(contracts["Alliance"]),
            _init("Registry", at["alliance"]),
            _init("Identity", at["registry"], contracts["SM2Verifier"]),
            _lender(at["identity code"]),
            _init("Consent", at["registry"], contracts["SM2Verifier"], at["identity"]),
            _lender(at["consent code"]),
        ]
        chain_id, _ = chain.identity()
        tx = {"chainId": chain_id, "gas": GAS, "gasPrice": 0, "value": 0, "to": ""}
        signed = [account.sign_transaction({**tx, "nonce": n, "data": code}) for n, code in enumerate(codes)]
        chain.send_all([bytes(s.raw_transaction) for s in signed])
        chain.close()
        self.addresses = {"Alliance": at["alliance"], "Identity": at["identity"], "Consent": at["consent"]}

    def ask(self, questions: Sequence[tuple[Mapping[tuple[str, int], int], bytes]]) -> list[bytes]:
        """Answers of Consent to call data, each over its own words, by (address, slot)."""
        asked: list[Request] = [
            ("eth_call", [{"data": "0x" + self._code(*q).hex(), "gas": hex(GAS)}, "latest"]) for q in questions
        ]
        return [bytes.fromhex(answer[2:]) for answer in self._rpc.all(asked)]

    def close(self) -> None:
        self._rpc.close()

    def _code(self, words: Mapping[tuple[str, int], int], data: bytes) -> bytes:
        stored = b"".join(
            _push(slot)
            + _op("600052")
            + _push(value)
            + _op("602052")
            + _op("60006000604060006000")
            + _to(address)
            + _op("5af150")
            for (address, slot), value in words.items()
        )
        size, asked = len(data).to_bytes(3, "big"), _to(self.addresses["Consent"])
        # Copy the call data from behind the code, call with it, give back what came.
        head = stored + b"\x62" + size + b"\x62%b" + _op("600039") + _op("60006000") + b"\x62" + size + _op("60006000") + asked
        tail = _op("5af1503d600060003e3d6000f3")
        whole = len(head) + 1 + len(tail)
        return head.replace(b"%b", whole.to_bytes(3, "big")) + tail + data


def _lender(target: str) -> bytes:
    """Init code of a contract that lends the code of ``target``."""
    shape = _LENDER.replace(" ", "")
    length = len(shape.format(store="00", good="00", target="00" * 20)) // 2
    places = {"store": f"{length - 9:02x}", "good": f"{length - 14:02x}", "target": target[2:]}
    runtime = _op(shape.format(**places))
    return _op(f"60{len(runtime):02x}600c60003960{len(runtime):02x}6000f3") + runtime


def _init(name: str, *addresses: str) -> bytes:
    return _op(artifact(name)["bytecode"][2:]) + encode(["address"] * len(addresses), list(addresses))


def _op(code: str) -> bytes:
    return bytes.fromhex(code)


def _push(word: int) -> bytes:
    return b"\x7f" + word.to_bytes(32, "big")


def _to(address: str) -> bytes:
    return b"\x73" + bytes.fromhex(address[2:])
