"""What a member says to the alliance, signed by its SM2 key: an account alone is not the member (docs/formats.md §4)."""

from __future__ import annotations

from dataclasses import replace

from core.crypto import sm2_sign, sm3
from core.messages import AllianceProposal, AllianceVote, LedgerAccount, OrganisationKey
from gateway.ledger.port import Call, Ledger


def set_account(ledger: Ledger, organisation: bytes, private: bytes, account: str, allowed: bool) -> Call:
    """Add (or withdraw) ledger account ``account`` (0x…) of the organisation whose SM2 key (32 bytes) signs.

    Another of its accounts sends it, before it signs anything else for the alliance: the message carries the nonce of now.
    """
    domain, nonce = _domain_and_nonce(ledger, organisation)
    said = LedgerAccount(domain, organisation, bytes.fromhex(account.removeprefix("0x")), allowed, nonce).pack()
    return with_signature(Call("Alliance", "setAccount", {"account": account, "allowed": allowed}), sm2_sign(private, said))


def hand_over(ledger: Ledger, organisation: bytes, private: bytes, public: bytes) -> Call:
    """Replace the organisation's SM2 key by ``public`` (x‖y, 64 bytes); its old one (``private``, 32 bytes) signs. From then on
    the ledger takes nothing that the old one signed."""
    domain, nonce = _domain_and_nonce(ledger, organisation)
    said = OrganisationKey(domain, organisation, public, nonce).pack()
    return with_signature(Call("Alliance", "rotateKey", {"x": public[:32], "y": public[32:]}), sm2_sign(private, said))


def signed(ledger: Ledger, organisation: bytes, private: bytes, call: Call, *, ahead: int = 0) -> Call:
    """A proposal or vote of ``gateway.ledger.actions`` made whole by the SM2 key (32 bytes) of the organisation.

    ``ahead``: how many proposals of the same organisation are sent before this one and not on the ledger yet.
    """
    said = vote_words(ledger, organisation, call) if call.method == "vote" else proposal_words(ledger, organisation, call, ahead)
    return with_signature(call, sm2_sign(private, said))


def proposal_words(ledger: Ledger, organisation: bytes, call: Call, ahead: int = 0) -> bytes:
    """What an organisation signs to propose: what shall be done, and the nonce the ledger holds (and ``ahead`` more)."""
    domain, nonce = _domain_and_nonce(ledger, organisation)
    return AllianceProposal(domain, organisation, call.args["action"], sm3(call.args["args"]), nonce + ahead).pack()


def vote_words(ledger: Ledger, organisation: bytes, call: Call) -> bytes:
    """What an organisation signs to vote: the proposal's number and what it would do. LedgerError where there is none."""
    number = call.args["proposal"]
    domain, proposed = ledger.read_many([Call("Alliance", "domain"), Call("Alliance", "proposalOf", {"proposal": number})])
    return AllianceVote(domain, organisation, number, proposed["action"], sm3(proposed["args"])).pack()


def with_signature(call: Call, signature: bytes) -> Call:
    """The call with r‖s (64 bytes) as its last arguments."""
    return replace(call, args={**call.args, "r": signature[:32], "s": signature[32:]})


def _domain_and_nonce(ledger: Ledger, organisation: bytes) -> tuple[bytes, int]:
    domain, key = ledger.read_many([Call("Alliance", "domain"), Call("Alliance", "keyOf", {"id": organisation})])
    return domain, key["nonce"]
