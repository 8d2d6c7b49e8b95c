"""The relations table of docs/formats.md, from the relations themselves; a test keeps the page equal to it.

``python -m mirror.describe`` prints it.
"""

from __future__ import annotations

from mirror.models import ACCOUNT, NUMBER, TEXT, WORD, Kind, Relation
from mirror.projections import RELATIONS

LETTERS: dict[Kind, str] = {WORD: "W", ACCOUNT: "A", NUMBER: "N", TEXT: "T"}


def table() -> str:
    """One line a relation, in the order of the digest: name, then columns with the letter of their kind."""
    return "".join(f"    {_line(relation)}\n" for relation in RELATIONS)


def _line(relation: Relation) -> str:
    columns = " ".join(f"{n}:{LETTERS[k]}" for n, k in zip(relation.columns, relation.kinds, strict=True))
    return f"{relation.name:14} {columns}"


if __name__ == "__main__":
    print(table(), end="")
