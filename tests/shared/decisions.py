"""Rows of ``decision.json``: every check of docs/formats.md §6, alone, at its edges, and before every later one.

What each row expects is written here by hand from the document, not taken from the code under test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from core.bundle import request_json, state_json
from core.crypto import hmac_sm3, sm3
from core.decision import ConsentState, Credential, Reason, Request, State
from core.scope import ALL_BITS, Grantee, Scope
from core.vocabulary import CATEGORIES, PURPOSES, ROLES
from core.words import ZERO, word


def name(label: str) -> bytes:
    """A fixed 32-byte id."""
    return sm3(b"healthtrust decision vector " + label.encode())


SUBJECT, DOCTOR, HOSPITAL, CUSTODIAN = name("subject"), name("doctor"), name("hospital"), name("custodian")
RECORD, SCHEMA, SALT, OTHER = name("record"), name("schema"), name("salt"), name("other")
NOW, START, END = 1_800_000_000, 1_790_000_000, 1_810_000_000
TREAT, CAREMGT, PATRQT = 0, 2, 4
LABORATORY, MEDICATION = 3, 5
SELF_OK = (Reason.SELF, 0b1011)
Edit = Callable[["Case"], None]


@dataclass
class Case:
    """One row while it is put together; the commitment is made last, over the words as edited."""

    request: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, Any] = field(default_factory=dict)
    credential: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)
    words: list[Callable[[bytes], bytes]] = field(default_factory=list)
    salt: bytes = SALT
    time: int = NOW

    def row(self, title: str, reason: Reason, fields: int) -> dict[str, Any]:
        """The JSON row."""
        scope = replace(
            Scope(
                SUBJECT,
                Grantee("practitioner", DOCTOR),
                frozenset({TREAT}),
                START,
                END,
                frozenset({LABORATORY}),
                frozenset({CUSTODIAN, name("custodian 2")}),
                frozenset({RECORD, name("record 2"), name("record 3")}),
                {SCHEMA: 0b1111, name("schema 2"): 0b1},
                0,
            ),
            **self.scope,
        )
        words = scope.words()
        for edit in self.words:
            words = edit(words)
        consent = {"subject": SUBJECT, "not_before": START, "not_after": END, "status": 1, "commitment": hmac_sm3(SALT, words)}
        credential = {"organisation": HOSPITAL, "roles": 0b1, "not_before": START, "not_after": END, "status": 1}
        request = {
            "subject": SUBJECT,
            "requester": DOCTOR,
            "organisation": HOSPITAL,
            "role": 0,
            "purpose": TREAT,
            "category": LABORATORY,
            "custodian": CUSTODIAN,
            "record": RECORD,
            "schema": SCHEMA,
            "fields": 0b1011,
        }
        state = State(
            ConsentState(**{**consent, **self.consent}),
            self.state.get("organisation", 1),
            self.state.get("custodian", 1),
            Credential(**{**credential, **self.credential}),
        )
        outcome = 1 if reason <= Reason.SELF else 0 if reason is Reason.NO_CONSENT else 2
        return {
            "name": title,
            "state": state_json(state),
            "request": request_json(Request(**{**request, **self.request})),
            "words": "0x" + words.hex(),
            "salt": "0x" + self.salt.hex(),
            "time": self.time,
            "expected": {"outcome": outcome, "reason": int(reason), "fields": "0x" + word(fields).hex()},
        }


def edit(part: str, **values: Any) -> Edit:
    """An edit that sets members of one part of the case."""

    def apply(case: Case) -> None:
        if part == "case":
            vars(case).update(values)
        else:
            getattr(case, part).update(values)

    return apply


def raw(change: Callable[[bytes], bytes]) -> Edit:
    """An edit of the scope's words."""
    return lambda case: case.words.append(change)


def put(at: int, data: bytes) -> Edit:
    """Overwrite bytes of the words."""
    return raw(lambda words: words[:at] + data + words[at + len(data) :])


