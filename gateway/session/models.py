"""Tables: sessions, challenges, administrators, nonces seen. Secrets are stored as digests only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class LoginSession(Base):
    """A log-in. ``token``: SM3 of the bearer token; ``key``: SM3 of the public key at log-in; ``heir``: SM3 of the key this very
    session handed over to, under which it lives on; ``used``: UTC seconds."""

    __tablename__ = "login_session"
    token: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    keyid: Mapped[str] = mapped_column(String(90), index=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32))
    heir: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    created: Mapped[int] = mapped_column(BigInteger)
    used: Mapped[int] = mapped_column(BigInteger, index=True)


class Challenge(Base):
    """A challenge waiting for its signature; used once. ``value``: SM3 of the 32 random bytes."""

    __tablename__ = "login_challenge"
    value: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    keyid: Mapped[str] = mapped_column(String(90))
    expires: Mapped[int] = mapped_column(BigInteger, index=True)


class Administrator(Base):
    """A person who runs the gateway and reads nobody's record. ``password``: Argon2id; ``failures`` in a row and until
    when it is locked."""

    __tablename__ = "administrator"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password: Mapped[str] = mapped_column(String(160))
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[int] = mapped_column(BigInteger, default=0)


class SeenNonce(Base):
    """A signed request's nonce, kept while the request would still be fresh. ``digest``: SM3 of key id and nonce."""

    __tablename__ = "seen_nonce"
    digest: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    expires: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (Index("seen_nonce_by_expiry", "expires"),)
