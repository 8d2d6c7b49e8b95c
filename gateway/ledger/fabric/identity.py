"""Who speaks to the network: a certificate of a member organisation, and a signer that holds its key.

The signer is a port, so that the key may lie in an HSM: it is given a 32-byte digest and gives back r‖s (what PKCS#11's
``CKM_ECDSA`` does). Encoding and the low-s form that Fabric demands are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from core.crypto import sm3
from gateway.ledger.fabric.protos import message

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of P-256 (FIPS 186-5)."""


class Signer(Protocol):
    """Holds a P-256 key."""

    def sign(self, digest: bytes) -> bytes:
        """ECDSA over a SHA-256 digest (32 bytes): r‖s, 64 bytes; any s."""


@dataclass(frozen=True)
class LocalSigner:
    """A key in this process."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def from_pem(cls, path: Path) -> LocalSigner:
        """From a PEM file (PKCS#8 or SEC 1, not encrypted). ValueError when it is no P-256 key."""
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError(f"{path} is no P-256 key")
        return cls(key)

    @classmethod
    def from_secret(cls, secret: bytes) -> LocalSigner:
        """The P-256 key of 32 random bytes, as accounts keep them (docs/formats.md §4)."""
        return cls(ec.derive_private_key(int.from_bytes(secret, "big") % (ORDER - 1) + 1, ec.SECP256R1()))

    def sign(self, digest: bytes) -> bytes:
        """See :class:`Signer`."""
        r, s = utils.decode_dss_signature(self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True)
class Identity:
    """A member's certificate and the signer of its key. ``msp``: id of the organisation's MSP; ``certificate``: PEM."""

    msp: str
    certificate: bytes
    signer: Signer

    @cached_property
    def creator(self) -> bytes:
        """What transactions name as their author: ``msp.SerializedIdentity``."""
        made: bytes = message("msp.SerializedIdentity")(mspid=self.msp, id_bytes=self.certificate).SerializeToString()
        return made

    @cached_property
    def account(self) -> str:
        """The account the contracts know the holder by (0x, 20 bytes)."""
        return account_of(self.msp, self.certificate)

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 in DER, s in the lower half of the order: Fabric refuses the other form."""
        raw = self.signer.sign(sha256(data).digest())
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        return utils.encode_dss_signature(r, min(s, ORDER - s))


def account_of(msp: str, certificate: bytes) -> str:
    """SM3(MSP id ‖ 0x00 ‖ SubjectPublicKeyInfo DER), the last 20 bytes: a renewed certificate of the same key keeps it."""
    public = x509.load_pem_x509_certificate(certificate).public_key()
    return account_of_key(msp, public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def account_of_key(msp: str, public: bytes) -> str:
    """The same for a public key (SubjectPublicKeyInfo DER) that has no certificate yet."""
    return "0x" + sm3(msp.encode() + b"\0" + public)[12:].hex()
