"""What the network says, and the reason it means: every line as a peer or orderer of Fabric 3.1 said it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.errors import translated, validation_error
from gateway.ledger.fabric.protos import message, numbers
from gateway.ledger.reasons import LedgerError, Reason

CODE = grpc.StatusCode
SAID = [
    (CODE.UNAVAILABLE, "failed to connect to all addresses", (), Reason.UNREACHABLE),
    (CODE.UNAVAILABLE, "no orderers could successfully process transaction", ("o1: connection refused",), Reason.UNREACHABLE),
    (CODE.UNAVAILABLE, "failed to get config for channel [other]: could not get last config for channel other", (),
     Reason.WRONG_CHAIN),
    (CODE.PERMISSION_DENIED, "Failed to get policy manager for channel [other]", (), Reason.WRONG_CHAIN),
    (CODE.DEADLINE_EXCEEDED, "evaluate timeout expired", (), Reason.TIMEOUT),
    (CODE.RESOURCE_EXHAUSTED, "grpc: received message larger than max (105907312 vs. 104857600)", (), Reason.TOO_LARGE),
    (CODE.RESOURCE_EXHAUSTED, "too many requests for /gateway.Gateway, exceeding concurrency limit", (), Reason.UNREACHABLE),
    (CODE.ABORTED, "received unsuccessful response from orderer: status=BAD_REQUEST, info=message payload is 34606889 bytes and "
     "exceeds maximum allowed 10485760 bytes", (), Reason.TOO_LARGE),
    (CODE.ABORTED, "received unsuccessful response from orderer: status=FORBIDDEN, info=implicit policy evaluation failed - 0 "
     "sub-policies were satisfied, but this policy requires 1 of the 'Writers' sub-policies to be satisfied: permission denied",
     (), Reason.DENIED),
    (CODE.FAILED_PRECONDITION, "evaluate call to endorser returned error: error validating proposal: access denied: channel "
     "[health] creator org [Org1MSP]", (), Reason.DENIED),
    (CODE.ABORTED, "failed to endorse transaction, see attached details for more info",
     ("error validating proposal: access denied: channel [health] creator org unknown",), Reason.DENIED),
    (CODE.FAILED_PRECONDITION, "no peers available to evaluate chaincode nope in channel health", (), Reason.NOT_FOUND),
    (CODE.FAILED_PRECONDITION, "no combination of peers can be derived which satisfy the endorsement policy: No metadata was "
     "found for chaincode nope in channel health", (), Reason.NOT_FOUND),
    (CODE.FAILED_PRECONDITION, "no combination of peers can be derived which satisfy the endorsement policy: failed "
     "constructing descriptor for chaincodes", (), Reason.UNREACHABLE),
    (CODE.UNKNOWN, "evaluate call to endorser returned error: chaincode response 500, Failed to get block number 10000, error no "
     "such block number [10000] in index", (), Reason.NOT_FOUND),
    (CODE.ABORTED, "failed to collect enough transaction endorsements, see attached details for more info",
     ("ProposalResponsePayloads do not match",), Reason.ENDORSEMENT),
    (CODE.ABORTED, "failed to collect enough transaction endorsements, see attached details for more info",
     ('chaincode response 500, {"error":"ConsentExists","args":{"consent":"0x11"}}',), Reason.ENDORSEMENT),
    (CODE.ABORTED, "failed to endorse transaction, see attached details for more info",
     ('chaincode response 500, {"error":"ZeroValue","args":{}}',), Reason.REJECTED),
    (CODE.ABORTED, "failed to endorse transaction, see attached details for more info",
     ('chaincode response 500, {"error":"ClockDisagrees","args":{"time":1,"limit":"60"}}',), Reason.BEHIND),
    (CODE.UNKNOWN, 'chaincode response 500, {"error":"InvalidArgument","args":{"detail":"permission denied, no such block"}}', (),
     Reason.INVALID_ARGUMENT),
    (CODE.UNKNOWN, "chaincode response 500, something else", (), Reason.INTERNAL),
    (CODE.DATA_LOSS, "", (), Reason.INTERNAL),
]  # fmt: skip


class Failed(grpc.RpcError):
    """What grpc raises."""

    def __init__(self, code: grpc.StatusCode, text: str, said: tuple[str, ...]) -> None:
        super().__init__(text)
        status = message("google.rpc.Status")()
        for line in said:
            detail = message("gateway.ErrorDetail")(message=line).SerializeToString()
            status.details.add(type_url="type.googleapis.com/gateway.ErrorDetail", value=detail)
        self._code, self._text, self._status = code, text, status

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> Any:
        return (("grpc-status-details-bin", self._status.SerializeToString()),)


@pytest.mark.parametrize(("code", "text", "said", "reason"), SAID)
def test_words_become_reasons(code: grpc.StatusCode, text: str, said: tuple[str, ...], reason: Reason) -> None:
    with pytest.raises(LedgerError) as raised, translated("endorse", "0x12", Codec().refusal):
        raise Failed(code, text, said)
    assert (raised.value.reason, raised.value.stage, raised.value.transaction) == (reason, "endorse", "0x12")
    assert raised.value.detail


def test_a_refusal_is_told_as_on_the_other_ledgers() -> None:
    codec = Codec.load(["Evidence", "Consent", "Identity"])
    told = codec.refusal("UnknownEvidence", {"number": "7", "organisation": "0x" + "11" * 32})
    assert told.detail == f"UnknownEvidence(0x{'11' * 32}, 7)"
    assert told.error == "UnknownEvidence"
    assert codec.refusal("BadSignature", {"messageHash": "0x" + "22" * 32}).detail == f"BadSignature(0x{'22' * 32})"
    assert codec.refusal("", {}).detail == "reverted without a reason"


def test_every_code_of_a_block_has_a_reason() -> None:
    reasons = {code: validation_error(code) for code in numbers("protos.TxValidationCode").values()}
    assert reasons["MVCC_READ_CONFLICT"] is reasons["PHANTOM_READ_CONFLICT"] is Reason.CONFLICT
    assert reasons["ENDORSEMENT_POLICY_FAILURE"] is Reason.ENDORSEMENT
    assert reasons["INVALID_OTHER_REASON"] is Reason.INTERNAL
