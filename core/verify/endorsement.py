"""A reading that peers of Fabric answered over one state, and signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .hashes import sha256
from .protobuf import field_of, protobuf
from .read import Malformed, parse_json
from .x509 import Signed


@dataclass(frozen=True)
class EndorsedRead:
    """Questions that peers answered over one state, and signed. ``versions``: of each key that was read, the number of the block
    that wrote it last."""

    channel: str
    chaincode: str
    answers: list[tuple[str, Any, Any]]
    versions: dict[str, int]
    endorsers: list[Signed]

    @classmethod
    def read(cls, payload: bytes) -> EndorsedRead:
        """From the payload of an endorsed transaction (common.Payload). Malformed when it does not hold together or an
        endorsement does not hold."""
        envelope = protobuf(payload)
        head = protobuf(field_of(envelope, 1, b""))
        channel_header, signature_header = field_of(head, 1, b""), field_of(head, 2, b"")
        action = protobuf(field_of(protobuf(field_of(protobuf(field_of(envelope, 2, b"")), 1, b"")), 2, b""))
        proposed, endorsed = field_of(action, 1, b""), protobuf(field_of(action, 2, b""))
        answer = field_of(endorsed, 1, b"")
        said = protobuf(answer)
        if field_of(said, 1, b"") != sha256(channel_header + signature_header + proposed):
            raise Malformed("what was endorsed is another question")
        did = protobuf(field_of(said, 2, b""))
        chaincode = field_of(protobuf(field_of(did, 4, b"")), 2, b"").decode()
        spec = protobuf(field_of(protobuf(field_of(protobuf(proposed), 1, b"")), 1, b""))
        if field_of(protobuf(field_of(spec, 2, b"")), 2, b"").decode() != chaincode:
            raise Malformed("another chaincode answered than was asked")
        args = protobuf(field_of(spec, 3, b"")).get(1, [])
        response = protobuf(field_of(did, 3, b""))
        if field_of(response, 1, 0) != 200 or args[:1] != [b"many"] or len(args) % 2 != 1:
            raise Malformed("not an answer to many questions")
        answers = parse_json(field_of(response, 3, b"").decode())
        asked = list(zip(args[1::2], args[2::2], strict=True))
        endorsers = []
        for one in endorsed.get(2, []):
            fields = protobuf(one)
            identity = field_of(fields, 1, b"")
            endorsers.append(Signed.check(identity, answer + identity, field_of(fields, 2, b"")))
        return cls(
            field_of(protobuf(channel_header), 4, b"").decode(),
            chaincode,
            [(f.decode(), parse_json(a.decode()), value) for (f, a), value in zip(asked, answers, strict=True)],
            _versions(field_of(did, 1, b""), chaincode),
            endorsers,
        )


def _versions(results: bytes, chaincode: str) -> dict[str, int]:
    """Of each key of the chaincode in a read set, the block that wrote it last; a key that nobody wrote is left out."""
    found = {}
    for space in protobuf(results).get(2, []):
        fields = protobuf(space)
        if field_of(fields, 1, b"").decode() != chaincode:
            continue
        for read in protobuf(field_of(fields, 2, b"")).get(1, []):
            one = protobuf(read)
            if 2 in one:
                found[field_of(one, 1, b"").decode()] = field_of(protobuf(field_of(one, 2, b"")), 1, 0)
    return found