FAULTS: list[tuple[Reason, Edit]] = [
    (Reason.REQUEST_MALFORMED, edit("request", fields=0)),
    (Reason.CUSTODIAN_INACTIVE, edit("state", custodian=2)),
    (Reason.ORGANISATION_INACTIVE, edit("state", organisation=2)),
    (Reason.CREDENTIAL_INVALID, edit("credential", status=2)),
    (Reason.NO_CONSENT, edit("consent", status=0)),
    (Reason.SUBJECT_MISMATCH, edit("consent", subject=OTHER)),
    (Reason.REVOKED, edit("consent", status=3)),
    (Reason.AMENDED, edit("consent", status=2)),
    (Reason.NOT_YET_VALID, edit("consent", not_before=NOW + 1)),
    (Reason.EXPIRED, edit("consent", not_after=NOW)),
    (Reason.USES_EXHAUSTED, edit("consent", use_limit=3, uses=3)),
    (Reason.COMMITMENT_MISMATCH, edit("case", salt=OTHER)),
    (Reason.SCOPE_MALFORMED, raw(lambda words: words + ZERO)),
    (Reason.SCOPE_STATE_MISMATCH, edit("scope", end=END + 1)),
    (Reason.GRANTEE_MISMATCH, edit("scope", grantee=Grantee("practitioner", OTHER))),
    (Reason.PURPOSE_NOT_GRANTED, edit("scope", purposes=frozenset({CAREMGT}))),
    (Reason.CATEGORY_NOT_GRANTED, edit("scope", categories=frozenset({MEDICATION}))),
    (Reason.CUSTODIAN_NOT_GRANTED, edit("scope", custodians=frozenset({OTHER}))),
    (Reason.RECORD_NOT_GRANTED, edit("scope", records=frozenset({OTHER}))),
    (Reason.FIELDS_NOT_GRANTED, edit("scope", fields={OTHER: ALL_BITS})),
]
_STATUS = {Reason.NO_CONSENT, Reason.REVOKED, Reason.AMENDED}


def rows() -> Iterator[dict[str, Any]]:
    """All rows."""
    for group in (
        _plain,
        _singles,
        _pairs,
        _requests,
        _members,
        _credentials,
        _lives,
        _times,
        _uses,
        _openings,
        _malformed,
        _odd,
    ):
        yield from group()
    for group in (_grantees, _roles, _purposes, _categories, _lists, _masks, _self):
        yield from group()


def _row(title: str, reason: Reason, *edits: Edit, fields: int | None = None) -> dict[str, Any]:
    case = Case()
    for apply in edits:
        apply(case)
    return copy.deepcopy(case.row(title, reason, (0b1011 if reason <= Reason.SELF else 0) if fields is None else fields))


def _plain() -> Iterator[dict[str, Any]]:
    yield _row("everything holds", Reason.OK)
    yield _row("asked more than granted", Reason.OK, edit("request", fields=ALL_BITS), fields=0b1111)
    yield _row("asked less than granted", Reason.OK, edit("request", fields=0b10), fields=0b10)


def _singles() -> Iterator[dict[str, Any]]:
    for reason, fault in FAULTS:
        yield _row(f"only {reason.text}", reason, fault)


def _pairs() -> Iterator[dict[str, Any]]:
    """The check that comes first names the reason."""
    for i, (first, a) in enumerate(FAULTS):
        for second, b in FAULTS[i + 1 :]:
            if not {first, second} <= _STATUS:
                yield _row(f"{first.text} before {second.text}", first, a, b)


def _requests() -> Iterator[dict[str, Any]]:
    for key, values in {"purpose": (10, 31, 32, 255), "category": (16, 255), "role": (8, 31, 32, 255)}.items():
        for value in values:
            yield _row(f"{key} {value} is not in the vocabulary", Reason.REQUEST_MALFORMED, edit("request", **{key: value}))
    for key in ("subject", "requester", "organisation", "custodian", "record", "schema"):
        yield _row(f"{key} is zero", Reason.REQUEST_MALFORMED, edit("request", **{key: ZERO}))
    yield _row("no fields asked", Reason.REQUEST_MALFORMED, edit("request", fields=0))


def _members() -> Iterator[dict[str, Any]]:
    for status in (0, 2, 3, 4):
        yield _row(f"custodian status {status}", Reason.CUSTODIAN_INACTIVE, edit("state", custodian=status))
        yield _row(f"organisation status {status}", Reason.ORGANISATION_INACTIVE, edit("state", organisation=status))
    both = edit("state", custodian=3, organisation=3)
    yield _row("both left", Reason.CUSTODIAN_INACTIVE, both)


