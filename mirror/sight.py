"""Which rows and columns of the mirror an organisation's own people see; auditors see all.

Every member can read the chain itself. This is what an analyst inside a member is shown: the alliance's common matters, and what
the organisation did or was asked. One definition serves REST and, on PostgreSQL, the policies of row-level security
(:mod:`mirror.views`).
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from mirror.models import BLOCK, EVENT
from mirror.projections.consent import CONSENT, SPEND

Condition = sa.ColumnElement[bool]

#: Tables that concern every member alike.
COMMON = frozenset({"block", "organisation", "member_account", "proposal", "vote", "schema", "contract"})
#: Of the others, the columns that name an organisation whose own row this is.
OWN: dict[str, tuple[str, ...]] = {
    "credential": ("organisation",),
    "subject_key": ("registrar",),
    "recovery": ("registrar",),
    "batch": ("organisation",),
    "full_batch": ("organisation",),
    "entry": ("organisation",),
    "spend": ("organisation",),
    "access_request": ("organisation", "answered_by"),
    "receipt_batch": ("organisation",),
    "emergency": ("organisation", "reviewer"),
    "application": ("applicant", "moved_by"),
    "evidence": ("organisation",),
}
COMMON_CONTRACTS = ("Alliance", "Schema", "Registry")
#: How many events a block has, and the digest over all rows, tell of rows that are not shown.
HIDDEN_COLUMNS: dict[str, frozenset[str]] = {str(BLOCK.name): frozenset({"events", "digest"})}


@dataclass(frozen=True)
class Sight:
    """Who looks: an organisation (32 bytes), or None for auditors."""

    organisation: bytes | None = None

    def rows(self, table: sa.Table) -> list[Condition]:
        """What a row must fulfil to be seen."""
        if self.organisation is None:
            return []
        return [rows_of(table, sa.literal(self.organisation, sa.LargeBinary()), sa.literal(self.organisation.hex()))]

    def columns(self, table: sa.Table) -> list[sa.Column[object]]:
        """The columns that are shown."""
        hidden = HIDDEN_COLUMNS.get(str(table.name), frozenset()) if self.organisation is not None else frozenset()
        return [c for c in table.columns if c.name not in hidden]


EVERYTHING = Sight()


def rows_of(table: sa.Table, organisation: sa.ColumnElement[bytes], text: sa.ColumnElement[str]) -> Condition:
    """The rows of a table that ``organisation`` sees; ``text``: the same id as lower-case hex. A table that nobody thought of
    shows nothing."""
    name = str(table.name)
    if name in COMMON:
        return sa.true()
    if name == EVENT.name:
        names = table.c.args.like(sa.literal('%"0x') + text + sa.literal('"%'))
        return sa.or_(table.c.contract.in_(COMMON_CONTRACTS), names)
    if name == CONSENT.name:
        used = sa.select(SPEND.table.c.consent).where(SPEND.table.c.organisation == organisation)
        return table.c.consent.in_(used)
    return sa.or_(sa.false(), *(table.c[column] == organisation for column in OWN.get(name, ())))
