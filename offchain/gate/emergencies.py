"""Opening an emergency on the ledger from the custodian's own account; two of its practitioners have signed (formats, Emergency).

What is opened, for whom and why stays with the two and the gateway; here passes only what the ledger sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.emergency import MOST_MINUTES
from core.errors import Forbidden, HealthTrustError, Unprocessable
from core.hexes import to_bytes, to_hex
from gateway.ledger import outbox
from gateway.ledger.port import Call
from offchain.gate.refusals import BadRequest
from offchain.gate.spending import LedgerWriter
from offchain.gate.view import Caller

_MEMBERS = {"id", "commitment", "minutes", "first", "second"}


class NotOurStaff(Forbidden):
    """Opened through the gate of the organisation whose credentials both hold, by one of them."""

    default_code = "emergency_not_yours"
    default_zh = "紧急调阅由签名的两位本院人员之一，在本院的调阅服务上提交。"
    default_en = "An emergency is opened at your own organisation's gate, by one of the two who signed."


class NotOpened(Unprocessable):
    """The contract said no; ``detail`` is its error's name."""

    default_code = "emergency_not_opened"
    default_zh = "账本没有打开这次紧急调阅（{detail}），请核对两人的签名与执业凭证后重新发起。"
    default_en = "The ledger did not open this emergency ({detail}). Check both signatures and credentials, and begin again."


@dataclass(frozen=True, slots=True)
class EmergencyWish:
    """What two people ask to open. ``signed``: practitioner and signature of each, in the order of the contract's arguments."""

    id: bytes
    commitment: bytes
    minutes: int
    signed: tuple[tuple[bytes, bytes], tuple[bytes, bytes]]

    def call(self) -> Call:
        """The contract's method."""
        (first, first_signature), (second, second_signature) = self.signed
        said = {"id": self.id, "commitment": self.commitment, "minutesOpen": self.minutes}
        people = {"first": first, "firstSignature": first_signature, "second": second, "secondSignature": second_signature}
        return Call("Access", "openEmergency", {**said, **people})


def emergency_wish(body: bytes) -> EmergencyWish:
    """Parse the body of ``POST /emergencies``. Raises BadRequest."""
    try:
        doc = orjson.loads(body)
        if not isinstance(doc, dict) or doc.keys() != _MEMBERS or type(doc["minutes"]) is not int:
            raise BadRequest(detail=f"the body has exactly the members {', '.join(sorted(_MEMBERS))}")
        if not 1 <= doc["minutes"] <= MOST_MINUTES:
            raise BadRequest(detail=f"minutes is an integer from 1 to {MOST_MINUTES}")
        id, commitment = (to_bytes(doc[name], 32, name) for name in ("id", "commitment"))
        return EmergencyWish(id, commitment, doc["minutes"], (_signed(doc["first"]), _signed(doc["second"])))
    except orjson.JSONDecodeError as e:
        raise BadRequest(detail="not JSON") from e
    except (KeyError, TypeError, AttributeError) as e:
        raise BadRequest(detail="a member has another type") from e
    except HealthTrustError as e:
        raise e if isinstance(e, BadRequest) else BadRequest(detail=str(e.params.get("detail") or e.code)) from e


def _signed(value: Any) -> tuple[bytes, bytes]:
    return to_bytes(value["practitioner"], 32, "practitioner"), to_bytes(value["signature"], 64, "signature")


async def open_emergency(wish: EmergencyWish, caller: Caller, ours: bool, writer: LedgerWriter) -> dict[str, str]:
    """Put it on the ledger; answers once it is there. ``ours``: the caller's credential is this custodian's. Asking again for the
    same is the same write. Raises NotOurStaff, NotOpened, LedgerSilent."""
    if not ours or caller.id not in (practitioner for practitioner, _ in wish.signed):
        raise NotOurStaff
    settled = await writer.settle(f"emergency/{to_hex(wish.id)}", "emergency-open", wish.call())
    if settled.state != outbox.SUCCEEDED:
        raise NotOpened(detail=settled.detail)
    return {"id": to_hex(wish.id)}
