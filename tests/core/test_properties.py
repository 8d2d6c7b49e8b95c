"""Promises that hold for any input: trees, scopes, decisions, canonical JSON, entries, use chains."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core import ids, merkle
from core.bundle import request_from_json, state_from_json
from core.canonical import canonical
from core.decision import ConsentState, Credential, Decision, Request, State, decide
from core.entry import IndexEntry
from core.errors import HealthTrustError, Malformed, NotCanonical, ScopeMalformed
from core.record import RecordTree, verify_disclosure
from core.scope import ALL_BITS, Grantee, Scope, ScopeIndex
from core.words import word
from tests.core.shared import raw, vectors

ID = st.integers(1, 6).map(lambda n: bytes([n]) * 32)
MASK = st.one_of(st.just(ALL_BITS), st.integers(1, ALL_BITS))
NOW = 1_800_000_000


def subset(most: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.integers(0, most - 1), min_size=1)


GRANTEES = st.one_of(
    st.builds(Grantee, st.just("practitioner"), ID, st.none() | ID),
    st.builds(Grantee, st.sampled_from(["organisation", "link"]), ID),
    st.builds(Grantee.role, st.integers(0, 7), st.none() | ID),
)
SCOPES = st.builds(
    Scope,
    subject=ID,
    grantee=GRANTEES,
    purposes=subset(10),
    start=st.integers(0, NOW),
    end=st.integers(NOW + 1, 2**53 - 1),
    categories=st.none() | subset(16),
    custodians=st.none() | st.frozensets(ID, min_size=1),
    records=st.none() | st.frozensets(ID, min_size=1),
    fields=st.none() | st.dictionaries(ID, MASK, min_size=1),
    uses=st.integers(0, 2**32 - 1),
    onward_sharing=st.booleans(),
    mode=st.sampled_from(["remote", "on-site", "proactive"]),
)
REQUESTS = st.builds(Request, ID, ID, ID, st.integers(0, 7), st.integers(0, 9), st.integers(0, 15), ID, ID, ID, MASK)


@given(SCOPES)
def test_scope_words_and_document_round_trip(scope: Scope) -> None:
    assert Scope.from_words(scope.words()) == scope
    assert Scope.from_document(json.loads(scope.canonical())) == scope


@given(
    st.binary(max_size=600)
    | st.builds(
        lambda s, at, b: s[: at % len(s)] + bytes([b]) + s[at % len(s) + 1 :],
        SCOPES.map(Scope.words),
        st.integers(0, 2000),
        st.integers(0, 255),
    )
)
def test_words_that_parse_have_one_form(words: bytes) -> None:
    try:
        scope = Scope.from_words(words)
    except HealthTrustError:
        return
    assert scope.words() == words


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda c: st.lists(c, max_size=4) | st.dictionaries(st.text(max_size=9), c, max_size=4),
        max_leaves=12,
    )
)
def test_scope_parser_never_crashes_and_canonical_json_round_trips(value: object) -> None:
    with pytest.raises(ScopeMalformed):
        Scope.from_document(value)
    try:
        data = canonical(value)
    except NotCanonical:
        return
    assert canonical(json.loads(data)) == data


def granted(scope: Scope, request: Request, salt: bytes) -> Decision:
    """Decision where everything but the scope is in order."""
    words = scope.words()
    consent = ConsentState(scope.subject, scope.commitment(salt), scope.start, scope.end, scope.uses, 0, 1)
    state = State(consent, 1, 1, Credential(request.organisation, 0xFF, 0, NOW * 2, 1))
    return decide(state, request, words, salt, NOW)


NARROWINGS = st.sampled_from(["purposes", "categories", "custodians", "records", "fields", "mask", "grantee", "period", "uses"])


def narrowed(scope: Scope, how: str, draw: st.DataObject) -> Scope:
    """A scope that grants no more than ``scope``, one property narrower."""
    if how == "purposes":
        return replace(scope, purposes=frozenset(draw.draw(st.sets(st.sampled_from(sorted(scope.purposes))))))
    if how in ("categories", "custodians", "records"):
        items = getattr(scope, how)
        pool = (
            sorted(range(16) if how == "categories" else [bytes([n]) * 32 for n in range(1, 7)])
            if items is None
            else sorted(items)
        )
        return replace(scope, **{how: frozenset(draw.draw(st.sets(st.sampled_from(pool))))})
    if how in ("fields", "mask"):
        fields = scope.fields if scope.fields is not None else {bytes([n]) * 32: ALL_BITS for n in range(1, 7)}
        keep = draw.draw(st.sets(st.sampled_from(sorted(fields))))
        return replace(
            scope, fields={s: m & (draw.draw(MASK) if how == "mask" else ALL_BITS) for s, m in fields.items() if s in keep}
        )
    if how == "grantee":
        bound = scope.grantee.organisation or draw.draw(ID)
        return replace(scope, grantee=replace(scope.grantee, organisation=bound))
    if how == "period":
        return replace(scope, start=draw.draw(st.integers(scope.start, scope.end - 1)))
    return replace(scope, uses=1)


@settings(max_examples=300)
@given(SCOPES, REQUESTS, NARROWINGS, st.data())
def test_narrowing_a_scope_never_permits_more(scope: Scope, request: Request, how: str, draw: st.DataObject) -> None:
    request = replace(request, subject=scope.subject)
    assume(request.requester != request.subject)
    wide, narrow = (granted(s, request, b"s" * 32) for s in (scope, narrowed(scope, how, draw)))
    assert not narrow.permit or wide.permit
    assert narrow.fields & ~wide.fields == 0
    assert wide.fields & ~request.fields == 0


@settings(max_examples=200)
@given(SCOPES, st.data())
def test_any_change_of_words_or_salt_denies(scope: Scope, draw: st.DataObject) -> None:
    """A gate that shows other words than were committed gets nothing, whoever asks."""
    row = vectors("decision")["rows"][0]
    state, request, words, salt = (
        state_from_json(row["state"]),
        request_from_json(row["request"]),
        raw(row["words"]),
        raw(row["salt"]),
    )
    assert decide(state, request, words, salt, row["time"]).permit
    bit = draw.draw(st.integers(0, len(words) * 8 - 1))
    flipped = (int.from_bytes(words, "big") ^ 1 << bit).to_bytes(len(words), "big")
    other_salt = draw.draw(st.binary(max_size=40).filter(lambda s: s != salt))
    for shown in ((flipped, salt), (words, other_salt), (scope.words(), salt), (b"", salt), (words + bytes(32), salt)):
        assert not decide(state, request, *shown, row["time"]).permit


@given(SCOPES, REQUESTS, st.binary(max_size=40), st.integers(0, 2**64 - 1), st.integers(0, 5), st.integers(0, 5))
def test_decide_never_raises_and_only_permit_has_fields(
    scope: Scope, request: Request, salt: bytes, time: int, status: int, member: int
) -> None:
    state = State(
        ConsentState(request.subject, b"c" * 32, 0, time, 1, 0, status),
        member,
        1,
        Credential(request.organisation, 1, 0, time, 1),
    )
    decision = decide(state, request, scope.words(), salt, time)
    assert decision.permit == bool(decision.fields)


@given(st.integers(1, 130), st.data())
def test_inclusion_proofs(size: int, draw: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(word(i)) for i in range(size)]
    index = draw.draw(st.integers(0, size - 1))
    root, path = merkle.root(leaves), merkle.inclusion_proof(leaves, index)
    assert merkle.verify_inclusion(leaves[index], index, size, path, root)
    wrong = draw.draw(st.integers(-1, size + 1).filter(lambda i: i != index))
    assert not merkle.verify_inclusion(leaves[index], wrong, size, path, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not merkle.verify_inclusion(leaves[index], index, size, [*path, root], root)
    for cut in range(len(path)):
        assert not merkle.verify_inclusion(leaves[index], index, size, path[:cut] + path[cut + 1 :], root)
    with pytest.raises(Malformed):
        merkle.inclusion_proof(leaves, size)


@given(st.integers(1, 100), st.integers(0, 60), st.data())
def test_consistency_proofs(old: int, more: int, draw: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(word(i)) for i in range(old + more)]
    a, b, path = merkle.root(leaves[:old]), merkle.root(leaves), merkle.consistency_proof(leaves, old)
    assert merkle.verify_consistency(old, old + more, a, b, path)
    changed = [merkle.leaf_hash(b"rewritten"), *leaves[1:]]
    assert not merkle.verify_consistency(old, old + more, a, merkle.root(changed), merkle.consistency_proof(changed, old))
    if path:
        at = draw.draw(st.integers(0, len(path) - 1))
        assert not merkle.verify_consistency(old, old + more, a, b, [*path[:at], word(7), *path[at + 1 :]])
        assert not merkle.verify_consistency(old, old + more, a, b, path[:-1])


@given(
    st.dictionaries(st.integers(1, 20), st.text(max_size=5) | st.integers(0, 9) | st.none(), max_size=20),
    st.integers(0, 2**20 - 1),
)
def test_a_cut_record_checks_and_hides(values: dict[int, object], mask: int) -> None:
    tree = RecordTree(word(1), 20, values, b"r" * 32)
    shown = tree.disclose(mask)
    assert verify_disclosure(shown, tree.commitment)
    assert "72" * 32 not in json.dumps(shown.to_json()), "the record salt must stay behind"
    assert set(shown.values) == {n for n in range(1, 21) if mask >> (n - 1) & 1}
    for n in list(shown.values)[:3]:
        assert not verify_disclosure(replace(shown, values={**shown.values, n: "forged"}), tree.commitment)
    other = RecordTree(word(1), 20, {**values, 1: "other"}, b"r" * 32)
    assert verify_disclosure(other.disclose(mask), tree.commitment) == (values.get(1) == "other")


@given(st.binary(min_size=256, max_size=256))
def test_entries_have_one_form(data: bytes) -> None:
    try:
        assert IndexEntry.unpack(data).pack() == data
    except Malformed:
        pass


@given(st.integers(1, 40), st.data())
def test_use_chain_spends_in_order_only(limit: int, draw: st.DataObject) -> None:
    seed, k = b"seed" * 8, draw.draw(st.integers(1, limit))
    shown = ids.use_preimage(seed, limit, k)
    before = ids.consent_id(seed, limit) if k == 1 else ids.use_preimage(seed, limit, k - 1)
    assert ids.chain(shown, 1) == before
    for bad in (0, limit + 1):
        with pytest.raises(Malformed):
            ids.use_preimage(seed, limit, bad)


def test_scope_index_is_the_scope() -> None:
    for row in vectors("scope")["valid"]:
        index = ScopeIndex.parse(raw(row["words"]))
        scope = Scope.from_document(row["document"])
        assert (index.subject, index.custodians, index.masks) == (scope.subject, scope.custodians, scope.fields)
