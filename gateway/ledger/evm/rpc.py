"""JSON-RPC over a small pool of kept-alive connections, one call or a whole batch in a round trip.

web3's providers do the same at several times the cost a call; gates and the mirror live on this path.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import urllib3

from gateway.ledger.reasons import LedgerError, Reason

Request = tuple[str, list[Any]]

# A batch larger than this is cut: nodes limit request bodies (geth 5 MB, anvil 2 MB unless told otherwise).
MAX_BATCH_BYTES = 1_500_000
MAX_BATCH_CALLS = 500


class RpcError(Exception):
    """The node answered with a JSON-RPC error object."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.data = data


class Rpc:
    """A node's JSON-RPC address. Thread-safe. ``timeout``: seconds for one answer."""

    def __init__(self, url: str, timeout: float, connections: int = 16) -> None:
        self.url = url
        # Not retried here: urllib3 cannot know which methods are safe to repeat; the callers can.
        self._pool = urllib3.PoolManager(
            maxsize=connections, block=False, retries=False, timeout=urllib3.Timeout(connect=min(timeout, 3.0), read=timeout)
        )

    def call(self, method: str, *params: Any) -> Any:
        """Result of one call. Raises RpcError, or LedgerError unreachable / timeout / internal."""
        return _result(self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": list(params)}))

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Results in the order of the requests; an RpcError stands in the place of a call that failed."""
        results: list[Any] = []
        for chunk in _chunks(requests):
            results += self._batch(chunk)
        return results

    def all(self, requests: Sequence[Request]) -> list[Any]:
        """Like :meth:`batch`, but the first failed call raises its RpcError."""
        results = self.batch(requests)
        for r in results:
            if isinstance(r, RpcError):
                raise r
        return results

    def close(self) -> None:
        """Drop the connections."""
        self._pool.clear()

    def _batch(self, requests: Sequence[Request]) -> list[Any]:
        if not requests:
            return []
        if len(requests) == 1:
            method, params = requests[0]
            answers = [self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})]
        else:
            body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(requests)]
            answers = self._post(body)
        if not isinstance(answers, list):
            raise LedgerError(Reason.INTERNAL, detail=f"the node answered a batch with {_error_text(answers)}")
        by_id = {a.get("id"): a for a in answers if isinstance(a, dict)}
        if len(by_id) != len(requests):
            raise LedgerError(Reason.INTERNAL, detail=f"{len(requests)} calls in a batch, {len(by_id)} answers")
        return [_result_or_error(by_id[i]) for i in range(len(requests))]

    def _post(self, body: Any) -> Any:
        raw = orjson.dumps(body)
        try:
            response = self._send(raw)
        except urllib3.exceptions.TimeoutError as e:
            raise LedgerError(Reason.UNREACHABLE if _connecting(e) else Reason.TIMEOUT, detail=f"{self.url}: {e}") from e
        except urllib3.exceptions.HTTPError as e:
            raise LedgerError(Reason.UNREACHABLE, detail=f"{self.url}: {e}") from e
        if response.status == 413:
            raise LedgerError(Reason.TOO_LARGE, detail=f"request of {len(raw)} bytes")
        try:
            return orjson.loads(response.data)
        except orjson.JSONDecodeError as e:
            raise LedgerError(Reason.INTERNAL, detail=f"{self.url} answered {response.status}, not JSON") from e

    def _send(self, raw: bytes) -> urllib3.BaseHTTPResponse:
        """POST; once more if a kept-alive connection turned out to be closed before any answer. Repeating is safe: every method
        we use is a read or carries a signed transaction, which a node takes once."""
        try:
            return self._pool.request("POST", self.url, body=raw, headers=_HEADERS)
        except urllib3.exceptions.ProtocolError:
            return self._pool.request("POST", self.url, body=raw, headers=_HEADERS)


_HEADERS = {"content-type": "application/json"}


def _connecting(e: Exception) -> bool:
    return isinstance(e, urllib3.exceptions.ConnectTimeoutError)


def _chunks(requests: Sequence[Request]) -> list[list[Request]]:
    chunks: list[list[Request]] = []
    size = MAX_BATCH_BYTES
    for request in requests:
        bytes_ = (
            sum(len(p) for p in request[1] if isinstance(p, str)) + sum(_size(p) for p in request[1] if isinstance(p, dict)) + 80
        )
        if size + bytes_ > MAX_BATCH_BYTES or len(chunks[-1]) >= MAX_BATCH_CALLS:
            chunks.append([])
            size = 0
        chunks[-1].append(request)
        size += bytes_
    return chunks


def _size(param: dict[str, Any]) -> int:
    return sum(len(v) for v in param.values() if isinstance(v, str)) + 40


def _result(answer: Any) -> Any:
    result = _result_or_error(answer)
    if isinstance(result, RpcError):
        raise result
    return result


def _result_or_error(answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise LedgerError(Reason.INTERNAL, detail="the node's answer is not JSON-RPC")
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    return RpcError(int(error.get("code", 0)), str(error.get("message", "")), error.get("data"))


def _error_text(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error or type(answer).__name__)
