"""Bodies of /schemas."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.operation.schemas import OperationOut
from gateway.types import Model, Word


class SchemaIn(Model):
    """A document type. Its `elements` are numbered from 1 without gaps, at most 256."""

    document: dict[str, Any]
    supersedes: Word | None = None


class SchemaOut(Model):
    """A document type and where it stands on the ledger."""

    id: Word
    document: dict[str, Any]
    elements: int
    registered: bool = Field(description="On the ledger with this number of elements")
    supersededBy: str | None = None


class SchemaTaken(Model):
    """The document is kept; `operation` is null where the ledger has the type already."""

    id: Word
    operation: OperationOut | None
