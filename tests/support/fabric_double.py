"""A peer in this process: the Gateway and Deliver services over TLS, with a small chain and scripted answers."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.ledger.fabric.blocks import header_hash
from gateway.ledger.fabric.gateway import Peer
from gateway.ledger.fabric.identity import Identity, LocalSigner
from gateway.ledger.fabric.protos import message

HOST = "127.0.0.1"
_UNARY = {
    "Evaluate": "gateway.EvaluateRequest",
    "Endorse": "gateway.EndorseRequest",
    "Submit": "gateway.SubmitRequest",
    "CommitStatus": "gateway.SignedCommitStatusRequest",
}


def certificate(key: ec.EllipticCurvePrivateKey, name: str = "double") -> bytes:
    """A self-signed certificate (PEM) for a key, good for this host."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def somebody(msp: str = "Org1MSP") -> Identity:
    """An identity of its own making."""
    signer = LocalSigner(ec.generate_private_key(ec.SECP256R1()))
    return Identity(msp, certificate(signer.key), signer)


class Refusal(Exception):
    """An error as a peer's Gateway makes it, with what each peer said; raise it in an answer of :meth:`FakePeer.on`."""

    def __init__(self, code: grpc.StatusCode, text: str, said: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.code, self.text, self.said = code, text, said

    def raise_in(self, context: Any) -> None:
        """End the call with it."""
        details = message("google.rpc.Status")(code=self.code.value[0], message=self.text)
        for text in self.said:
            detail = message("gateway.ErrorDetail")(address="peer:1", msp_id="Org1MSP", message=text)
            details.details.add(type_url="type.googleapis.com/gateway.ErrorDetail", value=detail.SerializeToString())
        context.set_trailing_metadata((("grpc-status-details-bin", details.SerializeToString()),))
        context.abort(self.code, self.text)


def make_block(number: int, previous: bytes, *transactions: tuple[str, int, int, bytes | None]) -> Any:
    """``common.Block`` of (id, time, validation code, event payload)."""
    block = message("common.Block")(header={"number": number, "previous_hash": previous})
    for id, time, _, payload in transactions:
        block.data.data.append(_envelope(id, time, payload))
    block.header.data_hash = sha256(b"".join(block.data.data)).digest()
    flags = bytes(code for _, _, code, _ in transactions)
    block.metadata.metadata.extend([b"", b"", flags])
    return block


def _envelope(id: str, time: int, payload: bytes | None) -> bytes:
    header = message("common.ChannelHeader")(type=3, tx_id=id, timestamp={"seconds": time}).SerializeToString()
    event = b""
    if payload is not None:
        event = message("protos.ChaincodeEvent")(
            chaincode_id="cc", tx_id=id, event_name="healthtrust", payload=payload
        ).SerializeToString()
    action = message("protos.ChaincodeAction")(events=event).SerializeToString()
    answer = message("protos.ProposalResponsePayload")(extension=action).SerializeToString()
    done = message("protos.ChaincodeActionPayload")(action={"proposal_response_payload": answer}).SerializeToString()
    data = message("protos.Transaction")(actions=[{"payload": done}]).SerializeToString()
    body = message("common.Payload")(header={"channel_header": header}, data=data).SerializeToString()
    made: bytes = message("common.Envelope")(payload=body).SerializeToString()
    return made


@dataclass
class FakePeer:
    """Start it, tell it what to answer (:meth:`on`), give it blocks."""

    blocks: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stop_events_after: int | None = None
    _answers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    def start(self) -> FakePeer:
        key = ec.generate_private_key(ec.SECP256R1())
        pem, self._stopped = certificate(key), threading.Event()
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self._gateway(), self._deliver()))
        port = self._server.add_secure_port(f"{HOST}:0", grpc.ssl_server_credentials([(secret, pem)]))
        self._server.start()
        self.peer = Peer(f"{HOST}:{port}", pem)
        return self

    def stop(self) -> None:
        self._stopped.set()
        self._server.stop(None).wait(60)

    def on(self, method: str, answer: Callable[[Any], Any]) -> None:
        """Answer a method of the Gateway; raise a :class:`Refusal` to refuse."""
        self._answers[method] = answer

    def append(self, *transactions: tuple[str, int, int, bytes | None]) -> Any:
        """One more block."""
        previous = header_hash(self.blocks[-1].header) if self.blocks else b""
        self.blocks.append(make_block(len(self.blocks), previous, *transactions))
        return self.blocks[-1]

    def ledger(self, request: Any) -> Any:
        """Answers ``qscc`` from the blocks; for ``on("Evaluate", …)``."""
        function, arg = called(request)
        if function == "GetChainInfo":
            head = self.blocks[-1].header
            found: Any = message("common.BlockchainInfo")(height=head.number + 1, currentBlockHash=header_hash(head))
        else:
            found = next((b for b in self.blocks if _matches(b, function, arg)), None)
            if found is None:
                raise Refusal(grpc.StatusCode.UNKNOWN, f"chaincode response 500, no such block {arg!r} in index")
        return message("gateway.EvaluateResponse")(result={"status": 200, "payload": found.SerializeToString()})

    def _answer(self, method: str) -> Callable[[Any, Any], Any]:
        def handle(request: Any, context: Any) -> Any:
            self.asked.append(method)
            try:
                return self._answers[method](request)
            except Refusal as e:
                e.raise_in(context)

        return handle

    def _gateway(self) -> Any:
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(self._answer(name), message(kind).FromString, _bytes)
            for name, kind in _UNARY.items()
        }
        kind = message("gateway.SignedChaincodeEventsRequest").FromString
        handlers["ChaincodeEvents"] = grpc.unary_stream_rpc_method_handler(self._events, kind, _bytes)
        return grpc.method_handlers_generic_handler("gateway.Gateway", handlers)

    def _deliver(self) -> Any:
        kind = message("common.Envelope").FromString
        handlers = {"Deliver": grpc.stream_stream_rpc_method_handler(self._stretch, kind, _bytes)}
        return grpc.method_handlers_generic_handler("protos.Deliver", handlers)

    def _events(self, request: Any, context: Any) -> Iterator[Any]:
        asked = message("gateway.ChaincodeEventsRequest").FromString(request.request)
        self.asked.append(f"events from {asked.start_position.specified.number} after {asked.after_transaction_id}")
        passed, told = not asked.after_transaction_id, 0
        for height in range(asked.start_position.specified.number, len(self.blocks)):
            events = []
            for id in _ids(self.blocks[height]):
                if passed:
                    events.append({"chaincode_id": "cc", "tx_id": id})
                passed = passed or id == asked.after_transaction_id
            if told == self.stop_events_after:
                context.abort(grpc.StatusCode.UNAVAILABLE, "the peer goes down")
            if events:
                yield message("gateway.ChaincodeEventsResponse")(events=events, block_number=height)
                told += 1
        self._stopped.wait(60)

    def _stretch(self, requests: Iterator[Any], _: Any) -> Iterator[Any]:
        payload = message("common.Payload").FromString(next(requests).payload)
        info = message("orderer.SeekInfo").FromString(payload.data)
        self.asked.append("Deliver")
        for height in range(info.start.specified.number, info.stop.specified.number + 1):
            if height >= len(self.blocks):
                yield message("protos.DeliverResponse")(status=404)
                return
            yield message("protos.DeliverResponse")(block=self.blocks[height])
        yield message("protos.DeliverResponse")(status=200)


def called(request: Any) -> tuple[str, bytes]:
    """Function and last argument of the call in a request."""
    proposal = message("protos.Proposal").FromString(request.proposed_transaction.proposal_bytes)
    payload = message("protos.ChaincodeProposalPayload").FromString(proposal.payload)
    args = message("protos.ChaincodeInvocationSpec").FromString(payload.input).chaincode_spec.input.args
    return args[0].decode(), bytes(args[-1])


def _matches(block: Any, function: str, arg: bytes) -> bool:
    if function == "GetBlockByNumber":
        return bool(str(block.header.number).encode() == arg)
    if function == "GetBlockByHash":
        return header_hash(block.header) == arg
    return arg.decode() in _ids(block)


def _ids(block: Any) -> list[str]:
    headers = [
        message("common.Payload").FromString(message("common.Envelope").FromString(d).payload).header for d in block.data.data
    ]
    return [message("common.ChannelHeader").FromString(h.channel_header).tx_id for h in headers]


def _bytes(answer: Any) -> bytes:
    made: bytes = answer.SerializeToString()
    return made
