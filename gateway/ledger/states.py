"""What ``Consent.statesOf`` answers, as the decision takes it: read in one place by everybody who decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.decision import ConsentState, Credential, State


def state_of(answer: Mapping[str, Any]) -> State:
    """A State of the contract (docs/ledger.md, Consent) as :mod:`core.decision` takes it."""
    consent, credential = answer["consent"], answer["credential"]
    return State(
        ConsentState(
            consent["subject"],
            consent["commitment"],
            consent["notBefore"],
            consent["notAfter"],
            consent["useLimit"],
            consent["uses"],
            consent["status"],
        ),
        answer["requesterOrganisation"],
        answer["custodian"],
        Credential(
            credential["organisation"], credential["roles"], credential["notBefore"], credential["notAfter"], credential["status"]
        ),
    )