def _credentials() -> Iterator[dict[str, Any]]:
    bad = Reason.CREDENTIAL_INVALID
    for status in (0, 2):
        yield _row(f"credential status {status}", bad, edit("credential", status=status))
    yield _row("credential of another organisation", bad, edit("credential", organisation=OTHER))
    yield _row("request names another organisation", bad, edit("request", organisation=OTHER))
    for before, after, reason in (
        (NOW, END, Reason.OK),
        (NOW + 1, END, bad),
        (START, NOW, bad),
        (START, NOW + 1, Reason.OK),
        (NOW, NOW, bad),
        (NOW, NOW + 1, Reason.OK),
        (0, 2**64 - 1, Reason.OK),
        (END, START, bad),
    ):
        yield _row(f"credential [{before}, {after})", reason, edit("credential", not_before=before, not_after=after))
    yield _row("no roles", bad, edit("credential", roles=0))
    yield _row(
        "credential never issued", bad, edit("credential", organisation=ZERO, roles=0, not_before=0, not_after=0, status=0)
    )


def _lives() -> Iterator[dict[str, Any]]:
    for status, reason in ((0, Reason.NO_CONSENT), (1, Reason.OK), (2, Reason.AMENDED), (3, Reason.REVOKED)):
        yield _row(f"consent status {status}", reason, edit("consent", status=status))
    nothing = edit("consent", subject=ZERO, commitment=ZERO, not_before=0, not_after=0, status=0)
    yield _row("no consent at all", Reason.NO_CONSENT, nothing)
    yield _row("no consent, no words", Reason.NO_CONSENT, nothing, raw(lambda _: b""))
    yield _row("another subject's consent", Reason.SUBJECT_MISMATCH, edit("consent", subject=OTHER))
    yield _row("request for another subject", Reason.SUBJECT_MISMATCH, edit("request", subject=OTHER))
    for status in (2, 3):
        both = edit("consent", status=status, not_after=NOW - 5)
        yield _row(f"status {status} and expired", Reason.AMENDED if status == 2 else Reason.REVOKED, both)


def _times() -> Iterator[dict[str, Any]]:
    for time, reason in (
        (0, Reason.NOT_YET_VALID),
        (START - 1, Reason.NOT_YET_VALID),
        (START, Reason.OK),
        (START + 1, Reason.OK),
        (END - 1, Reason.OK),
        (END, Reason.EXPIRED),
        (END + 1, Reason.EXPIRED),
        (2**63, Reason.EXPIRED),
        (2**64 - 2, Reason.EXPIRED),
    ):
        yield _row(f"at {time}", reason, edit("case", time=time), edit("credential", not_before=0, not_after=2**64 - 1))
        at_credential = Reason.OK if reason is Reason.OK else Reason.CREDENTIAL_INVALID
        yield _row(f"credential and consent at {time}", at_credential, edit("case", time=time))
    for start, end, reason in (
        (NOW, NOW + 1, Reason.OK),
        (NOW + 1, NOW + 2, Reason.NOT_YET_VALID),
        (NOW - 1, NOW, Reason.EXPIRED),
        (NOW, NOW, Reason.EXPIRED),
        (0, 2**64 - 1, Reason.OK),
        (0, 0, Reason.EXPIRED),
        (2**64 - 1, 2**64 - 1, Reason.NOT_YET_VALID),
    ):
        period = (edit("scope", start=start, end=end), edit("consent", not_before=start, not_after=end))
        yield _row(f"consent [{start}, {end})", reason, *period)


def _uses() -> Iterator[dict[str, Any]]:
    top = 2**32 - 1
    for limit, uses in (
        (0, 0),
        (0, 5),
        (0, top),
        (1, 0),
        (1, 1),
        (1, 2),
        (3, 2),
        (3, 3),
        (3, 4),
        (top, top - 1),
        (top, top),
        (2, 0),
    ):
        reason = Reason.USES_EXHAUSTED if limit and uses >= limit else Reason.OK
        yield _row(f"{uses} uses of {limit}", reason, edit("scope", uses=limit), edit("consent", use_limit=limit, uses=uses))


