"""A client of the Fabric Gateway service that every peer has, over several peers.

Calls go to the first peer that answers; one that is away is passed over, and tried again later because gRPC reconnects by itself.
Everything here raises ``grpc.RpcError`` as it comes; :mod:`.errors` says what it means. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from gateway.ledger.fabric import proposal
from gateway.ledger.fabric.identity import Identity
from gateway.ledger.fabric.proposal import FAIL_IF_NOT_READY, FOREVER, UNTIL_READY, Proposal
from gateway.ledger.fabric.protos import message, numbers

MAX_MESSAGE = 100 * 1024 * 1024
"""What Fabric's peers take and give at most by default, bytes."""
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Fabric's servers close connections that ping more often than once a minute.
    ("grpc.keepalive_time_ms", 90_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]
_SERVICES = {
    "Evaluate": ("gateway.Gateway", "gateway.EvaluateResponse"),
    "Endorse": ("gateway.Gateway", "gateway.EndorseResponse"),
    "Submit": ("gateway.Gateway", "gateway.SubmitResponse"),
    "CommitStatus": ("gateway.Gateway", "gateway.CommitStatusResponse"),
    "ChaincodeEvents": ("gateway.Gateway", "gateway.ChaincodeEventsResponse"),
    "Deliver": ("protos.Deliver", "protos.DeliverResponse"),
}
STREAM_TIMEOUTS = 10
"""A stretch of blocks may take this many times as long as one answer."""
_SUCCESS = 200


@dataclass(frozen=True)
class Peer:
    """Where a peer is. ``tls_root``: PEM of what signed its TLS certificate; ``server_name``: name in that certificate where it
    is not the address's host; ``msp``: its organisation's MSP id, which alone may answer reads (empty = not known)."""

    address: str
    tls_root: bytes
    server_name: str = ""
    msp: str = ""


@dataclass(frozen=True)
class Status:
    """A transaction's place. ``code``: name of ``protos.TxValidationCode``."""

    code: str
    height: int


@dataclass(frozen=True)
class Reported:
    """What a chaincode reported in one block. ``events``: ``protos.ChaincodeEvent``; keep height and the last ``tx_id`` as the
    checkpoint to go on from."""

    height: int
    events: Sequence[Any]


