"""X.509 certificates (RFC 5280) and signatures under them, for Fabric's endorsements and orderers."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from .der import BITS, OID, SEQUENCE, SET, VERSION, der_contents, der_items
from .p256 import p256_verify
from .protobuf import field_of, protobuf
from .read import Malformed

_ECDSA_SHA256, _EC_KEY, _ON_P256 = (bytes.fromhex(oid) for oid in ("2a8648ce3d040302", "2a8648ce3d0201", "2a8648ce3d030107"))
_UNIT = bytes.fromhex("55040b")


@dataclass(frozen=True)
class Certificate:
    """What is read of an X.509 certificate with a P-256 key. ``body``: the signed bytes; ``units``: organisational units of its
    subject; ``period``: first and last second of validity, as digits YYYYMMDDhhmmss."""

    body: bytes
    issuer: bytes
    subject: bytes
    units: frozenset[bytes]
    period: tuple[str, str]
    key: bytes
    signature: bytes

    @classmethod
    def read(cls, data: bytes) -> Certificate:
        """From DER."""
        whole = der_contents(data, SEQUENCE)[0]
        body, (algorithm, signature) = der_items(whole)[0][2], der_contents(whole, SEQUENCE, SEQUENCE, BITS)[1:]
        if algorithm != b"\x06\x08" + _ECDSA_SHA256:
            raise Malformed("a certificate signed otherwise than by ECDSA with SHA-256")
        fields = [item for item in der_items(der_contents(body, SEQUENCE)[0]) if item[0] != VERSION]
        issuer, validity, subject, key = (fields[i] for i in (2, 3, 4, 5))
        kind, point = der_contents(key[1], SEQUENCE, BITS)
        if der_contents(kind, OID, OID) != [_EC_KEY, _ON_P256] or len(point) != 66 or point[:2] != b"\0\x04":
            raise Malformed("a certificate of another kind of key")
        pairs = [der_contents(pair, SEQUENCE)[0] for pair in der_contents(subject[1], *[SET] * len(der_items(subject[1])))]
        units = frozenset(der_items(pair)[1][1] for pair in pairs if der_items(pair)[0][1] == _UNIT)
        first, last = (_digits(tag, text) for tag, text, _ in der_items(validity[1]))
        return cls(body, issuer[2], subject[2], units, (first, last), point[2:], signature[1:])

    def issued_by(self, roots: list[Certificate]) -> bool:
        """Whether one of these signed it."""
        return any(root.subject == self.issuer and p256_verify(root.key, self.body, self.signature) for root in roots)


def _digits(tag: int, text: bytes) -> str:
    """A UTCTime or GeneralizedTime as YYYYMMDDhhmmss."""
    shown = text.decode("ascii").removesuffix("Z")
    if tag == 0x17:
        shown = ("19" if shown >= "50" else "20") + shown
    if len(shown) != 14 or not shown.isdigit():
        raise Malformed("not a time of a certificate")
    return shown


@dataclass(frozen=True)
class Signed:
    """A signature that holds, by whoever the certificate names. ``msp``: the organisation it says it is of."""

    msp: str
    certificate: Certificate

    @classmethod
    def check(cls, identity: bytes, message: bytes, signature: bytes) -> Signed:
        """From Fabric's SerializedIdentity. Malformed if the signature does not hold."""
        fields = protobuf(identity)
        lines = field_of(fields, 2, b"").decode("ascii").strip().splitlines()
        if lines[0] != "-----BEGIN CERTIFICATE-----" or lines[-1] != "-----END CERTIFICATE-----":
            raise Malformed("not a certificate")
        certificate = Certificate.read(base64.b64decode("".join(lines[1:-1]), validate=True))
        if not p256_verify(certificate.key, message, signature):
            raise Malformed("a signature does not hold")
        return cls(field_of(fields, 1, b"").decode(), certificate)
