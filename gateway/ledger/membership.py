"""What a member changes about itself, signed by its SM2 key: an account alone is not the member (docs/formats.md §4)."""

from __future__ import annotations

from core.crypto import sm2_sign
from core.messages import LedgerAccount
from gateway.ledger.port import Call, Ledger


def set_account(ledger: Ledger, organisation: bytes, private: bytes, account: str, allowed: bool) -> Call:
    """Add (or withdraw) ledger account ``account`` (0x…) of the organisation whose SM2 key (32 bytes) signs.

    Another of its accounts sends it, before its keys or accounts change again: the message carries the nonce of now.
    """
    domain, key = ledger.read_many([Call("Alliance", "domain"), Call("Alliance", "keyOf", {"id": organisation})])
    said = LedgerAccount(domain, organisation, bytes.fromhex(account.removeprefix("0x")), allowed, key["nonce"]).pack()
    signature = sm2_sign(private, said)
    return Call("Alliance", "setAccount", {"account": account, "allowed": allowed, "r": signature[:32], "s": signature[32:]})
