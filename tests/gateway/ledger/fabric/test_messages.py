"""Messages, identities and blocks of the Fabric client: no network."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from core.crypto import sm3
from gateway.ledger.fabric import proposal, protos
from gateway.ledger.fabric.blocks import FabricBlock, header_hash, read_block
from gateway.ledger.fabric.identity import ORDER, Identity, LocalSigner, account_of
from gateway.ledger.fabric.protos import message
from tests.support.fabric_double import certificate, make_block, somebody

TOOL = Path(__file__).parents[4] / "tools" / "protoset"


def test_the_descriptors_are_those_that_were_made() -> None:
    assert sha256(protos.descriptors()).hexdigest() == protos.DIGEST


@pytest.mark.fabric
def test_the_descriptors_can_be_made_again_from_the_pinned_module(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("Go makes them")
    made = tmp_path / "fabric.protoset"
    subprocess.run(["go", "run", "-mod=readonly", ".", str(made)], cwd=TOOL, check=True, timeout=280)
    assert made.read_bytes() == protos.descriptors()


def test_signatures_verify_and_have_a_low_s() -> None:
    who = somebody()
    assert isinstance(who.signer, LocalSigner)
    for n in range(32):
        made = who.sign(f"{n}".encode())
        assert utils.decode_dss_signature(made)[1] <= ORDER // 2
        who.signer.key.public_key().verify(made, f"{n}".encode(), ec.ECDSA(hashes.SHA256()))


def test_a_signer_that_gives_the_high_s_is_put_right() -> None:
    """What an HSM may do."""
    local = LocalSigner.from_secret(b"\x07" * 32)

    class High:
        def sign(self, digest: bytes) -> bytes:
            raw = local.sign(digest)
            s = int.from_bytes(raw[32:], "big")
            return raw[:32] + max(s, ORDER - s).to_bytes(32, "big")

    made = Identity("Org1MSP", certificate(local.key), High()).sign(b"data")
    assert utils.decode_dss_signature(made)[1] <= ORDER // 2
    local.key.public_key().verify(made, b"data", ec.ECDSA(hashes.SHA256()))


def test_an_account_is_of_msp_and_key_and_outlives_the_certificate() -> None:
    key = LocalSigner.from_secret(b"\x01" * 32).key
    first, renewed = certificate(key, "first"), certificate(key, "renewed")
    info = x509.load_pem_x509_certificate(first).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    assert account_of("Org1MSP", first) == "0x" + sm3(b"Org1MSP\0" + info)[12:].hex()
    assert account_of("Org1MSP", first) == account_of("Org1MSP", renewed) != account_of("Org2MSP", first)


def test_any_32_bytes_are_a_key() -> None:
    for secret in (bytes(32), b"\xff" * 32, ORDER.to_bytes(32, "big"), (ORDER - 1).to_bytes(32, "big")):
        assert 1 <= LocalSigner.from_secret(secret).key.private_numbers().private_value < ORDER


def test_a_proposal_names_its_author_and_its_id_is_of_nonce_and_author() -> None:
    who = somebody()
    made = proposal.propose(who, "health", "cc", [b"f", b"{}"], {"opened": b"secret"}, lambda: 1_700_000_000_000_000_007)
    inner = message("protos.Proposal").FromString(made.signed.proposal_bytes)
    head = message("common.Header").FromString(inner.header)
    signer = message("common.SignatureHeader").FromString(head.signature_header)
    channel = message("common.ChannelHeader").FromString(head.channel_header)
    assert made.id == channel.tx_id == sha256(signer.nonce + who.creator).hexdigest()
    assert (channel.channel_id, channel.timestamp.seconds, channel.timestamp.nanos) == ("health", 1_700_000_000, 7)
    payload = message("protos.ChaincodeProposalPayload").FromString(inner.payload)
    assert dict(payload.TransientMap) == {"opened": b"secret"}
    assert b"secret" not in payload.input


def test_a_blocks_hash_is_over_its_header_in_asn1() -> None:
    header = message("common.BlockHeader")(number=0x1FF, previous_hash=b"\x01" * 32, data_hash=b"\x02" * 32)
    der = bytes.fromhex("3048" + "020201ff" + "0420" + "01" * 32 + "0420" + "02" * 32)
    assert header_hash(header) == sha256(der).digest()
    high = message("common.BlockHeader")(number=0x80, previous_hash=b"", data_hash=b"\x02" * 32)
    assert header_hash(high) == sha256(bytes.fromhex("3028" + "02020080" + "0400" + "0420" + "02" * 32)).digest()


def test_only_what_counts_gives_a_block_its_time_and_reports() -> None:
    block = read_block(make_block(1, b"\x01" * 32, ("aa", 100, 0, b"[1]"), ("bb", 999, 11, b"[2]"), ("cc", 50, 0, None)))
    assert block.time == 100
    assert [t.event for t in block.transactions] == [("cc", "healthtrust", b"[1]"), None, None]
    assert block.find("bb") is not None
    assert read_block(make_block(1, b"", ("bb", 999, 11, None))).time == 999


def test_a_transaction_that_came_twice_is_at_home_in_its_first_block() -> None:
    again: FabricBlock = read_block(make_block(2, b"", ("aa", 100, 9, b"[]"), ("dd", 101, 0, None)))
    assert again.ids == ("dd",)
    assert again.find("aa") is None
