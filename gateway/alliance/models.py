"""What members say of themselves beside the ledger: code, name and the address of their gate."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class OrganisationProfile(Base):
    """Public words of a member. Shown only while SM3 of the name is the digest on the ledger."""

    __tablename__ = "organisation_profile"
    organisation: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    code: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    gate: Mapped[str | None] = mapped_column(String(200))
