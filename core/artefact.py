"""The consent artefact: the opened scope with its salt, seed and the resident's signature; and its sealed form
(docs/formats.md §5).

Whoever holds the opened artefact can show what was granted; the ledger alone tells nobody.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core import crypto, hexes
from core.canonical import canonical
from core.errors import ArtefactInvalid, DecryptionFailed, HealthTrustError
from core.ids import consent_id
from core.messages import ConsentAmend, ConsentGrant, Terms, parse
from core.scope import Scope

KIND = "healthtrust/consent-artefact"
SEALED_KIND = "healthtrust/sealed-artefact"
MAX_RECIPIENTS = 4096


@dataclass(frozen=True, slots=True)
class ConsentArtefact:
    """A signed consent with everything needed to check and use it. ``message``: the signed words; ``public``: x‖y of the
    signer."""

    scope: Scope
    salt: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    consent: bytes
    message: bytes
    signature: bytes
    public: bytes

    def to_json(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "kind": KIND,
            "version": 1,
            "scope": self.scope.to_document(),
            "salt": hexes.to_hex(self.salt),
            "seed": hexes.to_hex(self.seed),
            "consent": hexes.to_hex(self.consent),
            "message": hexes.to_hex(self.message),
            "signature": hexes.to_hex(self.signature),
            "publicKey": hexes.to_hex(self.public),
        }

    @classmethod
    def from_json(cls, document: object) -> ConsentArtefact:
        """Parse and :meth:`check`. Raises ArtefactInvalid (what is wrong is in the text)."""
        names = {"kind", "version", "scope", "salt", "seed", "consent", "message", "signature", "publicKey"}
        if not isinstance(document, dict) or document.keys() != names or document["kind"] != KIND or document["version"] != 1:
            raise ArtefactInvalid(detail="not a consent artefact of version 1")
        try:
            artefact = cls(
                Scope.from_document(document["scope"]),
                hexes.to_bytes(document["salt"], 32, "salt"),
                hexes.to_bytes(document["seed"], 32, "seed"),
                hexes.to_bytes(document["consent"], 32, "consent"),
                hexes.to_bytes(document["message"], None, "message"),
                hexes.to_bytes(document["signature"], 64, "signature"),
                hexes.to_bytes(document["publicKey"], 64, "publicKey"),
            )
        except HealthTrustError as e:
            raise ArtefactInvalid(detail=str(e.params.get("detail", e.en))) from e
        artefact.check()
        return artefact

    def check(self) -> None:
        """ArtefactInvalid unless id, commitment, terms, message and signature all belong together. Says nothing about the
        ledger."""
        try:
            message = parse(self.message)
            held = crypto.sm2_verify(self.public, self.message, self.signature)
            expected = _message(self.scope, self.salt, self.seed, message)
        except HealthTrustError as e:
            raise ArtefactInvalid(detail=str(e.params.get("detail", e.en))) from e
        if message != expected or message.consent != self.consent:
            raise ArtefactInvalid(detail="the signed message is not about this scope, salt and seed")
        if not held:
            raise ArtefactInvalid(detail="the signature does not hold")


def _message(scope: Scope, salt: bytes, seed: bytes, like: object) -> ConsentGrant | ConsentAmend:
    """The message that scope, salt and seed lead to, with domain, nonce and old consent taken from ``like``."""
    if not isinstance(like, ConsentGrant | ConsentAmend):
        raise ArtefactInvalid(detail="the message is no grant or amendment")
    old = like.old if isinstance(like, ConsentAmend) else None
    return prepare(scope, salt, seed, like.domain, like.terms.nonce, old)


def prepare(
    scope: Scope, salt: bytes, seed: bytes, domain: bytes, nonce: int, old: bytes | None = None
) -> ConsentGrant | ConsentAmend:
    """The message to sign for this scope: a grant, or an amendment of ``old``. ``domain``: of the Consent contract."""
    terms = Terms(scope.start, scope.end, scope.uses, nonce)
    consent, commitment = consent_id(seed, scope.uses), scope.commitment(salt)
    if old is None:
        return ConsentGrant(domain, scope.subject, consent, commitment, terms)
    return ConsentAmend(domain, scope.subject, consent, commitment, terms, old)


def build(
    scope: Scope,
    private: bytes,
    domain: bytes,
    nonce: int,
    *,
    old: bytes | None = None,
    salt: bytes | None = None,
    seed: bytes | None = None,
) -> ConsentArtefact:
    """Sign a consent with the subject's key. ``salt`` and ``seed`` are fresh random bytes unless given (32 each)."""
    salt, seed = salt or secrets.token_bytes(32), seed or secrets.token_bytes(32)
    message = prepare(scope, salt, seed, domain, nonce, old)
    packed = message.pack()
    signature = crypto.sm2_sign(private, packed)
    return ConsentArtefact(scope, salt, seed, message.consent, packed, signature, crypto.sm2_public(private))


