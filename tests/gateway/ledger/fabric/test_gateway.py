"""The Gateway client over peers in this process: which peer is asked, what is gone on with, when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from gateway.ledger.fabric.gateway import Gateway, Peer
from gateway.ledger.fabric.protos import message
from tests.support.fabric_double import FakePeer, Refusal, somebody

SECONDS = 60.0


@pytest.fixture
def peers() -> Iterator[list[FakePeer]]:
    made = [FakePeer().start(), FakePeer().start()]
    yield made
    for peer in made:
        peer.stop()


@pytest.fixture
def gateway(peers: list[FakePeer]) -> Iterator[Gateway]:
    made = Gateway(somebody(), "health", [p.peer for p in peers], SECONDS)
    yield made
    made.close()


def saying(text: bytes) -> Any:
    return lambda _: message("gateway.EvaluateResponse")(result={"status": 200, "payload": text})


def refusing(code: grpc.StatusCode) -> Any:
    def refuse(_: Any) -> Any:
        raise Refusal(code, "no")

    return refuse


def test_the_first_peer_answers(peers: list[FakePeer], gateway: Gateway) -> None:
    peers[0].on("Evaluate", saying(b"one"))
    assert gateway.evaluate(gateway.propose("cc", [b"f"])) == b"one"
    assert peers[1].asked == []


def test_a_peer_that_is_away_is_passed_over_from_then_on(peers: list[FakePeer], gateway: Gateway) -> None:
    peers[0].stop()
    peers[1].on("Evaluate", saying(b"two"))
    for _ in range(3):
        assert gateway.evaluate(gateway.propose("cc", [b"f"])) == b"two"
    assert peers[1].asked == ["Evaluate"] * 3


def test_a_peer_that_cannot_reach_the_others_is_passed_over(peers: list[FakePeer], gateway: Gateway) -> None:
    peers[0].on("Submit", refusing(grpc.StatusCode.UNAVAILABLE))
    peers[1].on("Submit", lambda _: message("gateway.SubmitResponse")())
    gateway.submit("aa", b"")
    assert (peers[0].asked, peers[1].asked) == (["Submit"], ["Submit"])


def test_a_refusal_is_not_asked_of_another_peer(peers: list[FakePeer], gateway: Gateway) -> None:
    peers[0].on("Endorse", refusing(grpc.StatusCode.ABORTED))
    with pytest.raises(grpc.RpcError) as raised:
        gateway.endorse(gateway.propose("cc", [b"f"]))
    assert raised.value.code() is grpc.StatusCode.ABORTED
    assert peers[1].asked == []


def test_when_every_peer_is_away_the_last_says_so(peers: list[FakePeer], gateway: Gateway) -> None:
    for peer in peers:
        peer.stop()
    with pytest.raises(grpc.RpcError) as raised:
        gateway.evaluate(gateway.propose("cc", [b"f"]))
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_peer_with_another_certificate_is_not_spoken_to(peers: list[FakePeer]) -> None:
    stranger = Peer(peers[0].peer.address, peers[1].peer.tls_root)
    peers[0].on("Evaluate", saying(b"one"))
    gateway = Gateway(somebody(), "health", [stranger], SECONDS)
    with pytest.raises(grpc.RpcError):
        gateway.evaluate(gateway.propose("cc", [b"f"]))
    gateway.close()
    assert peers[0].asked == []


def test_an_endorsed_transaction_is_signed_and_its_id_known_before(peers: list[FakePeer], gateway: Gateway) -> None:
    def endorse(request: Any) -> Any:
        header = {"channel_header": message("common.ChannelHeader")(tx_id=request.transaction_id).SerializeToString()}
        payload = message("common.Payload")(header=header).SerializeToString()
        return message("gateway.EndorseResponse")(prepared_transaction={"payload": payload})

    peers[0].on("Endorse", endorse)
    proposed = gateway.propose("cc", [b"f"])
    envelope = message("common.Envelope").FromString(gateway.endorse(proposed))
    assert proposed.id.encode() in envelope.payload
    assert envelope.signature


def test_events_are_gone_on_with_at_another_peer(peers: list[FakePeer], gateway: Gateway) -> None:
    for peer in peers:
        for n in range(4):
            peer.append((f"{n}{n}", 100 + n, 0, b"[]"), (f"{n}{n}b", 100 + n, 0, b"[]"))
    peers[0].stop_events_after = 2
    stream = gateway.events("cc", 0)
    told = [next(stream) for _ in range(4)]
    stream.close()
    assert [t.height for t in told] == [0, 1, 2, 3]
    assert [e.tx_id for t in told for e in t.events] == [f"{n}{n}{b}" for n in range(4) for b in ("", "b")]
    assert peers[1].asked == ["events from 1 after 11b"]


def test_events_can_begin_after_a_checkpoint(peers: list[FakePeer], gateway: Gateway) -> None:
    for n in range(3):
        peers[0].append((f"{n}a", 100, 0, b"[]"), (f"{n}b", 100, 0, b"[]"))
    stream = gateway.events("cc", 1, after="1a")
    told = [next(stream), next(stream)]
    stream.close()
    assert [e.tx_id for t in told for e in t.events] == ["1b", "2a", "2b"]


def test_a_stretch_of_blocks_ends_and_one_beyond_the_head_says_so(peers: list[FakePeer], gateway: Gateway) -> None:
    for _ in range(3):
        peers[0].append(("aa", 100, 0, None))
    assert [b.header.number for b in gateway.blocks(0, 2)] == [0, 1, 2]
    with pytest.raises(LookupError, match="NOT_FOUND"):
        list(gateway.blocks(1, 5))
