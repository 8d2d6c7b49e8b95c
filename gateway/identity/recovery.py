"""Recovery of a lost key: asked for by enrolling again, told to the resident on every page, stopped by the old key, done
after the delay."""

from __future__ import annotations

from core import crypto
from core.crypto.encoding import parse_signature
from core.hexes import to_bytes, to_hex
from core.words import kind_word, word
from gateway.deps import Context
from gateway.identity.errors import NoRecovery, TooEarly
from gateway.identity.schemas import RecoveryOut, VetoIn
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted
from gateway.problem import SignatureWrong

VETO = kind_word("healthtrust/key-veto/v1")


def pending(ctx: Context, subject: str) -> RecoveryOut:
    """The key that waits to replace a subject's."""
    name = to_bytes(subject)
    try:
        found = ctx.read("Identity", "recoveryOf", subject=name)
    except LedgerError as error:
        if error.reason is Reason.REJECTED:
            raise NoRecovery from error
        raise
    if not found["executableAt"]:
        raise NoRecovery
    return RecoveryOut(
        subject=subject,
        publicKey=to_hex(found["x"] + found["y"]),
        registrar=to_hex(found["registrar"]),
        executableAt=found["executableAt"],
        nonce=int(ctx.read("Identity", "nonceOf", subject=name)),
        domain=to_hex(ctx.gateway.domain("Identity")),
    )


def veto(ctx: Context, body: VetoIn) -> Accepted:
    """The resident's current key stops a recovery."""
    waiting = pending(ctx, ctx.caller.id)
    signature = parse_signature(to_bytes(body.signature, None))
    message = VETO + to_bytes(waiting.domain) + ctx.caller.word + to_bytes(waiting.publicKey, 64) + word(waiting.nonce)
    if not crypto.sm2_verify(ctx.caller.public, message, signature):
        raise SignatureWrong
    call = Call("Identity", "vetoRecovery", {"subject": ctx.caller.word, "signature": signature})
    return operations.store(ctx, "identity.veto", call, ctx.caller.id)


def complete(ctx: Context, subject: str) -> Accepted:
    """Put the new key in place once the delay is over; anybody may ask, the ledger decides."""
    waiting = pending(ctx, subject)
    if waiting.executableAt > ctx.ledger.head().time:
        raise TooEarly(executable_at=waiting.executableAt)
    return operations.store(ctx, "identity.recover", Call("Identity", "recoverKey", {"subject": to_bytes(subject)}), subject)