def seal(artefact: ConsentArtefact, recipients: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Encrypt for the recipients (id → public key x‖y, 64 bytes). Everyone gets the same SM4 key, wrapped with SM2."""
    return seal_with(artefact, recipients, secrets.token_bytes(16), secrets.token_bytes(12))


def seal_with(artefact: ConsentArtefact, recipients: Mapping[bytes, bytes], key: bytes, iv: bytes) -> dict[str, Any]:
    """:func:`seal` with a given SM4 key and iv, which must be fresh; for vectors."""
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise ArtefactInvalid(detail=f"an artefact is sealed for 1 to {MAX_RECIPIENTS} recipients")
    consent = hexes.to_hex(artefact.consent)
    cipher = crypto.sm4_gcm_encrypt(key, iv, canonical(artefact.to_json()), consent.encode())
    return {
        "kind": SEALED_KIND,
        "version": 1,
        "consent": consent,
        "iv": base64.b64encode(iv).decode(),
        "ciphertext": base64.b64encode(cipher).decode(),
        "recipients": [_wrap(key, who, public) for who, public in sorted(recipients.items())],
    }


def _wrap(key: bytes, who: bytes, public: bytes) -> dict[str, str]:
    return {"id": hexes.to_hex(who), "key": base64.b64encode(crypto.sm2_encrypt(public, key)).decode()}


def open_sealed(sealed: object, recipient: bytes, private: bytes) -> ConsentArtefact:
    """Open a sealed artefact as ``recipient`` (its id) with its SM2 key, and check it whole.

    Raises ArtefactInvalid (not sealed for this recipient, wrong form, parts do not fit) or DecryptionFailed.
    """
    iv, cipher, consent, wrapped = _sealed_parts(sealed, recipient)
    key = crypto.sm2_decrypt(private, wrapped)
    if len(key) != 16:
        raise DecryptionFailed()
    try:
        document = json.loads(crypto.sm4_gcm_decrypt(key, iv, cipher, consent.encode()))
    except (ValueError, RecursionError) as e:
        raise ArtefactInvalid(detail="the sealed content is not JSON") from e
    artefact = ConsentArtefact.from_json(document)
    if hexes.to_hex(artefact.consent) != consent:
        raise ArtefactInvalid(detail="the sealed content is another consent")
    return artefact


def _sealed_parts(sealed: object, recipient: bytes) -> tuple[bytes, bytes, str, bytes]:
    names = {"kind", "version", "consent", "iv", "ciphertext", "recipients"}
    if not isinstance(sealed, dict) or sealed.keys() != names or sealed["kind"] != SEALED_KIND or sealed["version"] != 1:
        raise ArtefactInvalid(detail="not a sealed artefact of version 1")
    try:
        consent = hexes.to_hex(hexes.to_bytes(sealed["consent"], 32, "consent"))
        keys = {hexes.to_bytes(r["id"], 32, "recipient"): r["key"] for r in sealed["recipients"]}
        iv, cipher = base64.b64decode(sealed["iv"], validate=True), base64.b64decode(sealed["ciphertext"], validate=True)
        if recipient not in keys:
            raise ArtefactInvalid(detail="it is not sealed for this recipient")
        return iv, cipher, consent, base64.b64decode(keys[recipient], validate=True)
    except (TypeError, KeyError, binascii.Error, ValueError) as e:
        raise ArtefactInvalid(detail="a part of the sealed artefact is missing or not base64") from e