def _openings() -> Iterator[dict[str, Any]]:
    """Whoever shows other words or another salt gets nothing."""
    bad = Reason.COMMITMENT_MISMATCH
    right = Case().row("", Reason.OK, 0)["words"]
    committed = hmac_sm3(SALT, bytes.fromhex(right[2:]))
    fixed = edit("consent", commitment=committed)
    for bit in (0, 100, 255):
        flipped = (int.from_bytes(SALT, "big") ^ 1 << bit).to_bytes(32, "big")
        yield _row(f"salt bit {bit} flipped", bad, edit("case", salt=flipped))
        commitment = (int.from_bytes(committed, "big") ^ 1 << bit).to_bytes(32, "big")
        yield _row(f"commitment bit {bit} flipped", bad, edit("consent", commitment=commitment))
    for at in range(0, len(right) // 2 - 1, 32):
        yield _row(
            f"words changed at byte {at + 31}",
            bad,
            fixed,
            raw(lambda w, at=at: w[: at + 31] + bytes([w[at + 31] ^ 1]) + w[at + 32 :]),
        )
    yield _row("no words", bad, fixed, raw(lambda _: b""))
    yield _row("words cut", bad, fixed, raw(lambda w: w[:-32]))
    yield _row("words longer", bad, fixed, raw(lambda w: w + ZERO))
    yield _row("zero commitment", bad, edit("consent", commitment=ZERO))
    for key, value in (("start", START + 1), ("end", END - 1), ("uses", 1), ("subject", OTHER)):
        yield _row(f"scope {key} differs from the state", Reason.SCOPE_STATE_MISMATCH, edit("scope", **{key: value}))
    wider = edit("consent", not_before=START - 1, not_after=END + 1)
    yield _row("state period wider than the scope's", Reason.SCOPE_STATE_MISMATCH, wider)
    yield _row("state has a limit, scope none", Reason.SCOPE_STATE_MISMATCH, edit("consent", use_limit=9))


def _malformed() -> Iterator[dict[str, Any]]:
    bad = Reason.SCOPE_MALFORMED
    lists = {"custodians": (224, 2, 32, 1), "records": (288, 3, 32, 2), "masks": (384, 2, 64, 4)}
    cuts = {
        "empty": 0,
        "one byte": 1,
        "one word": 32,
        "six words": 192,
        "seven words": 224,
        "half a word short": -16,
        "a byte short": -1,
    }
    for title, end in cuts.items():
        yield _row(f"words: {title}", bad, raw(lambda w, end=end: w[:end]))
    yield _row("words: a byte more", bad, raw(lambda w: w + b"\0"))
    yield _row("words: a word more", bad, raw(lambda w: w + name("more")))
    yield _row("words: version 2", bad, put(19, b"2"))
    yield _row("words: kind not padded with zeros", bad, put(31, b"1"))
    for at, values in {64: (0, 5, 255), 65: (0, 4, 255), 66: (2, 255), 67: (1, 255), 78: (8, 128)}.items():
        for value in values:
            yield _row(f"words: byte {at} is {value}", bad, put(at, bytes([value])))
    for at in (*range(79, 96), *range(180, 192)):
        yield _row(f"words: reserved byte {at} set", bad, put(at, b"\1"))
    for title, (at, count, step, flag) in lists.items():
        where = {"custodians": 72, "records": 74, "masks": 76}[title]
        yield _row(f"words: {title} beside its any-flag", bad, put(78, bytes([flag])))
        yield _row(f"words: one {title} too many", bad, put(where, (count + 1).to_bytes(2, "big")))
        yield _row(f"words: one {title} too few", bad, put(where, (count - 1).to_bytes(2, "big")))
        yield _row(f"words: 65535 {title}", bad, put(where, b"\xff\xff"))
        swap = lambda w, at=at, step=step: w[:at] + w[at + step : at + 2 * step] + w[at : at + step] + w[at + 2 * step :]  # noqa: E731
        double = lambda w, at=at, step=step: w[:at] + w[at + step : at + 2 * step] + w[at + step :]  # noqa: E731
        yield _row(f"words: {title} not sorted", bad, raw(swap))
        yield _row(f"words: {title} holds one twice", bad, raw(double))


def _odd() -> Iterator[dict[str, Any]]:
    """Unusual, but scopes."""
    yield _row("purpose bits beyond the vocabulary grant nothing more", Reason.OK, put(68, b"\xff\xff\xff\xff"))
    yield _row("only purpose bits beyond the vocabulary", Reason.PURPOSE_NOT_GRANTED, put(68, b"\xff\xff\xfc\x00"))
    yield _row("no purposes", Reason.PURPOSE_NOT_GRANTED, edit("scope", purposes=frozenset()))
    yield _row("no categories", Reason.CATEGORY_NOT_GRANTED, edit("scope", categories=frozenset()))
    yield _row("category bits beyond the vocabulary", Reason.CATEGORY_NOT_GRANTED, put(192, b"\xff" * 30 + b"\0\0"))
    for mode in ("remote", "on-site", "proactive"):
        yield _row(f"mode {mode}", Reason.OK, edit("scope", mode=mode))
    yield _row("onward sharing", Reason.OK, edit("scope", onward_sharing=True))


def _grantees() -> Iterator[dict[str, Any]]:
    bad = Reason.GRANTEE_MISMATCH
    cases = [
        (Grantee("practitioner", DOCTOR, HOSPITAL), Reason.OK),
        (Grantee("practitioner", DOCTOR, OTHER), bad),
        (Grantee("practitioner", HOSPITAL), bad),
        (Grantee("practitioner", ZERO), bad),
        (Grantee("practitioner", OTHER, HOSPITAL), bad),
        (Grantee("organisation", HOSPITAL), Reason.OK),
        (Grantee("organisation", DOCTOR), bad),
        (Grantee("organisation", ZERO), bad),
        (Grantee("organisation", HOSPITAL, OTHER), Reason.OK),
        (Grantee("organisation", OTHER, HOSPITAL), bad),
        (Grantee("link", DOCTOR), Reason.OK),
        (Grantee("link", OTHER), bad),
        (Grantee("link", HOSPITAL), bad),
        (Grantee("link", DOCTOR, OTHER), Reason.OK),
        (Grantee("role", DOCTOR), bad),
        (Grantee("role", word(256)), bad),
        (Grantee("role", b"\1" + bytes(31)), bad),
        (Grantee("role", word(2**32)), bad),
    ]
    for i, (grantee, reason) in enumerate(cases):
        yield _row(f"grantee {i}: {grantee.type}", reason, edit("scope", grantee=grantee))


def _roles() -> Iterator[dict[str, Any]]:
    for n in range(len(ROLES)):
        asks = edit("request", role=n)
        yield _row(f"credential has role {n}", Reason.OK, asks, edit("credential", roles=1 << n))
        yield _row(
            f"credential has all roles but {n}", Reason.CREDENTIAL_INVALID, asks, edit("credential", roles=(2**32 - 1) ^ 1 << n)
        )
        granted, every = edit("scope", grantee=Grantee.role(n)), edit("credential", roles=0xFF)
        yield _row(f"role {n} granted", Reason.OK, asks, every, granted)
        yield _row(f"role {n} granted, another used", Reason.GRANTEE_MISMATCH, edit("request", role=(n + 1) % 8), every, granted)
        for where, reason in ((HOSPITAL, Reason.OK), (OTHER, Reason.GRANTEE_MISMATCH)):
            yield _row(f"role {n} of one organisation", reason, asks, every, edit("scope", grantee=Grantee.role(n, where)))


def _purposes() -> Iterator[dict[str, Any]]:
    for n in range(len(PURPOSES)):
        only = edit("scope", purposes=frozenset({n}))
        yield _row(f"purpose {n} granted", Reason.OK, edit("request", purpose=n), only)
        yield _row(
            f"purpose {n} granted, next used", Reason.PURPOSE_NOT_GRANTED, edit("request", purpose=(n + 1) % len(PURPOSES)), only
        )


def _categories() -> Iterator[dict[str, Any]]:
    for n in range(len(CATEGORIES)):
        asks = edit("request", category=n)
        others = frozenset(range(len(CATEGORIES))) - {n}
        yield _row(f"category {n} granted", Reason.OK, asks, edit("scope", categories=frozenset({n})))
        yield _row(f"all categories but {n}", Reason.CATEGORY_NOT_GRANTED, asks, edit("scope", categories=others))
        yield _row(f"any category, {n} used", Reason.OK, asks, edit("scope", categories=None))


def _lists() -> Iterator[dict[str, Any]]:
    for key, asked, bad in (
        ("custodians", CUSTODIAN, Reason.CUSTODIAN_NOT_GRANTED),
        ("records", RECORD, Reason.RECORD_NOT_GRANTED),
    ):
        many = [name(f"many {i}") for i in range(40)]
        low, high = bytes(31) + b"\1", b"\xff" * 32
        for title, value, reason in (
            ("any", None, Reason.OK),
            ("none", frozenset(), bad),
            ("only it", frozenset({asked}), Reason.OK),
            ("first", {asked, high}, Reason.OK),
            ("last", {asked, low}, Reason.OK),
            ("between", {asked, low, high}, Reason.OK),
            ("neighbours", {low, high}, bad),
            ("among 40", {asked, *many}, Reason.OK),
            ("not among 40", {*many}, bad),
        ):
            yield _row(f"{key}: {title}", reason, edit("scope", **{key: None if value is None else frozenset(value)}))


def _masks() -> Iterator[dict[str, Any]]:
    bad, top = Reason.FIELDS_NOT_GRANTED, 1 << 255
    for granted, asked in (
        (1, 1),
        (1, 2),
        (0b1010, 0b0101),
        (0b1010, 0b0110),
        (top, top),
        (top, 1),
        (1, top),
        (ALL_BITS, top),
        (ALL_BITS, ALL_BITS),
        (top | 1, ALL_BITS),
        (0, ALL_BITS),
        (0, 1),
        (ALL_BITS ^ 1, 1),
        (ALL_BITS ^ top, top),
        (1 << 128, 1 << 128),
        (1 << 127, 1 << 128),
    ):
        both = granted & asked
        edits = (edit("scope", fields={SCHEMA: granted}), edit("request", fields=asked))
        yield _row(f"granted {granted:x}, asked {asked:x}", Reason.OK if both else bad, *edits, fields=both)
    yield _row("any schema", Reason.OK, edit("scope", fields=None), edit("request", fields=ALL_BITS), fields=ALL_BITS)
    yield _row("no schema", bad, edit("scope", fields={}))
    yield _row("another schema only", bad, edit("scope", fields={OTHER: ALL_BITS}))
    many = {name(f"schema {i}"): ALL_BITS for i in range(30)}
    yield _row("one of 31 schemas", Reason.OK, edit("scope", fields={**many, SCHEMA: 0b0011}), fields=0b0011)
    yield _row("schema id given as a mask", bad, edit("scope", fields={OTHER: int.from_bytes(SCHEMA, "big")}))


def _self() -> Iterator[dict[str, Any]]:
    borrowed = edit("request", requester=SUBJECT, purpose=PATRQT)
    nobody = edit("request", organisation=ZERO)
    own = edit("request", requester=SUBJECT, purpose=PATRQT, organisation=ZERO)
    yield _row("own record", Reason.SELF, own)
    yield _row("a credential under the resident's id", Reason.GRANTEE_MISMATCH, borrowed)
    yield _row("a credential under the resident's id, no consent", Reason.NO_CONSENT, borrowed, edit("consent", status=0))
    yield _row("own record, all fields", Reason.SELF, own, edit("request", fields=ALL_BITS), fields=ALL_BITS)
    skipped = {Reason.REQUEST_MALFORMED, Reason.CUSTODIAN_INACTIVE}
    for reason, fault in FAULTS:
        yield _row(f"own record, but {reason.text}", reason if reason in skipped else Reason.SELF, own, fault)
    yield _row("own record for another purpose", Reason.GRANTEE_MISMATCH, edit("request", requester=SUBJECT))
    yield _row(
        "own record for another purpose, no organisation", Reason.REQUEST_MALFORMED, edit("request", requester=SUBJECT), nobody
    )
    yield _row("patient's purpose, another requester", Reason.PURPOSE_NOT_GRANTED, edit("request", purpose=PATRQT))
    custodian = edit("state", custodian=0)
    yield _row("own record, custodian gone", Reason.CUSTODIAN_INACTIVE, own, nobody, custodian)
