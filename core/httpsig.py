"""Signed requests: HTTP Message Signatures (RFC 9421) with algorithm ``sm2-sm3``, in the one shape of docs/formats.md §8.

Anything else that RFC 9421 would allow (other labels, components, orders, parameters) is refused: a small grammar leaves
nothing to argue about. Framework-free: give it method, URI, headers and body; it gives back who signed.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from time import time as _clock
from typing import Protocol

from core import crypto, hexes
from core.errors import SignatureInvalid, TooManyRequests

ALGORITHM = "sm2-sm3"
MAX_LIFE_SECONDS = 300
MAX_SKEW_SECONDS = 60
PARTIES = ("practitioner", "subject", "organisation")

_INPUT = re.compile(
    r'sig1=(?P<params>\("@method" "@target-uri"(?P<digest> "content-digest")?\);created=(?P<created>0|[1-9][0-9]{0,14})'
    r';expires=(?P<expires>0|[1-9][0-9]{0,14});nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})"'
    r';keyid="(?P<party>practitioner|subject|organisation):(?P<id>0x[0-9a-f]{64})";alg="sm2-sm3")'
)
_SIGNATURE = re.compile(r"sig1=:(?P<b64>[A-Za-z0-9+/]{86}==):")
_METHOD = re.compile(r"[A-Z]{1,16}")
_URI = re.compile(r"https?://[!-~]{1,8000}")


class NonceMemory(Protocol):
    """Remembers which nonces a key has used."""

    started: int
    """UTC seconds since when nothing was forgotten; requests created before are refused."""

    def first_use(self, keyid: str, nonce: str, expires: int) -> bool:
        """Remember the nonce until ``expires``; False if the key has used it before. Atomic."""


class MemoryNonces:
    """Nonce memory of one process, lost when it ends (which ``started`` says, so that nothing older is accepted). Thread-safe."""

    def __init__(self, started: int | None = None, limit: int = 1_000_000) -> None:
        self.started = int(_clock()) if started is None else started
        self._seen: dict[tuple[str, str], int] = {}
        self._limit = limit
        self._lock = Lock()

    def first_use(self, keyid: str, nonce: str, expires: int) -> bool:
        with self._lock:
            if len(self._seen) >= self._limit:
                self._forget()
            if (keyid, nonce) in self._seen:
                return False
            self._seen[keyid, nonce] = expires
            return True

    def _forget(self) -> None:
        now = int(_clock())
        self._seen = {k: expires for k, expires in self._seen.items() if expires + MAX_SKEW_SECONDS >= now}
        if len(self._seen) >= self._limit:
            raise TooManyRequests()


@dataclass(slots=True)
class SignedRequest:
    """A request whose signature held. ``party``: practitioner, subject or organisation; ``id``: its 32 bytes; ``base``: the
    signed text."""

    party: str
    id: bytes
    keyid: str
    base: str
    signature: bytes
    public: bytes
    created: int
    expires: int
    nonce: str

    def digest(self) -> bytes:
        """SM3 of the base: the ``request`` of a receipt."""
        return crypto.sm3(self.base.encode())

    def evidence(self) -> dict[str, str]:
        """The ``request`` part of a proof bundle."""
        return {
            "base": self.base,
            "signature": hexes.to_hex(self.signature),
            "keyid": self.keyid,
            "publicKey": hexes.to_hex(self.public),
        }


def key_id(party: str, identifier: bytes) -> str:
    """``practitioner:0x…``, ``subject:0x…`` or ``organisation:0x…``."""
    if party not in PARTIES or len(identifier) != 32:
        raise ValueError("a key id is practitioner, subject or organisation and 32 bytes")
    return f"{party}:{hexes.to_hex(identifier)}"


def content_digest(body: bytes) -> str:
    """Value of ``Content-Digest`` (RFC 9530): ``sm3=:base64:``."""
    return f"sm3=:{base64.b64encode(crypto.sm3(body)).decode()}:"


def signature_base(method: str, target_uri: str, digest: str | None, params: str) -> str:
    """The text that is signed (RFC 9421 §2.5). ``digest``: the Content-Digest value or None without a body; ``params``: from
    ``(`` on."""
    if not _METHOD.fullmatch(method) or not _URI.fullmatch(target_uri):
        raise SignatureInvalid(detail="method or URI cannot be signed")
    lines = [f'"@method": {method}', f'"@target-uri": {target_uri}']
    if digest is not None:
        lines.append(f'"content-digest": {digest}')
    return "\n".join([*lines, f'"@signature-params": {params}'])


def sign_request(
    private: bytes,
    keyid: str,
    method: str,
    target_uri: str,
    body: bytes = b"",
    *,
    now: int | None = None,
    life: int = 60,
    nonce: str | None = None,
) -> dict[str, str]:
    """Headers to add to a request. ``life`` in seconds, at most 300; ``target_uri`` must be the URL the server knows itself
    by."""
    created = int(_clock()) if now is None else now
    digest = content_digest(body) if body else None
    covered = '("@method" "@target-uri" "content-digest")' if body else '("@method" "@target-uri")'
    once = nonce or secrets.token_urlsafe(18)
    params = f'{covered};created={created};expires={created + life};nonce="{once}";keyid="{keyid}";alg="{ALGORITHM}"'
    signature = crypto.sm2_sign(private, signature_base(method, target_uri, digest, params).encode())
    headers = {"Signature-Input": f"sig1={params}", "Signature": f"sig1=:{base64.b64encode(signature).decode()}:"}
    return headers | ({"Content-Digest": digest} if digest else {})


def parse_and_verify(
    headers: Mapping[str, str],
    method: str,
    target_uri: str,
    body: bytes,
    key_lookup: Callable[[str, bytes], bytes | None],
    now: int,
    nonces: NonceMemory,
    *,
    max_life: int = MAX_LIFE_SECONDS,
    max_skew: int = MAX_SKEW_SECONDS,
) -> SignedRequest:
    """Who signed this request. Raises SignatureInvalid and says why; a nonce is spent only by a signature that holds.

    ``key_lookup(party, id)`` gives the registered public key x‖y or None. Header names are matched without regard to case.
    """
    given = {k.lower(): v for k, v in headers.items()}
    match = _INPUT.fullmatch(given.get("signature-input", ""))
    raw = _SIGNATURE.fullmatch(given.get("signature", ""))
    if match is None or raw is None:
        raise SignatureInvalid(detail="Signature-Input or Signature is missing or not in the agreed form")
    digest = _check_body(given, body, covered=match["digest"] is not None)
    created, expires = int(match["created"]), int(match["expires"])
    _check_time(created, expires, now, nonces.started, max_life, max_skew)
    party, identifier = match["party"], hexes.to_bytes(match["id"])
    public = key_lookup(party, identifier)
    base = signature_base(method, target_uri, digest, match["params"])
    signature = _decode(raw["b64"])
    if public is None or not crypto.sm2_verify(public, base.encode(), signature):
        raise SignatureInvalid(detail="no registered key of this party made this signature")
    keyid = f"{party}:{match['id']}"
    if not nonces.first_use(keyid, match["nonce"], expires):
        raise SignatureInvalid(
            "request_replayed", "该请求已经用过，请重新发起。", "This request was used before. Make a new one."
        )
    return SignedRequest(party, identifier, keyid, base, signature, public, created, expires, match["nonce"])


def _check_body(given: Mapping[str, str], body: bytes, *, covered: bool) -> str | None:
    digest = given.get("content-digest")
    if covered != bool(body) or covered != (digest is not None):
        raise SignatureInvalid(detail="a request with a body signs its Content-Digest, one without has none")
    if digest is not None and not hmac.compare_digest(digest.encode(), content_digest(body).encode()):
        raise SignatureInvalid(detail="the body is not the one that was signed")
    return digest


def _check_time(created: int, expires: int, now: int, started: int, max_life: int, max_skew: int) -> None:
    if not 0 < expires - created <= max_life:
        raise SignatureInvalid(detail=f"a signed request lives at most {max_life} s")
    if created > now + max_skew:
        raise SignatureInvalid(detail="it was made in the future; set the clock")
    if now > expires + max_skew:
        raise SignatureInvalid("request_expired", "请求已过期，请重新发起。", "The request has expired. Make a new one.")
    if created < started:
        raise SignatureInvalid(
            "request_too_old", "服务刚刚重启，请重新发起请求。", "The service has just restarted. Make a new request."
        )


def _decode(text: str) -> bytes:
    signature = base64.b64decode(text)
    if base64.b64encode(signature).decode() != text:
        raise SignatureInvalid(detail="the signature is not canonical base64")
    return signature
