"""Ledger proofs on four validators, against the offline verifier, which shares no code with the driver."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from eth_utils.crypto import keccak

from core import bundle
from core.bundle import AccountProof, Slots, StorageWord
from core.verify.checks import signed_blocks
from core.verify.comet import read_comet
from core.words import word
from gateway.ledger.port import LedgerProof
from gateway.ledger.reasons import LedgerError, Reason
from tests.support.validators import ValidatorChain
from tests.support.world import World, build_world

pytestmark = [pytest.mark.validators, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(validators_chain: ValidatorChain) -> Iterator[World]:
    made = build_world(validators_chain)
    yield made
    made.close()


def member_slots(world: World) -> list[bytes]:
    """Where Alliance keeps the hospital's status and key."""
    first = int.from_bytes(keccak(word(world.hospital.id) + word(Slots.ALLIANCE_ORGANISATIONS)), "big")
    return [word(first + i) for i in range(3)]


def proved(world: World, slots: list[bytes], at: int | bytes) -> LedgerProof:
    found = world.ledger.proof("Alliance", slots, at)
    assert found is not None
    assert found.commit is not None
    return found


def as_evidence(world: World, found: LedgerProof) -> tuple[dict[str, Any], dict[str, Any]]:
    """The bundle's ledger part with this proof alone, and the checkpoint that goes with it."""
    assert found.commit is not None
    info = world.ledger.info()
    facts = info.chain, info.ledger_id, info.contracts
    headers = {found.block.hash: found.header, found.commit.block: found.commit.header}
    words = [StorageWord(w.slot, w.value, w.proof) for w in found.storage]
    account = AccountProof(found.contract, found.block.hash, found.account_proof, words, "test")
    trust = bundle.checkpoint(*facts, [], found.commit.validators)
    return bundle.evm_ledger(*facts, headers, [account], [found.commit]), trust


def test_words_prove_under_the_validators_signatures(world: World) -> None:
    head = world.ledger.head()
    slots = member_slots(world)
    ledger, trust = as_evidence(world, proved(world, slots, head.hash))
    evidence = read_comet(ledger)
    status, x, y = (evidence.get("Alliance", head.hash, int.from_bytes(slot, "big")) for slot in slots)
    assert status[31] == 1
    assert x + y == world.hospital.sm2.public
    assert (evidence.times[head.hash], evidence.heights[head.hash]) == (head.time, head.height)
    assert signed_blocks(evidence, trust) == list(evidence.commits)
    assert evidence.resting == set(evidence.heights)


def test_words_that_are_not_there_prove_to_be_zero(world: World) -> None:
    slots = [bytes(32), b"\xff" * 32, *(secrets.token_bytes(32) for _ in range(20))]
    found = proved(world, slots[1:], world.ledger.head().height)
    evidence = read_comet(as_evidence(world, found)[0])
    assert {w.value for w in found.storage} == {bytes(32)}
    assert len(evidence.words["Alliance", found.block.hash]) == len(slots) - 1


def test_an_earlier_block_proves_what_was(world: World) -> None:
    before = world.ledger.head()
    world.resident()
    found = proved(world, member_slots(world), before.height)
    assert found.block == before
    read_comet(as_evidence(world, found)[0])


def test_a_block_that_is_not_there_has_no_proof(world: World) -> None:
    for at in (10**9, b"\1" * 32):
        with pytest.raises(LedgerError) as raised:
            world.ledger.proof("Alliance", [bytes(32)], at)
        assert raised.value.reason is Reason.NOT_FOUND