@dataclass
class Gateway:
    """A channel of the network, seen by one identity. ``timeout``: seconds for one answer, over all peers tried."""

    identity: Identity
    channel: str
    peers: Sequence[Peer]
    timeout: float = 10.0
    _first: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _channels: dict[Peer, grpc.Channel] = field(default_factory=dict)
    _calls: dict[tuple[Peer, str], Any] = field(default_factory=dict)

    def propose(self, chaincode: str, args: Sequence[bytes], transient: Mapping[str, bytes] | None = None) -> Proposal:
        """Sign a call of a chaincode. Nothing is sent."""
        return proposal.propose(self.identity, self.channel, chaincode, args, transient)

    def evaluate(self, proposed: Proposal) -> bytes:
        """Have the peer simulate a call; its answer. Nothing is ordered."""
        return self.evaluate_many([proposed])[0]

    def evaluate_many(self, proposed: Sequence[Proposal]) -> list[bytes]:
        """Have one peer simulate calls side by side; the first that fails raises."""
        ask = [self._read(p) for p in proposed]
        return [bytes(a.result.payload) for a in self._any("Evaluate", ask)]

    def endorse(self, proposed: Proposal, organisations: Sequence[str] = ()) -> bytes:
        """Have the organisations' peers simulate and endorse a call; the transaction, signed, ready to be submitted now or later.
        ``organisations``: MSP ids; none = those the endorsement policy asks for."""
        ask = _asked(
            "gateway.EndorseRequest", proposed, proposed_transaction=proposed.signed, endorsing_organizations=list(organisations)
        )
        return proposal.sign_transaction(self.identity, self._any("Endorse", [ask])[0].prepared_transaction)

    def submit(self, id: str, transaction: bytes) -> None:
        """Hand an endorsed transaction to the ordering service. Returning says that it was taken, not that it will count."""
        envelope = message("common.Envelope").FromString(transaction)
        self._any(
            "Submit",
            [message("gateway.SubmitRequest")(transaction_id=id, channel_id=self.channel, prepared_transaction=envelope)],
        )

    def commit_status(self, id: str, timeout: float | None = None) -> Status:
        """Wait until the peer has the transaction in a block (at most ``timeout`` seconds, then ``DEADLINE_EXCEEDED``)."""
        answer = self._any("CommitStatus", [proposal.status_request(self.identity, self.channel, id)], timeout)[0]
        return Status(numbers("protos.TxValidationCode")[answer.result], answer.block_number)

    def events(self, chaincode: str, start: int | None = None, after: str = "") -> Iterator[Reported]:
        """What a chaincode reports, from block ``start`` on (0 = everything, None = from now on) and then as it comes, for ever.
        ``after``: go on after this transaction. When the peer goes away it goes on with another from where it was; it raises when
        none is left. Close the iterator to stop."""
        while True:
            request = proposal.events_request(self.identity, self.channel, chaincode, start, after)
            try:
                for answer in self._stream("ChaincodeEvents", request, None):
                    start, after = answer.block_number, answer.events[-1].tx_id
                    yield Reported(answer.block_number, list(answer.events))
            except grpc.RpcError as e:
                if e.code() is not grpc.StatusCode.UNAVAILABLE or not after:
                    raise
                self._pass_over(self._first)
            else:
                return

    def blocks(self, start: int, stop: int | None = None) -> Iterator[Any]:
        """Blocks (``common.Block``) from ``start`` to ``stop``, both included; without ``stop`` for ever, waiting for new ones.
        Raises LookupError when ``stop`` is beyond the head. Close the iterator to stop."""
        behaviour, end = (UNTIL_READY, FOREVER) if stop is None else (FAIL_IF_NOT_READY, stop)
        request = proposal.seek(self.identity, self.channel, start, end, behaviour)
        for answer in self._stream("Deliver", iter([request]), None if stop is None else STREAM_TIMEOUTS * self.timeout):
            if answer.WhichOneof("Type") == "block":
                yield answer.block
            elif answer.status != _SUCCESS:
                raise LookupError(f"blocks {start} to {end}: {numbers('common.Status').get(answer.status, answer.status)}")

    def close(self) -> None:
        """Drop the connections."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
            self._calls.clear()

    def _read(self, proposed: Proposal) -> Any:
        """A read that only the peers' own organisation answers: left alone, a Gateway passes it to another's peer when its own
        fails, and that one could say anything."""
        own = [peer.msp for peer in self.peers[:1] if peer.msp]
        return _asked("gateway.EvaluateRequest", proposed, proposed_transaction=proposed.signed, target_organizations=own)

    def _any(self, method: str, requests: Sequence[Any], timeout: float | None = None) -> list[Any]:
        """Answers from the first peer that is there. Safe to ask another one: what we ask is a read, or signed and taken once."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        for tried in range(len(self.peers)):
            at = self._first
            try:
                return self._ask(self.peers[at], method, requests, deadline)
            except grpc.RpcError as e:
                if e.code() is not grpc.StatusCode.UNAVAILABLE or tried == len(self.peers) - 1:
                    raise
                self._pass_over(at)
        raise ValueError("a gateway needs a peer")

    def _ask(self, peer: Peer, method: str, requests: Sequence[Any], deadline: float) -> list[Any]:
        call, left = self._call(peer, method), max(0.001, deadline - time.monotonic())
        if len(requests) == 1:
            return [call(requests[0], timeout=left)]
        sent = [call.future(r, timeout=left) for r in requests]
        return [f.result() for f in sent]

    def _stream(self, method: str, request: Any, timeout: float | None) -> Iterator[Any]:
        call = self._call(self.peers[self._first], method)(request, timeout=timeout)
        try:
            yield from call
        finally:
            call.cancel()

    def _pass_over(self, at: int) -> None:
        with self._lock:
            if self._first == at:
                self._first = (at + 1) % len(self.peers)

    def _call(self, peer: Peer, method: str) -> Any:
        with self._lock:
            if (peer, method) not in self._calls:
                if peer not in self._channels:
                    self._channels[peer] = _connect(peer)
                self._calls[peer, method] = _stub(self._channels[peer], method)
            return self._calls[peer, method]


def _asked(kind: str, proposed: Proposal, **fields: Any) -> Any:
    return message(kind)(transaction_id=proposed.id, channel_id=proposed.channel, **fields)


def _connect(peer: Peer) -> grpc.Channel:
    options = [*_OPTIONS, ("grpc.ssl_target_name_override", peer.server_name)] if peer.server_name else _OPTIONS
    return grpc.secure_channel(peer.address, grpc.ssl_channel_credentials(peer.tls_root), options)


def _stub(channel: grpc.Channel, method: str) -> Any:
    service, answer = _SERVICES[method]
    kinds = {"ChaincodeEvents": channel.unary_stream, "Deliver": channel.stream_stream}
    call: Any = kinds.get(method, channel.unary_unary)
    return call(f"/{service}/{method}", lambda request: request.SerializeToString(), message(answer).FromString)
