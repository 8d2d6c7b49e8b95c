"""The offline verifier on a bundle of a real Fabric network: answers endorsed by members' peers, and a block its orderers signed.
What no real network would sign is signed here by peers of our own, whose roots the checkpoint then names."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core import verify
from core.verify import p256, protobuf
from gateway.ledger.fabric.protos import message
from tests.core.shared import vectors
from tests.core.test_verify import changed, leaves, other

BUNDLE, TRUST = vectors("fabric")["bundle"], vectors("fabric")["trust"]
LEDGER = BUNDLE["ledger"]
DECIDED = datetime.datetime.fromtimestamp(BUNDLE["decision"]["time"], datetime.UTC)
Change = Callable[[Any], None]


def with_ledger(**parts: Any) -> dict[str, Any]:
    return {**BUNDLE, "ledger": {**LEDGER, **parts}}


def not_true(report: verify.Report) -> set[str]:
    return {line.code for line in report.lines if line.ok is not True}


def test_the_whole_bundle_holds_under_the_roots() -> None:
    report = verify.verify(BUNDLE, TRUST)
    assert report.exit_code == 0, report.text()
    assert all(line.ok for line in report.lines), report.text()
    assert TRUST["blocks"] == []


def test_without_the_roots_it_says_so() -> None:
    endorsers = list(TRUST["members"])
    one_left = {msp: roots if msp == "Org2MSP" else [] for msp, roots in TRUST["members"].items()}
    more = {**TRUST["members"], **{f"Org{n}MSP": [] for n in range(4, 8)}}
    swapped = dict(zip(endorsers, reversed(TRUST["members"].values()), strict=True))
    for trust in (
        None,
        {**TRUST, "members": one_left},
        {**TRUST, "members": more},  # two of seven
        {**TRUST, "members": {msp: swapped["Org1MSP"] for msp in endorsers}},
        {**TRUST, "orderers": {}},
        {**TRUST, "signatures": 2},
    ):
        assert verify.verify(BUNDLE, trust).exit_code == 3
    assert verify.verify(BUNDLE, {**TRUST, "orderers": {}, "blocks": [BUNDLE["decision"]["block"]]}).exit_code == 0


@pytest.mark.parametrize("name", ["channel", "chaincode", "ledgerId"])
def test_another_ledger_is_not_this_one(name: str) -> None:
    report = verify.verify(BUNDLE, {**TRUST, name: other(TRUST[name])})
    assert (report.exit_code, not_true(report)) == (1, {"trust"})


def test_every_changed_value_shows() -> None:
    used = {"Consent", "DataIndex", "Access", "Alliance", "Identity"}
    for path in leaves(LEDGER, ("ledger",)):
        if path[1] != "contracts" or path[-1] in used:
            report = verify.verify(changed(BUNDLE, path, other), TRUST)
            assert report.exit_code in (1, 3), path


def flipped(part: bytes) -> str:
    """The reading with one bit of this part of it changed."""
    read = bytes.fromhex(LEDGER["read"][2:])
    at = read.index(part) + len(part) // 2
    return "0x" + (read[:at] + bytes([read[at] ^ 1]) + read[at + 1 :]).hex()


def test_a_changed_bit_of_what_was_asked_answered_or_signed_is_refused_in_plain_words() -> None:
    said = Parts(bytes.fromhex(LEDGER["read"][2:]))
    signature = said.endorsed.endorsements[1].signature
    for part in (said.did.response.payload, said.did.results, said.action.chaincode_proposal_payload, signature[-8:]):
        report = verify.verify(with_ledger(read=flipped(part)), TRUST)
        assert report.exit_code == 1
        assert "FALSE: The batch root is on the ledger" in report.text()
        assert "不成立：批次根确实登记在账本上" in report.text("zh")


def test_a_changed_block_is_refused() -> None:
    for name in ("data", "signatures", "number", "previous"):
        given = LEDGER["block"][name]
        shown = {**LEDGER["block"], name: [other(given[0])] if name == "data" else other(given)}
        assert verify.verify(with_ledger(block=shown), TRUST).exit_code == 1, name


# --- peers of our own ------------------------------------------------------------------------------------------------


class Parts:
    """A reading taken apart; :meth:`whole` puts it together, signed anew."""

    def __init__(self, read: bytes) -> None:
        self.payload = message("common.Payload").FromString(read)
        self.transaction = message("protos.Transaction").FromString(self.payload.data)
        self.action = message("protos.ChaincodeActionPayload").FromString(self.transaction.actions[0].payload)
        self.endorsed = self.action.action
        self.answer = message("protos.ProposalResponsePayload").FromString(self.endorsed.proposal_response_payload)
        self.did = message("protos.ChaincodeAction").FromString(self.answer.extension)

    def whole(self, *signers: Authority) -> str:
        head = self.payload.header
        asked = head.channel_header + head.signature_header + self.action.chaincode_proposal_payload
        self.answer.proposal_hash, self.answer.extension = sha256(asked).digest(), self.did.SerializeToString()
        said = self.answer.SerializeToString()
        del self.endorsed.endorsements[:]
        for signer in signers:
            self.endorsed.endorsements.add(endorser=signer.identity, signature=signer.sign(said + signer.identity))
        self.endorsed.proposal_response_payload = said
        self.transaction.actions[0].payload = self.action.SerializeToString()
        self.payload.data = self.transaction.SerializeToString()
        return "0x" + self.payload.SerializeToString().hex()


class Authority:
    """An organisation's root and one node it made a certificate for."""

    def __init__(self, msp: str, unit: str = "peer", valid: tuple[int, int] = (-1, 1)) -> None:
        self.msp = msp
        root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate(f"ca.{msp}", f"ca.{msp}", root_key, root_key, (-9, 9))
        node = _certificate(f"node.{msp}", f"ca.{msp}", self.key, root_key, valid, unit)
        self.root = "0x" + root.public_bytes(Encoding.DER).hex()
        pem = node.public_bytes(Encoding.PEM)
        self.identity = message("msp.SerializedIdentity")(mspid=msp, id_bytes=pem).SerializeToString()

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))


