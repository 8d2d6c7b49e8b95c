"""The scope and the decision (docs/formats.md, 5 and 6)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .hashes import hmac_sm3
from .read import ALL_BITS, ZERO, Malformed, bytes_list, from_hex, integer, kind_word, number_in, part_of, word_of

PURPOSES = ("TREAT", "ETREAT", "CAREMGT", "HRESCH", "PATRQT", "FAMRQT", "HPAYMT", "HOPERAT", "HQUALIMP", "PUBHLTH")
CATEGORIES = (
    "summary",
    "encounter",
    "diagnosis",
    "laboratory",
    "vital-signs",
    "medication",
    "procedure",
    "immunization",
    "allergy",
    "clinical-note",
    "imaging",
    "checkup",
    "mental-health",
    "care-plan",
    "device",
    "social-history",
)
ROLES = ("physician", "nurse", "pharmacist", "technician", "researcher", "auditor", "administrator", "resident")
ETREAT, _PATRQT = 1, 4
REASONS = (
    "ok",
    "self",
    "request_malformed",
    "custodian_inactive",
    "organisation_inactive",
    "credential_invalid",
    "no_consent",
    "subject_mismatch",
    "revoked",
    "amended",
    "not_yet_valid",
    "expired",
    "uses_exhausted",
    "commitment_mismatch",
    "scope_malformed",
    "scope_state_mismatch",
    "grantee_mismatch",
    "purpose_not_granted",
    "category_not_granted",
    "custodian_not_granted",
    "record_not_granted",
    "fields_not_granted",
)
_TYPES = {"practitioner": 1, "organisation": 2, "role": 3, "link": 4}
_MODES = {"remote": 1, "on-site": 2, "proactive": 3}


def scope_words(scope: Any) -> bytes:
    """The words of a scope document."""
    if part_of(scope, "kind") != "healthtrust/consent-scope" or part_of(scope, "version") != 1:
        raise Malformed("not a consent scope of version 1")
    if not isinstance(part_of(scope, "onwardSharing"), bool):
        raise Malformed("onwardSharing")
    lists = [_scope_ids(part_of(scope, "custodians")), _scope_ids(part_of(scope, "records"))]
    masks = _scope_masks(part_of(scope, "fields"))
    counts = [len(items or ()) for items in (*lists, masks)]
    flags = sum(bit for bit, items in ((1, lists[0]), (2, lists[1]), (4, masks)) if items is None)
    grantee, purposes = part_of(scope, "grantee"), _bits(part_of(scope, "purposes"), PURPOSES)
    head = bytes([_TYPES[part_of(grantee, "type")], _MODES[part_of(scope, "mode")], int(part_of(scope, "onwardSharing")), 0])
    head += purposes.to_bytes(4, "big") + b"".join(n.to_bytes(2, "big") for n in counts) + bytes([flags]) + bytes(17)
    bound = part_of(grantee, "organisation")
    start, end, uses = (
        number_in(part_of(scope, "period", "start")),
        number_in(part_of(scope, "period", "end")),
        number_in(part_of(scope, "uses"), 2**32 - 1),
    )
    period = start.to_bytes(8, "big") + end.to_bytes(8, "big") + uses.to_bytes(4, "big") + bytes(12)
    given = part_of(scope, "categories")
    categories = ALL_BITS if given == "all" else _bits(given, CATEGORIES)
    pairs = [s + word_of(m) for s, m in sorted((masks or {}).items())]
    ids = [
        kind_word("healthtrust/scope/v1"),
        from_hex(part_of(scope, "subject")),
        head,
        from_hex(part_of(grantee, "id")),
        ZERO if bound is None else from_hex(bound),
    ]
    return b"".join([*ids, period, word_of(categories), *sorted(lists[0] or []), *sorted(lists[1] or []), *pairs])


def _scope_ids(value: Any) -> list[bytes] | None:
    return None if value == "all" else bytes_list(value, 32, 1024)


def _scope_masks(value: Any) -> dict[bytes, int] | None:
    if value == "all":
        return None
    if not isinstance(value, list):
        raise Malformed("fields")
    return {from_hex(part_of(f, "schema")): mask_of_elements(part_of(f, "elements")) for f in value}


def mask_of_elements(value: Any) -> int:
    if value == "all":
        return ALL_BITS
    if not isinstance(value, list):
        raise Malformed("elements")
    mask = 0
    for n in value:
        mask |= 1 << number_in(n, 256) - 1 if n else 0
    return mask


def _bits(codes: Any, known: tuple[str, ...]) -> int:
    if not isinstance(codes, list):
        raise Malformed("codes")
    bits = 0
    for code in codes:
        bits |= 1 << known.index(code)
    return bits


def decide(state: Any, q: Any, words: bytes, salt: bytes, time: int) -> tuple[int, int]:
    """(reason, fields) of docs/formats.md §6 for state and request as in the bundle."""
    ids = {n: from_hex(part_of(q, n)) for n in ("subject", "requester", "organisation", "custodian", "record", "schema")}
    purpose, category, role, asked = (
        number_in(part_of(q, "purpose")),
        number_in(part_of(q, "category")),
        number_in(part_of(q, "role")),
        integer(from_hex(part_of(q, "fields"))),
    )
    own = ids["requester"] == ids["subject"] and purpose == _PATRQT and ids["organisation"] == ZERO
    missing = any(v == ZERO for n, v in ids.items() if n != "organisation") or (ids["organisation"] == ZERO and not own)
    if purpose >= len(PURPOSES) or category >= len(CATEGORIES) or role >= len(ROLES) or asked == 0 or missing:
        return 2, 0
    if part_of(state, "custodian") != 1:
        return 3, 0
    if own:
        return 1, asked
    reason = _ledger_reason(state, ids, role, time)
    if reason == 0:
        reason = _scope_reason(state, ids, role, purpose, category, words, salt)
    fields = asked & _mask_of(words, ids["schema"]) if reason == 0 else 0
    return (reason, fields) if reason or fields else (21, 0)


def _ledger_reason(state: Any, ids: dict[str, bytes], role: int, time: int) -> int:
    if part_of(state, "organisation") != 1:
        return 4
    k, c = part_of(state, "credential"), part_of(state, "consent")
    in_force = part_of(k, "notBefore") <= time < part_of(k, "notAfter")
    if (
        part_of(k, "status") != 1
        or from_hex(part_of(k, "organisation")) != ids["organisation"]
        or not in_force
        or not part_of(k, "roles") >> role & 1
    ):
        return 5
    if part_of(c, "status") == 0:
        return 6
    if from_hex(part_of(c, "subject")) != ids["subject"]:
        return 7
    if part_of(c, "status") != 1:
        return 9 if part_of(c, "status") == 2 else 8
    if not part_of(c, "notBefore") <= time < part_of(c, "notAfter"):
        return 10 if time < part_of(c, "notBefore") else 11
    return 12 if 0 < part_of(c, "useLimit") <= part_of(c, "uses") else 0


def _scope_reason(state: Any, ids: dict[str, bytes], role: int, purpose: int, category: int, words: bytes, salt: bytes) -> int:
    c = part_of(state, "consent")
    if hmac_sm3(salt, words) != from_hex(part_of(c, "commitment")):
        return 13
    if not _is_scope(words):
        return 14
    period = (
        part_of(c, "notBefore").to_bytes(8, "big")
        + part_of(c, "notAfter").to_bytes(8, "big")
        + part_of(c, "useLimit").to_bytes(4, "big")
    )
    if words[32:64] != from_hex(part_of(c, "subject")) or words[160:180] != period:
        return 15
    kind, grantee, bound = words[64], words[96:128], words[128:160] in (ZERO, ids["organisation"])
    wanted = {1: ids["requester"], 2: ids["organisation"], 3: word_of(role), 4: ids["requester"]}[kind]
    if grantee != wanted or (kind in (1, 3) and not bound):
        return 16
    if not integer(words[68:72]) >> purpose & 1:
        return 17
    if not integer(words[192:224]) >> category & 1:
        return 18
    custodians, records, _ = _scope_lists(words)
    if not words[78] & 1 and ids["custodian"] not in custodians:
        return 19
    return 20 if not words[78] & 2 and ids["record"] not in records else 0


def _is_scope(words: bytes) -> bool:
    if len(words) < 224 or words[:32] != kind_word("healthtrust/scope/v1"):
        return False
    counts = [integer(words[at : at + 2]) for at in (72, 74, 76)]
    ranges = 1 <= words[64] <= 4 and 1 <= words[65] <= 3 and words[66] <= 1 and words[67] == 0 and words[78] <= 7
    if not ranges or any(words[79:96]) or any(words[180:192]) or len(words) != 224 + 32 * (counts[0] + counts[1] + 2 * counts[2]):
        return False
    lists = _scope_lists(words)
    sorted_ = all(a < b for items in lists for a, b in pairwise(items))
    return sorted_ and not any(n and words[78] >> i & 1 for i, n in enumerate(counts))


def _scope_lists(words: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
    a, b, c = (integer(words[at : at + 2]) for at in (72, 74, 76))
    items = [words[at : at + 32] for at in range(224, len(words), 32)]
    return items[:a], items[a : a + b], items[a + b : a + b + 2 * c : 2]


def _mask_of(words: bytes, schema: bytes) -> int:
    if words[78] & 4:
        return ALL_BITS
    custodians, records, schemas = _scope_lists(words)
    if schema not in schemas:
        return 0
    at = 224 + 32 * (len(custodians) + len(records) + 2 * schemas.index(schema) + 1)
    return integer(words[at : at + 32])
