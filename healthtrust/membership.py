"""A hospital becomes a member (`healthtrust alliance …`): it hands out a card, a member proposes it, the others agree, it joins.

Its private keys stay in its own home throughout; the card holds what everybody may know.
"""

from __future__ import annotations

from typing import Any

from eth_abi.exceptions import EncodingError

from core import crypto
from core.errors import ForPeople
from core.hexes import to_bytes, to_hex
from core.ids import organisation_id
from gateway.database import migrate
from gateway.ledger import actions, outbox
from gateway.ledger.evm.context import local_account
from gateway.ledger.port import Call, Ledger
from gateway.settings import Settings
from healthtrust import founding
from healthtrust.attest import writer
from healthtrust.custody import put
from healthtrust.founding import Party

KIND, VERSION = "healthtrust/member-card", 1
STATES = ("none", "active", "suspended", "left", "invited")


class NoCard(ForPeople):
    """What was handed over is no member's card."""


def found(settings: Settings) -> str:
    """Found the alliance as its identity office; its ledger id. Run again it goes on where it was cut off. Raises LedgerError."""
    if settings.production and settings.office.code.startswith("TEST-"):
        raise NoCard("production refuses the sample identity office: set office.code and office.name")
    migrate(settings.gateway_database())
    office = founding.found_office(settings)
    with founding.ledger_of(settings, office) as ledger:
        return to_hex(ledger.info().ledger_id)


def card(settings: Settings, code: str) -> dict[str, Any]:
    """What a custodian of these settings shows to be invited; its keys are made where there are none. On Fabric without account,
    which is a certificate there."""
    party = founding.custodian(settings, code)
    account = local_account(party.ledger_key)
    shown = {"code": party.code, "name": party.name, "roles": party.roles, "publicKey": to_hex(party.public_key)}
    return {"kind": KIND, "version": VERSION, **shown, "account": account.address.lower() if account else ""}


def invite(settings: Settings, code: str, shown: dict[str, Any]) -> int:
    """Propose the organisation of a card as member ``code``; the proposal's number. Raises NoCard, LedgerError."""
    wish = _invitation(shown)
    with writer(settings, code) as (party, sessions, ledger):
        return proposed(party, sessions, ledger, wish)


def _invitation(shown: dict[str, Any]) -> Call:
    if (shown.get("kind"), shown.get("version")) != (KIND, VERSION):
        raise NoCard("this is no member's card: ask the hospital for what `healthtrust alliance card` printed")
    try:
        public, name = to_bytes(shown["publicKey"], 64), crypto.sm3(shown["name"].encode())
        return actions.invite(organisation_id(shown["code"]), name, int(shown["roles"]), public, shown["account"])
    except (KeyError, TypeError, ValueError, AttributeError, EncodingError) as e:
        raise NoCard(f"the card was altered: {e!r}") from e


def proposed(party: Party, sessions: outbox.Sessions, ledger: Ledger, wish: Call) -> int:
    """Propose something of ``gateway.ledger.actions`` as this member; the proposal's number. Raises LedgerError."""
    call = party.says(ledger, wish)
    number = int(ledger.read(call))
    put(sessions, ledger, "alliance.propose", (f"proposal/{call.args['r'].hex()}", call))
    return number


def vote(settings: Settings, code: str, proposal: int) -> None:
    """A member agrees to another's proposal. Raises LedgerError."""
    with writer(settings, code) as (party, sessions, ledger):
        call = party.says(ledger, actions.vote(proposal))
        put(sessions, ledger, "alliance.vote", (f"vote/{call.args['r'].hex()}", call))


def join(settings: Settings, code: str) -> None:
    """Accept the invitation, from the account on the card. Raises LedgerError."""
    with writer(settings, code) as (party, sessions, ledger):
        call = Call("Alliance", "join", {"organisation": party.id})
        put(sessions, ledger, "alliance.join", (f"join/{party.public_key.hex()}", call))


def standing(settings: Settings, code: str) -> str:
    """What a custodian of these settings is to the alliance: one of :data:`STATES`. Raises LedgerError."""
    party = founding.custodian(settings, code)
    with founding.ledger_of(settings, party) as ledger:
        return STATES[int(ledger.read(Call("Alliance", "statusOf", {"id": party.id})))]
