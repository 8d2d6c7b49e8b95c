"""The certificate authority of one organisation: a root for its members' identities and one for TLS, and what they issue.

Own code over ``cryptography`` rather than Fabric's cryptogen, because certificates must be issued while the network runs, for
keys that their holders made and keep. Fabric reads the role of a certificate (client, peer, admin, orderer) from its
organisational unit.

Folders, below the organisation's: ``ca/`` the two roots with their keys; ``msp/`` what everybody may know (it goes on the
channel); ``<member>/msp`` and ``<member>/tls`` for each node and for the administrator.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from network.processes import NetworkError

Role = Literal["client", "peer", "admin", "orderer"]

ROOT_DAYS = 20 * 365
NODE_DAYS = 5 * 365
CLIENT_DAYS = 2 * 365
_CLOCK_SLACK = dt.timedelta(minutes=10)


class Authority:
    """One organisation's authority. ``folder``: the organisation's; ``msp``: the id under which Fabric knows it."""

    def __init__(self, folder: Path, msp: str) -> None:
        self.folder = folder
        self.msp = msp

    def make(self) -> Authority:
        """Make roots and the public part, as far as they are not there."""
        for purpose in ("identity", "tls"):
            self._make_root(purpose)
        self._write_public(self.folder / "msp")
        return self

    def root(self, purpose: str) -> bytes:
        """The certificate (PEM) of the ``identity`` or ``tls`` root."""
        return self._root_path(purpose, "crt").read_bytes()

    def issue(self, name: str, key: ec.EllipticCurvePublicKey, role: Role = "client", days: int = CLIENT_DAYS) -> bytes:
        """The certificate (PEM) of a member of this organisation, for a key of its own. Raises NetworkError when that is no key
        that Fabric takes (P-256)."""
        if not isinstance(key.curve, ec.SECP256R1):
            raise NetworkError(f"a key on {key.curve.name}: Fabric takes P-256 keys only")
        usage = _key_usage(digital_signature=True)
        built = _certificate(self._subject(name, role), key, days).add_extension(usage, critical=True)
        return self._signed("identity", built)

    def enrol(self, name: str, role: Role, host: str) -> Path:
        """The folder of a node or administrator: ``msp/`` (its identity) and ``tls/``; made if it is not there."""
        folder = self.folder / name
        if not (folder / "tls" / "server.crt").exists():
            self._write_public(folder / "msp")
            key = _new_key(folder / "msp" / "keystore" / "key.pem")
            _write(folder / "msp" / "signcerts" / "cert.pem", self.issue(name, key.public_key(), role, NODE_DAYS))
            key = _new_key(folder / "tls" / "server.key")
            _write(folder / "tls" / "ca.crt", self.root("tls"))
            _write(folder / "tls" / "server.crt", self._tls(name, key.public_key(), host))
        return folder

    def _tls(self, name: str, key: ec.EllipticCurvePublicKey, host: str) -> bytes:
        names: list[x509.GeneralName] = [x509.DNSName(name), x509.DNSName("localhost"), _general_name(host)]
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        built = _certificate(self._subject(name), key, NODE_DAYS)
        built = built.add_extension(_key_usage(digital_signature=True), critical=True)
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return self._signed("tls", built.add_extension(x509.ExtendedKeyUsage(uses), critical=False))

    def _make_root(self, purpose: str) -> None:
        if self._root_path(purpose, "crt").exists():
            return
        key = _new_key(self._root_path(purpose, "key"))
        built = _certificate(self._subject(f"{self.msp} {purpose} root"), key.public_key(), ROOT_DAYS)
        usage = _key_usage(digital_signature=True, key_cert_sign=True, crl_sign=True)
        uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        built = built.add_extension(usage, critical=True).add_extension(uses, critical=False)
        signed = built.issuer_name(self._subject(f"{self.msp} {purpose} root")).sign(key, hashes.SHA256())
        _write(self._root_path(purpose, "crt"), signed.public_bytes(Encoding.PEM))

    def _signed(self, purpose: str, built: x509.CertificateBuilder) -> bytes:
        root = x509.load_pem_x509_certificate(self.root(purpose))
        key = load_pem_private_key(self._root_path(purpose, "key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self._root_path(purpose, 'key')} is not an elliptic-curve key")
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        signed = built.issuer_name(root.subject).add_extension(issuer, critical=False).sign(key, hashes.SHA256())
        return signed.public_bytes(Encoding.PEM)

    def _write_public(self, msp: Path) -> None:
        _write(msp / "cacerts" / "root.pem", self.root("identity"))
        _write(msp / "tlscacerts" / "root.pem", self.root("tls"))
        roles = {"Client": "client", "Peer": "peer", "Admin": "admin", "Orderer": "orderer"}
        units = {
            f"{name}OUIdentifier": {"Certificate": "cacerts/root.pem", "OrganizationalUnitIdentifier": unit}
            for name, unit in roles.items()
        }
        # JSON is YAML, which is what Fabric reads here.
        _write(msp / "config.yaml", json.dumps({"NodeOUs": {"Enable": True, **units}}, indent=1).encode())

    def _subject(self, name: str, role: str = "") -> x509.Name:
        parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.msp), x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if role:
            parts.insert(1, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role))
        return x509.Name(parts)

    def _root_path(self, purpose: str, kind: str) -> Path:
        return self.folder / "ca" / f"{purpose}.{kind}"


def _certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, digital_signature: bool, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    _write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        f.write(content)
    partial.replace(path)
