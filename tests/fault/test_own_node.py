"""One's own node answers wrongly, or at the end of an expired certificate: nothing is served on its word.

What a validator with a wrong clock, a full disk or no neighbours does to the chain is in ``test_parted.py``.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from tests.fault.at_work import chain_of
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import Scene
from tests.support.chains import EvmChain
from tests.support.lying import LyingNode, lying_node
from tests.support.wires import behind_tls
from tests.support.world import World, build_world

DAY = timedelta(days=1)
UNCHECKED = {"policy": {"contract_check_share": 0.0, "receipt_delay_seconds": 0.1}}


@contextmanager
def seen_through(consortium: World, node: LyingNode, witness: str) -> Iterator[None]:
    """The hospital's own node is this one, with or without a second one that is asked the same."""
    honest = consortium.hospital.ledger
    limits = Limits(timeout=60.0, max_head_age=600.0, witness=witness)
    consortium.hospital.ledger = EvmLedger(
        connect(node.url, Deployment.read(consortium.contracts_file), consortium.hospital.key, limits)
    )
    try:
        yield
    finally:
        consortium.hospital.ledger.close()
        consortium.hospital.ledger = honest


@pytest.mark.validators
@pytest.mark.timeout(600)
def test_a_node_that_hides_a_revocation_is_found_out_by_a_second_one(consortium: World, tmp_path: Path) -> None:
    """Alone it would be believed: that is what the second node is for."""
    urls = chain_of(consortium).network.urls
    kit = GateKit(consortium, tmp_path, ledger={"max_head_age_seconds": 600}, **UNCHECKED)
    with lying_node(urls[3]) as node:
        with seen_through(consortium, node, ""), kit.serve() as serving:
            scene = Scene(kit, serving)
            scene.read()
            consortium.revoke(scene.resident, scene.consent.consent)
            node.forgets = consortium.ledger.info().contracts["Consent"]
            scene.read()
        with seen_through(consortium, node, urls[0]), kit.serve() as checked:
            refusal = scene.refused(serving=checked)
            assert (refusal.code, refusal.http_status) == ("ledger_unavailable", 503)
            assert [r["outcome"] for r in checked.receipts()].count("permit") == 2
            node.forgets = None
            assert scene.refused(serving=checked).code == "revoked"


class Authority:
    """Certificates for 127.0.0.1 under an authority of our own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        certificate = self._signed(self._name, self._key.public_key(), DAY, authority=True)
        self.file = home / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, ends: timedelta) -> ssl.SSLContext:
        """A server's end of TLS with a certificate that ends so much from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(x509.Name([]), key.public_key(), ends)
        plain = serialization.NoEncryption()
        shown = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
        )
        file = self._home / "server.pem"
        file.write_bytes(shown)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, ends: timedelta, authority: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(self._name, name, key, x509.random_serial_number(), now - 2 * DAY, now + ends)
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=not authority)
        return made.sign(self._key, hashes.SHA256())


@pytest.mark.node
def test_an_expired_certificate_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In front of a node stands what ends TLS: from the minute its certificate is over, nothing it says counts; with a new one
    the same ledger goes on."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    shown = {"now": authority.server(DAY)}
    chain = EvmChain(tmp_path / "chain")
    world = build_world(chain)
    plain = int(chain.url.rpartition(":")[2])
    with behind_tls(plain, lambda: shown["now"]) as port:
        founded = Deployment.read(chain.contracts_file)
        for ends in (DAY, -DAY, DAY):
            shown["now"] = authority.server(ends)
            if ends > timedelta():
                ledger = EvmLedger(connect(f"https://127.0.0.1:{port}", founded, None, chain.limits))
                assert ledger.read(Call("Alliance", "name")) == world.name
                ledger.close()
                continue
            with pytest.raises(LedgerError, match="certificate has expired") as refused:
                connect(f"https://127.0.0.1:{port}", founded, None, chain.limits)
            assert refused.value.reason is Reason.UNREACHABLE
    world.close()
    chain.close()
