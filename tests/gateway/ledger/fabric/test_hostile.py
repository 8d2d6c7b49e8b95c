"""Nobody who may write to a channel can make its peers stand still: a block that holds what counts for nothing, and after it what
waits for its fate, is judged to its end (docs/decisions/0015-fabric-patched.md; unchanged peers of Fabric 3.1.1 fail here)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger.fabric.blocks import FabricBlock, read_block
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.protos import message
from gateway.ledger.port import Call, Prepared
from tests.support.chains import FabricChain
from tests.support.waiting import until
from tests.support.world import World, await_outcome, build_world

pytestmark = pytest.mark.fabric
SECONDS = 120.0
COPIES = 6


@dataclass
class Channel:
    """A member's writes of one register, which carry a rule of who must endorse it, and a client that sends anything."""

    world: World
    gateway: Gateway
    chain: FabricChain
    _number: Iterator[int] = field(default_factory=itertools.count)

    def write(self) -> Prepared:
        """A write of the register, endorsed and not sent."""
        digest = sm3(f"hostile {next(self._number)}".encode())
        return self.world.ledger.prepare(Call("Evidence", "record", {"kind": kind_word("test"), "digest": digest}))

    def committed(self) -> Prepared:
        """A write that is in a block."""
        made = self.write()
        self.world.ledger.submit(made)
        assert await_outcome(self.world.ledger, made.id, SECONDS).status == "committed"
        return made

    def send(self, raw: bytes, id: str) -> None:
        self.gateway.submit(id[2:], raw)

    def signed(self, payload: Any) -> bytes:
        data = payload.SerializeToString()
        envelope = message("common.Envelope")(payload=data, signature=self.gateway.identity.sign(data))
        raw: bytes = envelope.SerializeToString()
        return raw

    def whole(self) -> bool:
        """Whether every peer runs, and all are at the same block."""
        return self.chain.network.status()["ready"]


@pytest.fixture(scope="module")
def channel(fabric_chain: FabricChain) -> Iterator[Channel]:
    world = build_world(fabric_chain)
    gateway = fabric_chain.gateway(fabric_chain.identity(world.operator.key))
    yield Channel(world, gateway, fabric_chain)
    gateway.close()
    world.close()


Hostile = Callable[[Channel], tuple[str, bytes]]


def repeated(channel: Channel) -> tuple[str, bytes]:
    """The same transaction again."""
    made = channel.committed()
    return made.id, made.raw


def another_under_a_known_id(channel: Channel) -> tuple[str, bytes]:
    """Another content under the id of a transaction that is in a block: nobody endorsed it."""
    known, other = _payload(channel.committed().raw), channel.write()
    known.data = _payload(other.raw).data
    return other.id, channel.signed(known)


def of_another_chaincode(channel: Channel) -> tuple[str, bytes]:
    """What one chaincode answered, said to be of another."""
    made = channel.write()
    payload = _payload(made.raw)
    header = message("common.ChannelHeader").FromString(payload.header.channel_header)
    header.extension = message("protos.ChaincodeHeaderExtension")(chaincode_id={"name": "nobody"}).SerializeToString()
    payload.header.channel_header = header.SerializeToString()
    return made.id, channel.signed(payload)


def without_action(channel: Channel) -> tuple[str, bytes]:
    """A transaction that does nothing at all."""
    made = channel.write()
    payload = _payload(made.raw)
    payload.data = message("protos.Transaction")().SerializeToString()
    return made.id, channel.signed(payload)


def unreadable(channel: Channel) -> tuple[str, bytes]:
    """No transaction."""
    made = channel.write()
    payload = _payload(made.raw)
    payload.data = b"\xff" * 64
    return made.id, channel.signed(payload)


@pytest.mark.parametrize("hostile", [repeated, another_under_a_known_id, of_another_chaincode, without_action, unreadable])
def test_the_channel_goes_on(channel: Channel, hostile: Hostile) -> None:
    id, raw = hostile(channel)
    until(lambda: followed(channel, id, raw), SECONDS)
    last = channel.committed()
    found = channel.world.ledger.outcome(last.id)
    assert found.height is not None
    until(channel.whole, SECONDS)
    assert channel.world.ledger.head().height >= found.height


def followed(channel: Channel, id: str, raw: bytes) -> bool:
    """Send copies of a hostile transaction and an honest write among them; whether the honest one came after a copy in one block,
    where it is judged."""
    honest = channel.write()
    sends = [(raw, id)] * COPIES + [(honest.raw, honest.id)] + [(raw, id)] * COPIES
    with ThreadPoolExecutor(len(sends)) as pool:
        list(pool.map(lambda s: channel.send(*s), sends))
    height = await_outcome(channel.world.ledger, honest.id, SECONDS).height
    assert height is not None
    (block,) = channel.gateway.blocks(height, height)
    return first_is_other(read_block(block), honest.id[2:])


def first_is_other(block: FabricBlock, honest: str) -> bool:
    return [t.id for t in block.transactions].index(honest) > 0


def _payload(raw: bytes) -> Any:
    return message("common.Payload").FromString(message("common.Envelope").FromString(raw).payload)
