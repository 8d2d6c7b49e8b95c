"""A person's consents in a sorted tree: exactly these, and no other."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from core.authorisations import LiveConsent
from core.errors import Malformed
from core.live import LiveTree, Section


def consents(seed: int, persons: int, most: int = 3) -> list[LiveConsent]:
    rng = random.Random(seed)
    out = []
    for _ in range(persons):
        subject = rng.randbytes(32)
        for _ in range(rng.randrange(1, most + 1)):
            out.append(LiveConsent(rng.randbytes(32), subject, rng.randbytes(32), 1, 2**40, 0, rng.randrange(3)))
    rng.shuffle(out)
    return out


@pytest.mark.parametrize("persons", [0, 1, 2, 3, 8, 33])
def test_every_person_is_proved_and_so_is_everybody_absent(persons: int) -> None:
    all_ = consents(persons, persons)
    tree = LiveTree(all_)
    present = {c.subject for c in all_}
    absent = {bytes(32), b"\xff" * 32, *(random.Random(9 + n).randbytes(32) for n in range(5))}
    for subject in present | absent:
        section = tree.of(subject)
        section.check(tree.root, len(tree))
        assert {leaf.consent for leaf in section.leaves} == {c for c in all_ if c.subject == subject}
        assert Section.from_json(section.json()) == section


def forged(section: Section, tree: LiveTree) -> dict[str, Section]:
    """Ways in which somebody could hide or invent a consent."""
    first = section.leaves[0]
    return {
        "hidden": replace(section, leaves=section.leaves[1:]),
        "all hidden": replace(section, leaves=()),
        "neighbour left out": replace(section, before=None),
        "other neighbour left out": replace(section, after=None),
        "own leaf as a neighbour": replace(section, leaves=section.leaves[1:], before=first),
        "changed": replace(section, leaves=(replace(first, consent=replace(first.consent, uses=9)), *section.leaves[1:])),
        "moved": replace(section, leaves=(replace(first, index=first.index + 1), *section.leaves[1:])),
        "smaller tree": replace(section, size=section.size - 1),
        "nothing at all": replace(section, leaves=(), before=None, after=None),
        "empty tree": replace(section, leaves=(), before=None, after=None, size=0),
        "somebody else's": replace(section, subject=tree.consents[0].subject),
    }


def test_nothing_can_be_hidden_or_invented() -> None:
    tree = LiveTree(consents(5, 12))
    middle = next(c.subject for c in tree.consents[5:] if len(tree.of(c.subject).leaves) > 1)
    section = tree.of(middle)
    assert section.before is not None
    assert section.after is not None
    assert [name for name, lie in forged(section, tree).items() if holds(lie, tree)] == []
    with pytest.raises(Malformed):
        section.check(bytes(32), len(tree))


def holds(section: Section, tree: LiveTree) -> bool:
    try:
        section.check(tree.root, len(tree))
    except Malformed:
        return False
    return True


@pytest.mark.parametrize("broken", [{}, {"subject": "0x"}, {"subject": "0x" + "00" * 32, "size": 1, "leaves": [{}]}])
def test_what_is_no_section_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Section.from_json({"before": None, "after": None, "leaves": [], **broken})