def _certificate(name: str, issuer: str, key: Any, by: Any, valid: tuple[int, int], unit: str = "") -> x509.Certificate:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    subject += [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    first, last = (DECIDED + datetime.timedelta(days=days) for days in valid)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(first)
        .not_valid_after(last)
        .sign(by, hashes.SHA256())
    )


def signed(*signers: Authority, change: Change = lambda _parts: None, members: int = 3) -> verify.Report:
    """The bundle with a reading that these sign, judged by a checkpoint that names their roots among the members'. ``change``:
    makes them sign something else."""
    made = Parts(bytes.fromhex(LEDGER["read"][2:]))
    change(made)
    named = {f"Org{n}MSP": [] for n in range(1, members + 1)} | {s.msp: [s.root] for s in signers}
    return verify.verify(with_ledger(read=made.whole(*signers)), {**TRUST, "members": named})


def test_most_members_are_enough_and_each_counts_once() -> None:
    one, two = Authority("Org1MSP"), Authority("Org2MSP")
    assert signed(one, two).exit_code == 0
    assert signed(one).exit_code == 3
    assert signed(one, one).exit_code == 3
    assert signed(one, two, members=4).exit_code == 3


@pytest.mark.parametrize(("unit", "valid"), [("client", (-1, 1)), ("admin", (-1, 1)), ("peer", (-3, -2)), ("peer", (2, 3))])
def test_only_a_peer_counts_while_its_certificate_is_valid(unit: str, valid: tuple[int, int]) -> None:
    assert signed(Authority("Org1MSP"), Authority("Org2MSP", unit, valid)).exit_code == 3


def test_a_stranger_under_a_members_name_does_not_count() -> None:
    one, stranger = Authority("Org1MSP"), Authority("Org2MSP")
    made = Parts(bytes.fromhex(LEDGER["read"][2:])).whole(one, stranger)
    trust = {**TRUST, "members": {"Org1MSP": [one.root], "Org2MSP": [Authority("Org2MSP").root], "Org3MSP": []}}
    assert verify.verify(with_ledger(read=made), trust).exit_code == 3


def answering(before: bytes, after: bytes) -> Change:
    def change(made: Any) -> None:
        assert before in made.did.response.payload
        made.did.response.payload = made.did.response.payload.replace(before, after, 1)

    return change


def test_what_most_members_say_otherwise_is_not_so() -> None:
    root = BUNDLE["index"]["root"].encode()
    report = signed(Authority("Org1MSP"), Authority("Org2MSP"), change=answering(root, b"0x" + b"11" * 32))
    assert (report.exit_code, not_true(report)) == (1, {"ledger_index"})


def versions(number: Callable[[int], int]) -> Change:
    """Other blocks in which the keys were written last."""

    def change(made: Any) -> None:
        results = message("rwset.TxReadWriteSet").FromString(made.did.results)
        for space in results.ns_rwset:
            space.rwset = b"".join(_written_in(read, number) for read in protobuf.protobuf(space.rwset).get(1, []))
        made.did.results = results.SerializeToString()

    return change


def _written_in(read: bytes, number: Callable[[int], int]) -> bytes:
    fields = protobuf.protobuf(read)
    block = protobuf.protobuf(fields[2][0])[1][0] if 2 in fields else 0
    key, place = fields[1][0], b"\x08" + bytes([number(block)])
    return _field(1, _field(1, key) + _field(2, place))


def _field(number: int, content: bytes) -> bytes:
    size = bytes([len(content)]) if len(content) < 128 else bytes([len(content) & 127 | 128, len(content) >> 7])
    return bytes([number << 3 | 2]) + size + content


def test_a_reading_from_before_the_decision_or_of_what_changed_since_shows_nothing_about_it() -> None:
    peers, height = (Authority("Org1MSP"), Authority("Org2MSP")), BUNDLE["decision"]["height"]
    assert signed(*peers, change=versions(lambda n: n)).exit_code == 0
    for other_block in (lambda n: min(n, height - 1), lambda _n: height + 1):
        report = signed(*peers, change=versions(other_block))
        assert report.exit_code == 3
        assert {"ledger_index", "ledger_consent", "ledger_members", "ledger_credential"} <= not_true(report)


def test_p256_is_that_of_fips_186() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    signature = key.sign(b"message", ec.ECDSA(hashes.SHA256()))
    assert p256.p256_verify(public, b"message", signature)
    assert not p256.p256_verify(public, b"another", signature)
    assert not p256.p256_verify(public[:63] + bytes([public[63] ^ 1]), b"message", signature)
