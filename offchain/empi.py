"""Master patient index, exact match: the same identifier in two sources is the same person (docs/formats.md §1).

Only HMAC-SM3 values under the registrar's key are kept. The first identifier seen for a person, strongest first, gives the
subject id, and it never changes. Nothing is merged on a guess: identifiers that lead to two people, or a number whose birth date
differs, are refused and go to quarantine for a human to settle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.enrolment import normalise_number
from gateway.ledger.db import writing
from offchain.database import Sessions
from offchain.intake import systems
from offchain.intake.port import Identity, Person
from offchain.keys import RegistrarKeys
from offchain.models import Identifier
from offchain.models import Person as PersonRow

_CHUNK = 500


_PLACEHOLDERS = frozenset({"UNKNOWN", "NULL", "NONE", "NIL", "NA", "TEST", "无", "不详", "未知", "暂无", "保密"})


class IdentityConflict(Exception):
    """The identifiers of one row belong to different people."""


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """What the gateway needs to let a person enrol: docs/services.md ``POST /identities/directory``.

    ``lookup`` and ``name_check`` are HMAC-SM3 values of ID number and name; ``activation`` is handed to the person on paper or at
    the counter and never stored by the registrar (it can be derived again).
    """

    lookup: bytes
    subject: bytes
    name_check: bytes
    activation: str


class Empi:
    """Subject ids for people, and the enrolment directory."""

    def __init__(self, sessions: Sessions, keys: RegistrarKeys) -> None:
        self._sessions = sessions
        self._keys = keys

    def register(self, source: str, people: Sequence[Person]) -> list[bytes | IdentityConflict]:
        """Subject ids of people, in order; durable when it returns. People of one call may share identifiers."""
        if not people:
            return []
        with self._sessions.begin() as session:
            writing(session)
            people = [_sensible(p) for p in people]
            digests = [[self._digest(source, i) for i in p.identities] for p in people]
            known = self._known(session, {d for ds in digests for d in ds} | {self._birth(p) for p in people})
            return [self._register(session, known, p, ds) for p, ds in zip(people, digests, strict=True)]

    def resolve(self, source: str, identities: Iterable[Identity]) -> dict[Identity, bytes]:
        """Subjects of identities; those nobody registered are missing. System "" means the source's own patient id."""
        digests = {self._digest(source, i): i for i in set(identities)}
        with self._sessions() as session:
            return {digests[d]: s for d, s in self._known(session, digests).items()}

    def directory(self, limit: int = 1000) -> list[DirectoryRow]:
        """People the gateway's directory does not have yet."""
        with self._sessions() as session:
            rows = session.scalars(select(PersonRow).where(PersonRow.posted.is_(False)).order_by(PersonRow.lookup).limit(limit))
            return [DirectoryRow(r.lookup, r.subject, r.name_check, self._keys.activation_code(r.subject)) for r in rows]

    def posted(self, rows: Iterable[DirectoryRow]) -> None:
        """Note that the gateway has these."""
        with self._sessions.begin() as session:
            writing(session)
            for row in rows:
                session.execute(update(PersonRow).where(PersonRow.lookup == row.lookup).values(posted=True))

    def _digest(self, source: str, identity: Identity) -> bytes:
        system, value = identity
        if not system:
            return self._keys.identifier(systems.patient_of(source), value)
        return self._keys.identifier(system, normalise_number(value) or value)

    def _birth(self, person: Person) -> bytes:
        # Number and birth date as one identifier: a known number without this pair belongs to somebody born on another day.
        return self._keys.identifier("urn:healthtrust:number-and-birth", f"{person.number}|{person.birth_date}")

    def _known(self, session: Session, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        wanted = list(digests)
        known: dict[bytes, bytes] = {}
        for i in range(0, len(wanted), _CHUNK):
            query = select(Identifier.digest, Identifier.subject).where(Identifier.digest.in_(wanted[i : i + _CHUNK]))
            known.update((digest, subject) for digest, subject in session.execute(query))
        return known

    def _register(
        self, session: Session, known: dict[bytes, bytes], person: Person, digests: Sequence[bytes]
    ) -> bytes | IdentityConflict:
        subjects = {known[d] for d in digests if d in known}
        if not digests:
            return IdentityConflict("no identifier that names one person")
        if len(subjects) > 1:
            return IdentityConflict(f"identifiers of {len(subjects)} people in one row")
        if self._other_birth_date(session, known, person):
            return IdentityConflict("the same number with another birth date")
        subject = next(iter(subjects), None) or digests[0]
        new = [*digests, self._birth(person)] if person.number and person.birth_date else list(digests)
        self._keep(session, known, dict.fromkeys((d for d in new if d not in known), subject))
        if person.number and person.name:
            self._enlist(session, person, subject)
        return subject

    def _other_birth_date(self, session: Session, known: Mapping[bytes, bytes], person: Person) -> bool:
        if not person.number or not person.birth_date or self._birth(person) in known:
            return False
        return session.get(PersonRow, self._keys.lookup(person.number)) is not None

    def _keep(self, session: Session, known: dict[bytes, bytes], new: Mapping[bytes, bytes]) -> None:
        session.add_all(Identifier(digest=d, subject=s) for d, s in new.items())
        session.flush()
        known.update(new)

    def _enlist(self, session: Session, person: Person, subject: bytes) -> None:
        lookup = self._keys.lookup(person.number or "")
        if session.get(PersonRow, lookup) is None:
            check = self._keys.name_check(person.name)
            session.add(PersonRow(lookup=lookup, subject=subject, name_check=check, posted=False))
            session.flush()


def _sensible(person: Person) -> Person:
    """Without what clerks type where there is no identifier: it would make one person of everybody who has it."""
    identities = tuple(i for i in person.identities if not i[0] or _names_somebody(i[1]))
    number = person.number if person.number and _names_somebody(person.number) else None
    return Person(identities, person.name, person.birth_date, number)


def _names_somebody(value: str) -> bool:
    plain = normalise_number(value)
    repeated = set(plain) == {"0"} or (len(plain) >= 6 and len(set(plain)) == 1)
    return bool(plain) and plain not in _PLACEHOLDERS and not repeated
