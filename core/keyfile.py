"""A person's SM2 key at rest: encrypted under a passphrase, in the form phones and browsers share (docs/formats.md §11).

Key derivation: scrypt (RFC 7914) at OWASP's level for interactive use; encryption: SM4-GCM (GB/T 32907, RFC 8998).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import unicodedata
from typing import Any

from core import crypto
from core.crypto import KeyPair
from core.errors import DecryptionFailed, Malformed
from core.hexes import to_bytes, to_hex

KIND, VERSION = "healthtrust/key-file", 1
COST = {"n": 2**16, "r": 8, "p": 2}
LEAST_N, MOST_N, MOST_R, MOST_P = 2**14, 2**20, 16, 8
MIN_PASSPHRASE = 8
_MEMORY_BYTES = 2**31 - 1


class WrongPassphrase(Malformed):
    """The passphrase does not open the file, or the file was altered."""

    default_code = "wrong_passphrase"
    default_zh = "密码不对，或密钥文件已损坏。请重新输入；若仍不行，请使用备份文件。"
    default_en = "Wrong passphrase, or the key file is damaged. Try again; if it persists, use the backup file."


def lock(key: KeyPair, keyid: str, name: str, passphrase: str) -> dict[str, Any]:
    """The key file (a JSON document). ``keyid``: ``subject:0x…``, ``practitioner:0x…`` or ``organisation:0x…``.

    Raises Malformed for a passphrase under 8 characters.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise Malformed("passphrase_short", detail=f"a passphrase has at least {MIN_PASSPHRASE} characters")
    salt, iv, public = secrets.token_bytes(16), secrets.token_bytes(12), to_hex(key.public)
    secret = _derive(passphrase, salt, **COST)
    sealed = crypto.sm4_gcm_encrypt(secret, iv, key.private, _aad(keyid, public))
    kdf = {"name": "scrypt", **COST, "salt": _b64(salt)}
    head = {"kind": KIND, "version": VERSION, "keyid": keyid, "name": name, "publicKey": public}
    return {**head, "kdf": kdf, "iv": _b64(iv), "ciphertext": _b64(sealed)}


def unlock(document: dict[str, Any], passphrase: str) -> KeyPair:
    """The key in a key file. Raises WrongPassphrase, and Malformed for anything that is not a key file (cost bounded)."""
    try:
        kdf = document["kdf"]
        n, r, p = int(kdf["n"]), int(kdf["r"]), int(kdf["p"])
        salt, iv, sealed = (
            base64.b64decode(text, validate=True) for text in (kdf["salt"], document["iv"], document["ciphertext"])
        )
        head = (document["kind"], document["version"], kdf["name"])
        keyid, public = str(document["keyid"]), to_bytes(document["publicKey"], 64)
    except (KeyError, TypeError, ValueError, binascii.Error) as e:
        raise Malformed("not_a_key_file", detail="a member is missing or has another type") from e
    bounded = LEAST_N <= n <= MOST_N and n & (n - 1) == 0 and 1 <= r <= MOST_R and 1 <= p <= MOST_P
    if head != (KIND, VERSION, "scrypt") or not bounded:
        raise Malformed("not_a_key_file", detail="another kind or version, or a cost outside the limits")
    try:
        private = crypto.sm4_gcm_decrypt(_derive(passphrase, salt, n, r, p), iv, sealed, _aad(keyid, to_hex(public)))
    except DecryptionFailed as e:
        raise WrongPassphrase from e
    if crypto.sm2_public(private) != public:
        raise Malformed("not_a_key_file", detail="it names another public key")
    return KeyPair(private, public)


def _derive(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    text = unicodedata.normalize("NFC", passphrase).encode()
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_BYTES, dklen=16)


def _aad(keyid: str, public: str) -> bytes:
    return f"healthtrust/key-file/v1\0{keyid}\0{public}".encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
