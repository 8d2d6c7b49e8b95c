"""A chain of its own with the contracts deployed, and the people and organisations who use them. Messages are put together here
by hand from
docs/formats.md, so that a slip in core and the same slip in the contracts would not hide each other."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from contracts.script.compile import build
from contracts.script.deploy import CONTRACTS, Chain, Member, artifact, deploy
from core import crypto
from core.ids import organisation_id
from core.words import kind_word, word
from gateway.ledger.evm import abi
from network.evm.node import Node

HARNESS = "0x" + "11" * 20
ALL_ROLES = 0b11111
INVITE, SUSPEND, RESTORE, EXPEL, SET_ROLES, ROTATE_KEY, EXECUTE = range(7)
LAST = 2**63


class Refused(AssertionError):
    """The contract said no; the message is the custom error with its values."""


@dataclass(frozen=True)
class Organisation:
    """A member: its code, SM2 key and ledger account."""

    code: str
    pair: crypto.KeyPair
    account: LocalAccount

    @property
    def id(self) -> bytes:
        return organisation_id(self.code)


@dataclass
class Person:
    """A resident or practitioner: a pseudonym and an SM2 key."""

    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    pair: crypto.KeyPair = field(default_factory=crypto.sm2_generate)


def xy(pair: crypto.KeyPair) -> dict[str, bytes]:
    """The public key as the arguments x and y."""
    return {"x": pair.public[:32], "y": pair.public[32:]}


def rs(signature: bytes) -> dict[str, bytes]:
    """A signature as the arguments r and s."""
    return {"r": signature[:32], "s": signature[32:]}


def packed(not_before: int = 0, not_after: int = LAST, uses: int = 0, nonce: int = 0) -> int:
    """The packed word of grant, amend and revoke."""
    return not_before << 192 | not_after << 128 | uses << 96 | nonce


def message(kind: str, *words: bytes | int) -> bytes:
    """Kind word, then the words in order."""
    return b"".join((kind_word(f"healthtrust/{kind}/v1"), *(word(w) for w in words)))


class Lab:
    """The contracts behind one node. The node mines each transaction at once."""

    def __init__(self, home: Path) -> None:
        build()
        self.node = Node(home / "chain", port=0, block_seconds=3600).start()
        self.chain = Chain(self.node.url)
        self.chain.ask("evm_setAutomine", True)
        self.home = home
        self.first = new_organisation("FIRST")
        path = home / "contracts.json"
        self.deployed = deploy(self.node.url, self.first.account.key, "测试联盟", founder(self.first), path)
        self.abis = abi.load([*CONTRACTS, "Harness"])
        self.addresses = {**self.deployed["contracts"], "Harness": HARNESS}
        self.chain.ask("anvil_setCode", HARNESS, artifact("Harness")["deployedBytecode"])
        self.ledger_id = bytes.fromhex(self.deployed["ledgerId"][2:])
        self.gas_used: dict[str, int] = {}

    def close(self) -> None:
        self.chain.close()
        self.node.stop()

    def read(self, contract: str, method: str, **args: Any) -> Any:
        """Result of a read-only call."""
        function = self.abis.function(contract, method, args)
        return function.decode(self._try(contract, function.encode(args), self.first.account))

    def send(self, contract: str, method: str, by: LocalAccount | None = None, **args: Any) -> list[tuple[str, dict[str, Any]]]:
        """Send a transaction; its events as (name, arguments). Refused with the contract's error, and then nothing is sent."""
        account = by or self.first.account
        data = self.abis.function(contract, method, args).encode(args)
        self._try(contract, data, account)
        receipt = self._mine(contract, data, account)
        self.gas_used[f"{contract}.{method}"] = int(receipt["gasUsed"], 16)
        return [self._event(log) for log in receipt["logs"]]

    def reason(self, contract: str, method: str, by: LocalAccount | None = None, **args: Any) -> str:
        """Name of the error with which the contract refuses; fails the test if it does not refuse."""
        try:
            self.send(contract, method, by, **args)
        except Refused as refused:
            return str(refused).partition("(")[0]
        raise AssertionError(f"{contract}.{method} was accepted")

    def time(self) -> int:
        """Time of the head, UTC seconds."""
        return int(self.chain.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def wait(self, seconds: int) -> None:
        """Let the chain's clock run."""
        self.chain.ask("evm_increaseTime", hex(seconds))
        self.chain.ask("evm_mine")

    def domain(self, contract: str) -> bytes:
        """What ties a message to this ledger and contract."""
        address = bytes.fromhex(self.addresses[contract][2:])
        return crypto.sm3(kind_word("healthtrust/domain/v1") + self.ledger_id + word(address))

    def propose(self, action: int, types: Sequence[str], values: Sequence[Any], signer: crypto.KeyPair | None = None) -> int:
        """The first member opens a proposal; its number."""
        events = self.send("Alliance", "propose", **self.proposal(action, encode(types, values), signer=signer))
        return int(next(args["proposal"] for name, args in events if name == "Proposed"))

    def proposal(
        self, action: int, args: bytes, by: Organisation | None = None, signer: crypto.KeyPair | None = None
    ) -> dict[str, Any]:
        """Arguments of Alliance.propose, signed by the member (the first)."""
        said = self.said("alliance-proposal", by, signer, action, crypto.sm3(args))
        return {"action": action, "args": args, **said}

    def vote(self, proposal: int, by: Organisation | None = None, signer: crypto.KeyPair | None = None) -> dict[str, Any]:
        """Arguments of Alliance.vote, signed by the member (the first) over what the proposal would do."""
        member, held = by or self.first, self.read("Alliance", "proposalOf", proposal=proposal)
        words = (member.id, proposal, held["action"], crypto.sm3(held["args"]))
        text = message("alliance-vote", self.domain("Alliance"), *words)
        return {"proposal": proposal, **rs(crypto.sm2_sign((signer or member.pair).private, text))}

    def invite(self, code: str, roles: int = ALL_ROLES) -> Organisation:
        """A new member, voted in by the first member alone, joined."""
        made = new_organisation(code)
        init = (made.id, crypto.sm3(code.encode()), roles, made.pair.public[:32], made.pair.public[32:], made.account.address)
        self.propose(INVITE, ["(bytes32,bytes32,uint32,bytes32,bytes32,address)"], [init])
        return made

    def govern(self, method: str, types: str, *values: Any) -> None:
        """A vote of the alliance that calls the registry."""
        data = keccak(text=f"{method}({types})")[:4] + encode(types.split(","), values)
        self.propose(EXECUTE, ["address", "bytes"], [self.addresses["Registry"], data])

    def rotation(
        self, new: crypto.KeyPair, by: Organisation | None = None, signer: crypto.KeyPair | None = None
    ) -> dict[str, Any]:
        """Arguments of Alliance.rotateKey, signed by the member's key as it is now."""
        return {**xy(new), **self.said("organisation-key", by, signer, *halves(new.public))}

    def account_change(
        self, account: str, allowed: bool = True, by: Organisation | None = None, signer: crypto.KeyPair | None = None
    ) -> dict[str, Any]:
        """Arguments of Alliance.setAccount, signed by the member (the first)."""
        words = (bytes.fromhex(account[2:]), int(allowed))
        return {"account": account, "allowed": allowed, **self.said("ledger-account", by, signer, *words)}

    def said(
        self, kind: str, by: Organisation | None = None, signer: crypto.KeyPair | None = None, *words: bytes | int
    ) -> dict[str, bytes]:
        """r and s of a member (the first) over what it says to the Alliance."""
        member = by or self.first
        nonce = self.read("Alliance", "keyOf", id=member.id)["nonce"]
        text = message(kind, self.domain("Alliance"), member.id, *words, nonce)
        return rs(crypto.sm2_sign((signer or member.pair).private, text))

    def binding(self, person: Person, registrar: Organisation | None = None) -> dict[str, Any]:
        """Arguments of bindKey."""
        registrar = registrar or self.first
        domain, (x, y) = self.domain("Identity"), halves(person.pair.public)
        return {
            "subject": person.id,
            **xy(person.pair),
            "possession": crypto.sm2_sign(person.pair.private, message("key-bind", domain, person.id, x, y)),
            "registrar": registrar.id,
            "attestation": crypto.sm2_sign(registrar.pair.private, message("key-attest", domain, person.id, x, y)),
        }

    def resident(self) -> Person:
        """A resident whose key is bound."""
        person = Person()
        self.send("Identity", "bindKey", **self.binding(person))
        return person

    def credential(self, person: Person, roles: int = 1, issuer: Organisation | None = None, **change: Any) -> dict[str, Any]:
        """Arguments of issueCredential, signed by the issuer (the first member) as they are after the change."""
        by = issuer or self.first
        args = {"practitioner": person.id, **xy(person.pair), "roles": roles, "notBefore": 0, "notAfter": LAST, **change}
        nonce = self.read("Identity", "credentialNonceOf", practitioner=args["practitioner"])
        said = message("credential-issue", self.domain("Identity"), by.id, *args.values(), nonce)
        return {**args, "signature": crypto.sm2_sign(by.pair.private, said)}

    def dismissal(self, person: Person, issuer: Organisation | None = None) -> dict[str, Any]:
        """Arguments of revokeCredential."""
        by = issuer or self.first
        nonce = self.read("Identity", "credentialNonceOf", practitioner=person.id)
        said = message("credential-revoke", self.domain("Identity"), by.id, person.id, nonce)
        return {"practitioner": person.id, "signature": crypto.sm2_sign(by.pair.private, said)}

    def practitioner(self, organisation: Organisation | None = None, roles: int = 1) -> Person:
        """A practitioner with a credential of the organisation."""
        person, issuer = Person(), organisation or self.first
        self.send(
            "Identity",
            "issueCredential",
            issuer.account,
            **self.credential(person, roles, issuer),
        )
        return person

    def granting(self, person: Person, consent: bytes, commitment: bytes, terms: int | None = None) -> dict[str, Any]:
        """Arguments of grant, signed by the person over the nonce the contract holds."""
        terms = packed(nonce=self.read("Consent", "nonceOf", subject=person.id)) if terms is None else terms
        signed = message("consent-grant", self.domain("Consent"), person.id, consent, commitment, terms)
        signature = crypto.sm2_sign(person.pair.private, signed)
        return {"subject": person.id, "consent": consent, "commitment": commitment, "packed": terms, **rs(signature)}

    def grant(
        self, person: Person, not_before: int = 0, not_after: int = LAST, uses: int = 0, consent: bytes | None = None
    ) -> bytes:
        """A consent in force; its id."""
        consent = consent or secrets.token_bytes(32)
        terms = packed(not_before, not_after, uses, self.read("Consent", "nonceOf", subject=person.id))
        self.send("Consent", "grant", **self.granting(person, consent, secrets.token_bytes(32), terms))
        return consent

    def amending(self, person: Person, old: bytes, consent: bytes, commitment: bytes) -> dict[str, Any]:
        """Arguments of amend."""
        terms = packed(nonce=self.read("Consent", "nonceOf", subject=person.id))
        signed = message("consent-amend", self.domain("Consent"), person.id, consent, commitment, terms, old)
        args = {"subject": person.id, "oldConsent": old, "consent": consent, "commitment": commitment, "packed": terms}
        return {**args, **rs(crypto.sm2_sign(person.pair.private, signed))}

    def revoking(self, person: Person, consent: bytes) -> dict[str, Any]:
        """Arguments of revoke."""
        nonce = int(self.read("Consent", "nonceOf", subject=person.id))
        signature = crypto.sm2_sign(
            person.pair.private, message("consent-revoke", self.domain("Consent"), person.id, consent, nonce)
        )
        return {"subject": person.id, "consent": consent, "packed": nonce, **rs(signature)}

    def call_harness(self, data: bytes) -> bytes:
        """Answer of the test harness to raw call data."""
        return self._try("Harness", data, self.first.account)

    def logs(self) -> list[dict[str, Any]]:
        """Every log since the first block."""
        found: list[dict[str, Any]] = self.chain.ask("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
        return found

    def _try(self, contract: str, data: bytes, account: LocalAccount) -> bytes:
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_call"}
        tx = {"to": self.addresses[contract], "from": account.address, "data": "0x" + data.hex(), "gas": hex(900_000_000)}
        answer = self.chain._http.post("", json={**body, "params": [tx, "latest"]}, timeout=120).json()
        if "error" in answer:
            thrown = answer["error"].get("data") or "0x"
            raise Refused(self.abis.error(bytes.fromhex(thrown[2:])) if thrown != "0x" else answer["error"]["message"])
        return bytes.fromhex(answer["result"][2:])

    def _mine(self, contract: str, data: bytes, account: LocalAccount) -> dict[str, Any]:
        nonce = int(self.chain.ask("eth_getTransactionCount", account.address, "pending"), 16)
        facts = {"chainId": self.node.chain_id, "nonce": nonce, "gas": 30_000_000, "gasPrice": 0, "value": 0}
        raw = account.sign_transaction({**facts, "to": self.addresses[contract], "data": data}).raw_transaction
        self.chain.send_all([bytes(raw)])
        receipt: dict[str, Any] = self.chain.ask("eth_getTransactionReceipt", "0x" + keccak(bytes(raw)).hex())
        return receipt

    def _event(self, log: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        contract = next(n for n, a in self.addresses.items() if a.lower() == log["address"].lower())
        spec = self.abis.events[contract, log["topics"][0]]
        return spec.name, spec.decode(log["topics"], log["data"])


def founder(first: Organisation) -> Member:
    """The first member as a deployment takes it."""
    x, y = halves(first.pair.public)
    return Member(first.id, first.code, x, y, ALL_ROLES, partial(crypto.sm2_sign, first.pair.private))


def new_organisation(code: str) -> Organisation:
    """Fresh keys for an organisation."""
    return Organisation(code, crypto.sm2_generate(), Account.create())


def halves(public: bytes) -> tuple[bytes, bytes]:
    """x and y."""
    return public[:32], public[32:]


def harness(lab: Lab, signature: str, outputs: str, items: Sequence[Any], size: int = 100) -> Iterator[Any]:
    """Results of a harness function that takes and returns an array, asked in calls of ``size`` items."""
    name, _, types = signature.partition(":")
    for at in range(0, len(items), size):
        data = keccak(text=f"{name}({types})")[:4] + encode([types], [items[at : at + size]])
        yield from decode([outputs], lab.call_harness(data))[0]
