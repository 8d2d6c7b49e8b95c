"""Receipts handed to the gateway, so that residents see who has read (docs/services.md, ``POST /receipts``).

Nothing depends on it: a gateway that is away gets them later, in order, from the batches that are marked unpublished.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import orjson
import structlog

from core.hexes import to_hex
from core.httpsig import key_id, sign_request
from offchain.receipts import Batch

log = structlog.get_logger("gate")
AT_ONCE = 500
"""Receipts in one request: about half a megabyte."""


class GatewayPublisher:
    """Signs as the custodian (``private``: its SM2 key) and posts to ``url``."""

    def __init__(self, url: str, store: bytes, private: bytes, http: httpx.Client | None = None) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/receipts"
        self._keyid = key_id("organisation", store)
        self._private = private
        self._http = http or httpx.Client(timeout=10.0, trust_env=False)

    def publish(self, batch: Batch, rows: Sequence[Any]) -> bool:
        """See :class:`offchain.gate.keeper.Publisher`."""
        return all(self._post(rows[at : at + AT_ONCE]) for at in range(0, len(rows), AT_ONCE))

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def _post(self, rows: Sequence[Any]) -> bool:
        body = orjson.dumps({"receipts": [{"receipt": r.json, "salt": to_hex(r.salt)} for r in rows]})
        headers = sign_request(self._private, self._keyid, "POST", self._url, body)
        headers |= {"content-type": "application/json", "idempotency-key": f"receipts-{rows[0].number}-{to_hex(rows[-1].hash)}"}
        try:
            answer = self._http.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as e:
            log.info("receipts wait for the gateway", error=type(e).__name__)
            return False
        if answer.is_success:
            return True
        log.warning("the gateway did not take receipts", status=answer.status_code, first=rows[0].number)
        return False
