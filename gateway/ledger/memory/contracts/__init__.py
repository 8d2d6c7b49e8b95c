"""The contracts in Python: the same duties, names, errors, events and order of checks as contracts/src.

Importing this package declares them all.
"""

from gateway.ledger.memory.contracts import (
    access,
    alliance,
    consent,
    evidence,
    identity,
    index,
    registry,
    schema,
    workflow,
)

__all__ = ["access", "alliance", "consent", "evidence", "identity", "index", "registry", "schema", "workflow"]
