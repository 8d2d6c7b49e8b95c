"""A member's keys change hands on the ledger: its SM2 key, or one of its ledger accounts (`healthtrust rotate-signing-key`,
`rotate-account`).

Order: the new key is durably in the keyring, writes under way are waited for, the ledger takes the new key, the keyring takes it
too. Cut off anywhere, the same command goes on with the same new key. Whoever has the old key in memory must not run meanwhile,
because from the handover on the ledger takes nothing it signs: the gate's own lock shows that it does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from core import crypto
from core.errors import ForPeople
from gateway.keyring import Handed, Keyring, begin_handover, end_handover
from gateway.ledger import outbox
from gateway.ledger.factory import open_ledger
from gateway.ledger.membership import hand_over, set_account
from gateway.ledger.port import Call, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import Settings
from healthtrust import supervisor
from healthtrust.attest import writer
from healthtrust.custody import ANCHOR_SECONDS, keyring, put
from healthtrust.founding import Party
from offchain.claim import claimed
from offchain.gate.keeper import Leadership

GATEWAY = "gateway"
"""Stands for the gateway's own ledger account, which is the identity office's."""


class RotationRefused(ForPeople):
    """No key was changed; the message says why and what to do."""


@dataclass(frozen=True)
class _Holder:
    """Whose keyring it is, and in whose name it writes."""

    settings: Settings
    path: Path
    name: str
    party: Party
    sessions: outbox.Sessions
    ledger: Ledger

    def begin(self, key: Handed) -> Keyring:
        return begin_handover(self.path, self.name, key)

    def end(self, key: Handed) -> None:
        end_handover(self.path, self.name, key)

    def say(self, ledger: Ledger, call: Call) -> None:
        """Through the outbox. A signature is new each time, so it is part of the key."""
        put(self.sessions, ledger, f"alliance.{call.method}", (f"handover/{call.args['r'].hex()}", call))


def rotate_signing_key(settings: Settings, code: str) -> bytes:
    """A new SM2 key for a custodian or the identity office; its public half (x‖y). Raises RotationRefused, LedgerError, KeyError.

    What the old one signed until now stays provable: proofs name the block, and the key that the ledger held there.
    """
    with alone(settings, code), _holder(settings, code) as own:
        public = crypto.sm2_public(bytes.fromhex(own.begin("sm2").next_sm2))
        _wait_for_writes(own.sessions, own.ledger)
        held = own.ledger.read(Call("Alliance", "keyOf", {"id": own.party.id}))
        if held["x"] + held["y"] != public:
            own.say(own.ledger, hand_over(own.ledger, own.party.id, bytes.fromhex(own.party.ring.sm2), public))
        own.end("sm2")
        return public


def rotate_account(settings: Settings, code: str) -> str:
    """A new ledger account for a custodian, the identity office, or :data:`GATEWAY`; its address. The old one is withdrawn.
    Raises RotationRefused, LedgerError, KeyError."""
    if settings.ledger.kind == "fabric":
        raise RotationRefused("on Fabric an account is a certificate: issue a new one with `healthtrust network issue`")
    with alone(settings, code), _holder(settings, code) as own:
        ring = own.begin("evm")
        old = _account(settings, ring.evm)
        _wait_for_writes(own.sessions, own.ledger)
        sm2 = bytes.fromhex(own.party.ring.sm2)
        newcomer = open_ledger(settings, bytes.fromhex(ring.next_evm))
        try:
            account = newcomer.info().account
            if _member(own.ledger, account) != own.party.id:
                own.say(own.ledger, set_account(own.ledger, own.party.id, sm2, account, True))
            if _member(newcomer, old) == own.party.id:
                own.say(newcomer, set_account(newcomer, own.party.id, sm2, old, False))
        finally:
            newcomer.close()
        own.end("evm")
        return account


@contextmanager
def _holder(settings: Settings, code: str) -> Iterator[_Holder]:
    office = code in (GATEWAY, settings.office.code)
    with writer(settings, settings.office.code if office else code) as (party, sessions, ledger):
        if code == GATEWAY:
            path, name = settings.path("gateway", "keys.json"), "gateway"
        else:
            path, name = (settings.path("registrar", "keys.json"), "registrar") if office else (keyring(settings, code), code)
        yield _Holder(settings, path, name, party, sessions, ledger)


@contextmanager
def alone(settings: Settings, code: str) -> Iterator[None]:
    """Nobody else uses these keys while the block runs, as far as this machine tells. Raises RotationRefused, AlreadyClaimed."""
    if supervisor.running(settings.home):
        raise RotationRefused(
            "the platform runs here and holds the old key: `healthtrust down` first, `healthtrust up` afterwards"
        )
    with ExitStack() as held:
        if code not in (GATEWAY, settings.office.code):
            folder = keyring(settings, code).parent
            held.enter_context(claimed(folder, "更换密钥 rotation of keys"))
            gate = Leadership(folder / "keeper.lock")
            held.callback(gate.close)
            if not gate.take():
                raise RotationRefused(f"the gate of {code} runs and holds the old key: stop it first, start it afterwards")
        yield


def _wait_for_writes(sessions: outbox.Sessions, ledger: Ledger) -> None:
    """Until nothing is under way any more that was signed with what is going."""
    open_ones = select(func.count()).where(outbox.Operation.state.in_((outbox.INITIALISED, outbox.PENDING)))
    deadline = time.monotonic() + ANCHOR_SECONDS
    while time.monotonic() < deadline:
        outbox.work(sessions, ledger)
        with sessions() as session:
            if not session.scalar(open_ones):
                return
        time.sleep(0.1)
    raise LedgerError(Reason.TIMEOUT, "commit", detail="writes are still under way; no key was changed, run it again later")


def _member(ledger: Ledger, account: str) -> bytes:
    return bytes(ledger.read(Call("Alliance", "organisationOf", {"account": account})))


def _account(settings: Settings, key: str) -> str:
    ledger = open_ledger(settings, bytes.fromhex(key))
    try:
        return ledger.info().account
    finally:
        ledger.close()
