"""Every table of the gateway, in one place to import (migrations, tests)."""

from __future__ import annotations

from gateway.access import models as access
from gateway.alliance import models as alliance
from gateway.consent import models as consent
from gateway.database import Base
from gateway.emergency import models as emergency
from gateway.evidence import models as evidence
from gateway.identity import models as identity
from gateway.index import models as index
from gateway.notice import models as notice
from gateway.operation import models as operation
from gateway.receipt import models as receipt
from gateway.schema import models as schema
from gateway.session import models as session

__all__ = [
    "Base",
    "access",
    "alliance",
    "consent",
    "emergency",
    "evidence",
    "identity",
    "index",
    "notice",
    "operation",
    "receipt",
    "schema",
    "session",
]
