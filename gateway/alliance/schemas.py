"""Bodies of /alliance and /organisations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.types import Line, Model, PublicKey, Signature, Uint, Word

STATUS = ("none", "active", "suspended", "left", "invited")
ROLE_NAMES = ("custodian", "reader", "registrar", "auditor", "operator")
RoleName = Literal["custodian", "reader", "registrar", "auditor", "operator"]
PROPOSED = Field(description="Our organisation's, over alliance-proposal (docs/formats.md §4)")
Account = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]


class OrganisationOut(Model):
    """A member as the ledger says; ``code``, ``name`` and ``gate`` as it says of itself (the name checked against the
    ledger's digest)."""

    id: Word
    code: str | None
    name: str | None
    status: str
    active: bool
    custodian: bool
    roles: list[str]
    publicKey: str | None
    gate: str | None = Field(None, description="Public URL of its release gate")
    joinedAt: int


class AllianceOut(Model):
    """The alliance and how it decides."""

    name: str
    ledger: Word
    numerator: int = Field(description="A proposal needs more than numerator/denominator of the active members")
    denominator: int
    activeMembers: int


class InviteIn(Model):
    """A new member."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Line
    roles: Annotated[list[RoleName], Field(max_length=5)]
    publicKey: PublicKey
    account: Account
    signature: Signature = PROPOSED


class ProfileIn(Model):
    """What a member says of itself."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Line
    gate: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,190}$")] | None = None


class MoveIn(Model):
    """What shall happen to a member; with more than one active member this opens a proposal the others vote on."""

    action: Literal["suspend", "restore", "expel"]
    signature: Signature = PROPOSED


class VoteIn(Model):
    """A vote for an open proposal."""

    proposal: Uint
    signature: Signature = Field(description="Our organisation's, over alliance-vote (docs/formats.md §4)")


class AllianceNonceOut(Model):
    """What the next proposal of our organisation carries."""

    domain: Word
    nonce: int


class ProposalOut(Model):
    """A proposal as the ledger holds it. A vote signs ``action`` and SM3 of ``args``, so that it counts for nothing else."""

    proposal: int
    action: int
    args: str = Field(description="0x hex of the encoded arguments, docs/ledger.md")
    expires: int
    executed: bool
    voters: list[Word]
