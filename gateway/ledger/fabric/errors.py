"""One table from the network's words to reasons, in one context manager.

What a peer's Gateway says is a gRPC status code, a sentence, and in its details what each peer or orderer asked said itself
(``gateway.ErrorDetail``). The chaincode's own refusals are JSON: ``{"error": name, "args": {…}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from gateway.ledger.fabric.protos import message
from gateway.ledger.reasons import LedgerError, Reason, Stage

Refusal = Callable[[str, dict[str, Any]], LedgerError]
"""From a contract's error (name, values as they came) to the error of the port."""

_CHAINCODE = "chaincode response 500, "

# One peer agreed and another did not: who refuses may merely be behind, so it is no contract's no.
_DISAGREEMENT = (r"payloads do not match", r"collect enough transaction endorsements")
_DISAGREED = re.compile("|".join(_DISAGREEMENT), re.IGNORECASE)

# First match wins. Words of Fabric 2.5 and 3.1 (internal/pkg/gateway, core/endorser, orderer/common); what none of them uses is
# judged by its code alone.
_WORDS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.TOO_LARGE, (r"exceeds maximum allowed", r"message larger than max", r"trying to send message larger")),
    (
        Reason.NOT_FOUND,
        (
            r"no such (block|transaction)",
            r"No metadata was found for chaincode",
            r"no peers available to evaluate chaincode",
            r"chaincode \S+ not found",
            r"make sure the chaincode \S+ has been successfully defined",
        ),
    ),
    (Reason.WRONG_CHAIN, (r"could not get last config for channel", r"policy manager for channel", r"Invalid chain ID")),
    (
        Reason.DENIED,
        (r"access denied", r"permission denied", r"status=FORBIDDEN", r"identity expired", r"failed evaluating policy"),
    ),
    (Reason.UNREACHABLE, (r"no combination of peers", r"no endorsers found", r"unavailability of peers", r"stream terminated")),
    (Reason.ENDORSEMENT, _DISAGREEMENT),
)
_TABLE = tuple((re.compile("|".join(words), re.IGNORECASE), reason) for reason, words in _WORDS)
_CODES = {
    grpc.StatusCode.UNAVAILABLE: Reason.UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.TIMEOUT,
    grpc.StatusCode.CANCELLED: Reason.TIMEOUT,
    grpc.StatusCode.INVALID_ARGUMENT: Reason.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND: Reason.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED: Reason.DENIED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.UNREACHABLE,
}
_VALIDATION = {
    "MVCC_READ_CONFLICT": Reason.CONFLICT,
    "PHANTOM_READ_CONFLICT": Reason.CONFLICT,
    "ENDORSEMENT_POLICY_FAILURE": Reason.ENDORSEMENT,
    "EXPIRED_CHAINCODE": Reason.ENDORSEMENT,
    "BAD_CREATOR_SIGNATURE": Reason.DENIED,
    "TARGET_CHAIN_NOT_FOUND": Reason.WRONG_CHAIN,
}


@contextmanager
def translated(stage: Stage, transaction: str | None = None, refusal: Refusal | None = None) -> Iterator[None]:
    """Whatever the network says inside becomes a LedgerError of this stage, with the transaction's id (0x…). ``refusal``: how the
    chaincode's own refusals are told."""
    try:
        yield
    except grpc.RpcError as e:
        raise to_ledger_error(e, stage, transaction, refusal) from e
    except LedgerError as e:
        if e.stage == stage and e.transaction == transaction:
            raise
        raise LedgerError(e.reason, stage, e.transaction or transaction, e.detail) from e


def to_ledger_error(
    e: grpc.RpcError, stage: Stage, transaction: str | None = None, refusal: Refusal | None = None
) -> LedgerError:
    """The table applied to one gRPC error."""
    said = [e.details() or "", *(d.message for d in peers_said(e))]
    no = _refusal(said)
    if no is not None and not _DISAGREED.search("\n".join(said)):
        told = refusal(*no) if refusal else LedgerError(Reason.REJECTED, detail=no[0])
        return LedgerError(told.reason, stage, transaction, told.detail)
    reason = _reason(e.code(), said)
    text = "; ".join(dict.fromkeys(s for s in said if s))
    return LedgerError(reason, stage, transaction, text or e.code().name)


def peers_said(e: grpc.RpcError) -> list[Any]:
    """What each peer or orderer said (``gateway.ErrorDetail``: address, msp_id, message)."""
    for key, value in e.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            details = message("google.rpc.Status").FromString(value).details
            return [message("gateway.ErrorDetail").FromString(d.value) for d in details if d.type_url.endswith("ErrorDetail")]
    return []


def validation_error(code: str) -> Reason:
    """Why a transaction in a block does not count, by ``protos.TxValidationCode``."""
    return _VALIDATION.get(code, Reason.INTERNAL)


def _reason(code: grpc.StatusCode, said: list[str]) -> Reason:
    words = "\n".join(said)
    for pattern, reason in _TABLE:
        if pattern.search(words):
            return reason
    return _CODES.get(code, Reason.INTERNAL)


def _refusal(said: list[str]) -> tuple[str, dict[str, Any]] | None:
    """The chaincode's refusal among what was said."""
    for text in said:
        _, found, rest = text.partition(_CHAINCODE)
        if found and rest.startswith("{"):
            try:
                no = json.loads(rest)
                return str(no["error"]), dict(no["args"])
            except (ValueError, KeyError, TypeError):
                continue
    return None
