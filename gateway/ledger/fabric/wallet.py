"""Where a process finds who it is on the network: certificates by account, and the reader that needs no account.

<folder>/accounts/<account>.pem     certificate of a ledger account, whose key the process is given
<folder>/reader.pem, reader.key     certificate and key of somebody who only reads (mirror, checks)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.ledger.fabric.identity import Identity, LocalSigner, account_of_key
from gateway.ledger.reasons import LedgerError, Reason


def identity_in(folder: Path, msps: Iterable[str], key: bytes | None) -> Identity:
    """Who we are by a folder of certificates: the account of ``key`` in the first of these organisations that made it one, or for
    None who reads, of the first. Raises LedgerError as :class:`Wallet` does."""
    wallets = [Wallet(folder, msp) for msp in msps]
    if key is None:
        return wallets[0].reader()
    public = LocalSigner.from_secret(key).key.public_key()
    return next((w for w in wallets if w.has_account(public)), wallets[0]).account(key)


@dataclass(frozen=True)
class Wallet:
    """``msp``: MSP id of our organisation."""

    folder: Path
    msp: str

    def account(self, key: bytes) -> Identity:
        """The account of a private key (32 bytes). Raises LedgerError not_found naming the certificate that is missing."""
        signer = LocalSigner.from_secret(key)
        return Identity(self.msp, self._read(self._certificate(signer.key.public_key())), signer)

    def reader(self) -> Identity:
        """Who reads. Raises LedgerError not_found, invalid_argument."""
        certificate, key = self._read(self.folder / "reader.pem"), self.folder / "reader.key"
        try:
            return Identity(self.msp, certificate, LocalSigner.from_pem(key))
        except (OSError, ValueError) as e:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"the reader's key: {e}") from e

    def has_account(self, public: ec.EllipticCurvePublicKey) -> bool:
        """Whether the certificate of an account's key is here."""
        return self._certificate(public).exists()

    def has_reader(self) -> bool:
        """Whether who reads is here."""
        return (self.folder / "reader.pem").exists()

    def put_account(self, public: ec.EllipticCurvePublicKey, certificate: bytes) -> None:
        """Keep the certificate (PEM) that the network issued for an account's key."""
        path = self._certificate(public)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(certificate)

    def put_reader(self, key: ec.EllipticCurvePrivateKey, certificate: bytes) -> None:
        """Keep the reader's key and certificate."""
        self.folder.mkdir(parents=True, exist_ok=True)
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / "reader.key").touch(mode=0o600)
        (self.folder / "reader.key").write_bytes(secret)
        (self.folder / "reader.pem").write_bytes(certificate)

    def _certificate(self, public: ec.EllipticCurvePublicKey) -> Path:
        info = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return self.folder / "accounts" / f"{account_of_key(self.msp, info)}.pem"

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise LedgerError(
                Reason.NOT_FOUND, detail=f"{path} is missing: have the organisation's authority issue a certificate"
            ) from None
