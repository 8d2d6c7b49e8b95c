"""How often one address and one signer may ask a gate. What is asked plays no part: such a refusal tells nothing of any record.

The address is counted before the body is read, the signer once the signature held (else anybody could use up a doctor's share)
and before anything is looked up or written: the refusal leaves no receipt, or a signer could fill the log with them.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

from core.errors import TooManyRequests
from gateway.rates import Rates, pause
from gateway.settings import PolicySettings


class Limits:
    """Limits of one process of a gate; each of several counts by itself."""

    def __init__(self, policy: PolicySettings, ticks: Callable[[], float]) -> None:
        """``ticks``: seconds that never go back."""
        self._policy = policy
        self._rates = Rates(ticks)

    def address(self, scope: Scope) -> None:
        """Count a request of the connection's other end, which is kept nowhere else. Raises TooManyRequests."""
        client = scope.get("client")
        self._take(f"address {client[0] if client else ''}", self._policy.address_requests_per_minute)

    def signer(self, keyid: str) -> None:
        """Count a request whose signature held. Raises TooManyRequests."""
        self._take(keyid, self._policy.signer_requests_per_minute)

    def _take(self, name: str, per_minute: int) -> None:
        if not self._rates.take(name, per_minute):
            raise TooManyRequests(retry_after=pause(per_minute))
