"""The checks, one a line."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

from .canonical import canonical
from .decide import CATEGORIES, ETREAT, PURPOSES, REASONS, ROLES, decide, mask_of_elements, scope_words
from .ed25519 import ed25519_verify
from .evidence import SLOTS, Evidence, slot_in
from .hashes import hmac_sm3, sm3
from .ledger import read_evidence
from .merkle import included, leaf_hash, tree_root
from .read import ZERO, Malformed, Missing, bytes_list, from_hex, integer, kind_word, number_in, parse_json, part_of, word_of
from .sm2 import sm2_verify
from .x509 import Certificate, Signed


class Checks:
    """One method a line; each returns True or False, or raises Missing. Parsing that several lines share is done once, lazily."""

    def __init__(self, bundle: dict[str, Any], trust: Any) -> None:
        self.bundle = bundle
        self.trust = trust
        self.q = part_of(bundle, "decision", "request")
        self.state = part_of(bundle, "decision", "state")
        self.artefact = part_of(bundle, "consent", "artefact")
        self.entry = from_hex(part_of(bundle, "index", "entry"), 256)
        self.receipt = parse_json(part_of(bundle, "receipt", "json"))
        self.block = from_hex(part_of(bundle, "decision", "block"))
        self.own = bool(part_of(bundle, "decision", "reason") == "self")
        self.emergency = isinstance(self.artefact, dict) and self.artefact.get("kind") == "healthtrust/emergency-artefact"
        self._evidence: Evidence | None = None

    def asked(self, name: str) -> bytes:
        """An id of the decision's request."""
        return from_hex(part_of(self.q, name))

    def evidence(self) -> Evidence:
        """The ledger part, checked; Missing if there is none."""
        if self._evidence is None:
            ledger = part_of(self.bundle, "ledger")
            if ledger is None:
                raise Missing
            self._evidence = read_evidence(ledger)
        return self._evidence

    def record(self) -> bool:
        d = part_of(self.bundle, "record", "disclosure")
        count, values, salts, hashes = (
            number_in(part_of(d, "elementCount"), 256),
            part_of(d, "values"),
            part_of(d, "salts"),
            part_of(d, "hashes"),
        )
        numbers = [str(n) for n in range(1, count + 1)]
        if count < 1 or sorted([*values, *hashes]) != sorted(numbers) or values.keys() != salts.keys():
            return False
        leaves = [
            leaf_hash(int(n).to_bytes(2, "big") + from_hex(salts[n]) + canonical(values[n]))
            if n in values
            else from_hex(hashes[n])
            for n in numbers
        ]
        made = kind_word("healthtrust/record/v1") + from_hex(part_of(d, "schema")) + tree_root(leaves)
        return hmac_sm3(from_hex(part_of(d, "commitmentSalt")), made) == self.entry[128:160]

    def withheld(self) -> bool:
        permitted = integer(from_hex(part_of(self.bundle, "decision", "fields")))
        numbers = [int(n) for n in part_of(self.bundle, "record", "disclosure", "hashes")]
        return all(not permitted >> (n - 1) & 1 for n in numbers)

    def entry_matches(self) -> bool:
        record, e = part_of(self.bundle, "record"), self.entry
        schema = sm3(b"healthtrust/schema/v1\0" + canonical(part_of(record, "schema")))
        ids = (from_hex(part_of(record, "custodian")), from_hex(part_of(record, "id")), from_hex(part_of(record, "subject")))
        asked = (self.asked("custodian"), self.asked("record"), self.asked("subject"))
        category = e[236] == part_of(self.q, "category")
        schemas = {schema, e[160:192], self.asked("schema"), from_hex(part_of(record, "disclosure", "schema"))}
        elements = len(part_of(record, "schema", "elements")) == part_of(record, "disclosure", "elementCount")
        alive = e[237] == 0 and e[238:240] == b"\0\0"
        kind = e[:32] == kind_word("healthtrust/index-entry/v1")
        return kind and ids == asked == (e[32:64], e[64:96], e[96:128]) and len(schemas) == 1 and category and elements and alive

    def index(self) -> bool:
        part = part_of(self.bundle, "index")
        return _included(leaf_hash(self.entry), part_of(part, "proof"), from_hex(part_of(part, "root")))

    def request(self) -> bool:
        part = part_of(self.bundle, "request")
        base = part_of(part, "base")
        party = "subject" if self.own else "practitioner"
        expected = f"{party}:0x{self.asked('requester').hex()}"
        keyids = re.findall(r';keyid="([^"]*)"', base)
        signed = sm2_verify(from_hex(part_of(part, "publicKey"), 64), base.encode(), from_hex(part_of(part, "signature"), 64))
        return (
            signed
            and part_of(part, "keyid") == expected
            and keyids == [expected]
            and _receipt_has(self.receipt, "request", sm3(base.encode()))
        )

    def request_body(self) -> bool:
        body, base = part_of(self.bundle, "request", "body"), part_of(self.bundle, "request", "base")
        if body is None:
            raise Missing
        digest = f'\n"content-digest": sm3=:{base64.b64encode(sm3(body.encode())).decode()}:\n'
        document = parse_json(body)
        wanted = part_of(document, "request")
        ids = all(from_hex(part_of(wanted, n)) == self.asked(n) for n in ("subject", "record", "schema"))
        codes = (("purpose", PURPOSES), ("category", CATEGORIES), ("role", ROLES))
        same = all(known.index(part_of(wanted, n)) == part_of(self.q, n) for n, known in codes)
        count = number_in(part_of(self.bundle, "record", "disclosure", "elementCount"), 256)
        mask = _asked_mask(part_of(wanted, "fields"), count) == integer(self.asked("fields"))
        return digest in base and ids and same and mask and part_of(document, "consent") == part_of(self.receipt, "consent")

    def consent(self) -> bool:
        a = self.artefact
        if a is None:
            if self.own:
                raise Missing
            return False
        if self.emergency:
            return self._opened_by_two(a)
        if part_of(a, "kind") != "healthtrust/consent-artefact" or part_of(a, "version") != 1:
            return False
        scope, seed = part_of(a, "scope"), from_hex(part_of(a, "seed"))
        uses = number_in(part_of(scope, "uses"), 100_000)
        consent = seed
        for _ in range(max(1, uses)):
            consent = sm3(consent)
        words = scope_words(scope)
        message = from_hex(part_of(a, "message"), None)
        body = (
            from_hex(part_of(scope, "subject"))
            + consent
            + hmac_sm3(from_hex(part_of(a, "salt")), words)
            + words[160:180]
            + bytes(4)
        )
        kinds = {192: kind_word("healthtrust/consent-grant/v1"), 224: kind_word("healthtrust/consent-amend/v1")}
        shaped = len(message) in kinds and message[:32] == kinds[len(message)] and message[64:184] == body
        named = from_hex(part_of(a, "consent")) == consent and _receipt_has(self.receipt, "consent", consent)
        return (
            shaped and named and sm2_verify(from_hex(part_of(a, "publicKey"), 64), message, from_hex(part_of(a, "signature"), 64))
        )

    def _opened_by_two(self, a: Any) -> bool:
        """An emergency: two people of the requester's organisation signed this scope, for this reason, and one of them reads."""
        scope, seed, reason, minutes = (
            part_of(a, "scope"),
            from_hex(part_of(a, "seed")),
            part_of(a, "reason"),
            number_in(part_of(a, "minutes")),
        )
        words, id = scope_words(scope), sm3(seed)
        salt = hmac_sm3(seed, b"healthtrust/emergency-reason/v1\0" + reason.encode())
        message = from_hex(part_of(a, "message"), None)
        body = self.asked("organisation") + id + hmac_sm3(salt, words) + word_of(minutes)
        shaped = len(message) == 192 and message[:32] == kind_word("healthtrust/emergency-open/v1") and message[64:] == body
        named = (from_hex(part_of(a, "consent")), from_hex(part_of(a, "salt"))) == (id, salt) and _receipt_has(
            self.receipt, "consent", id
        )
        keys = {from_hex(part_of(s, "practitioner")): from_hex(part_of(s, "publicKey"), 64) for s in part_of(a, "signers")}
        two = len(part_of(a, "signers")) == 2 == len(keys) and keys[self.asked("requester")] == from_hex(
            part_of(self.bundle, "request", "publicKey"), 64
        )
        alone = words[64] == 1 and words[128:160] == self.asked("organisation") and integer(words[68:72]) == 1 << ETREAT
        signed = all(
            sm2_verify(from_hex(part_of(s, "publicKey"), 64), message, from_hex(part_of(s, "signature"), 64))
            for s in part_of(a, "signers")
        )
        return part_of(a, "version") == 1 and shaped and named and two and alone and signed

    def decision(self) -> bool:
        shown = part_of(self.bundle, "decision")
        words, salt = (
            (b"", ZERO)
            if self.artefact is None
            else (scope_words(part_of(self.artefact, "scope")), from_hex(part_of(self.artefact, "salt")))
        )
        reason, fields = decide(self.state, self.q, words, salt, number_in(part_of(shown, "time")))
        same = part_of(shown, "reason") == REASONS[reason] and integer(from_hex(part_of(shown, "fields"))) == fields
        return same and part_of(shown, "outcome") == "permit" and reason <= 1

    def fields(self) -> bool:
        permitted = integer(from_hex(part_of(self.bundle, "decision", "fields")))
        return all(permitted >> (int(n) - 1) & 1 for n in part_of(self.bundle, "record", "disclosure", "values"))

    def receipt_matches(self) -> bool:
        r, shown = self.receipt, part_of(self.bundle, "decision")
        ids = {
            "store": "custodian",
            "requester": "requester",
            "organisation": "organisation",
            "subject": "subject",
            "record": "record",
        }
        same = all(_receipt_has(r, name, self.asked(asked)) for name, asked in ids.items())
        copied = all(part_of(r, n) == part_of(shown, n) for n in ("outcome", "reason", "fields", "height", "block"))
        consent = part_of(r, "consent") == (None if self.artefact is None else part_of(self.artefact, "consent"))
        purpose = PURPOSES.index(part_of(r, "purpose")) == part_of(self.q, "purpose")
        kind = (
            part_of(r, "kind") == "healthtrust/receipt"
            and part_of(r, "version") == 1
            and part_of(r, "number") == part_of(self.bundle, "receipt", "number")
        )
        close = abs(number_in(part_of(r, "time")) - number_in(part_of(shown, "time"))) <= 3600
        return (
            kind
            and same
            and copied
            and consent
            and purpose
            and close
            and canonical(r).decode() == part_of(self.bundle, "receipt", "json")
        )

    def receipt_content(self) -> bool:
        salt, values = (
            from_hex(part_of(self.bundle, "record", "digestSalt")),
            part_of(self.bundle, "record", "disclosure", "values"),
        )
        return _receipt_has(self.receipt, "digest", hmac_sm3(salt, canonical(values)))

    def _receipt_leaf(self) -> bytes:
        part = part_of(self.bundle, "receipt")
        return leaf_hash(hmac_sm3(from_hex(part_of(part, "salt")), part_of(part, "json").encode()))

    def receipt_group(self) -> bool:
        part, group = part_of(self.bundle, "receipt"), part_of(self.bundle, "receipt", "group")
        first, size, root = (
            number_in(part_of(group, "first")),
            number_in(part_of(group, "treeSize"), 2**32 - 1),
            from_hex(part_of(group, "root")),
        )
        packed = first.to_bytes(8, "big") + size.to_bytes(4, "big") + bytes(20)
        message = kind_word("healthtrust/receipts/v1") + self.asked("custodian") + root + packed
        placed = first + number_in(part_of(group, "leafIndex")) == part_of(part, "number") and _included(
            self._receipt_leaf(), group, root
        )
        return placed and sm2_verify(
            from_hex(part_of(self.bundle, "custodianKey"), 64), message, from_hex(part_of(part, "signature"), 64)
        )

    def receipt_anchor(self) -> bool:
        anchor = part_of(self.bundle, "receipt", "anchor")
        if anchor is None:
            raise Missing
        return _included(self._receipt_leaf(), anchor, from_hex(part_of(anchor, "root")))

    def ledger_index(self) -> bool:
        part = part_of(self.bundle, "index")
        at = slot_in(word_of(number_in(part_of(part, "batch"))), slot_in(self.asked("custodian"), SLOTS["batches"]))
        evidence = self.evidence()
        root, packed = evidence.get("DataIndex", self.block, at), integer(evidence.get("DataIndex", self.block, at + 1))
        first, count = packed & 2**64 - 1, packed >> 64 & 2**32 - 1
        place = first + number_in(part_of(part, "proof", "leafIndex")) == integer(self.entry[224:232]) and count == part_of(
            part, "proof", "treeSize"
        )
        return root == from_hex(part_of(part, "root")) and place

    def ledger_consent(self) -> bool:
        evidence, c = self.evidence(), part_of(self.state, "consent")
        if self.artefact is None:
            return self.own
        if self.emergency:
            return self._ledger_emergency(evidence, c)
        at = slot_in(from_hex(part_of(self.artefact, "consent")), SLOTS["consents"])
        subject, commitment, packed = (evidence.get("Consent", self.block, at + i) for i in range(3))
        numbers = _unpack(integer(packed), 64, 64, 32, 32, 56, 8)
        shown = [part_of(c, n) for n in ("notBefore", "notAfter", "useLimit", "uses")]
        return (
            [subject, commitment] == [from_hex(part_of(c, "subject")), from_hex(part_of(c, "commitment"))]
            and numbers[:4] == shown
            and numbers[5] == part_of(c, "status")
        )

    def _ledger_emergency(self, evidence: Evidence, c: Any) -> bool:
        """The requester's organisation had opened it, its minutes were not over, and nobody had called it unjustified."""
        at = slot_in(from_hex(part_of(self.artefact, "consent")), SLOTS["emergencies"])
        organisation, commitment, packed = (evidence.get("Access", self.block, at + i) for i in range(3))
        ends_at, _, outcome = _unpack(integer(packed), 64, 64, 8)
        held = organisation == self.asked("organisation") and commitment == from_hex(part_of(c, "commitment"))
        return (
            held and number_in(part_of(self.bundle, "decision", "time")) < ends_at and outcome != 2 and part_of(c, "status") == 1
        )

    def ledger_members(self) -> bool:
        def status(organisation: bytes) -> int:
            return self.evidence().get("Alliance", self.block, slot_in(organisation, SLOTS["organisations"]))[31]

        custodian = status(self.asked("custodian")) == part_of(self.state, "custodian")
        return custodian and (self.own or status(self.asked("organisation")) == part_of(self.state, "organisation"))

    def ledger_credential(self) -> bool:
        evidence, key, k = (
            self.evidence(),
            from_hex(part_of(self.bundle, "request", "publicKey"), 64),
            part_of(self.state, "credential"),
        )
        if self.own:
            at = slot_in(self.asked("requester"), SLOTS["keys"])
            return evidence.get("Identity", self.block, at) + evidence.get("Identity", self.block, at + 1) == key
        at = slot_in(self.asked("requester"), SLOTS["credentials"])
        organisation, x, y, packed = (evidence.get("Identity", self.block, at + i) for i in range(4))
        shown = [part_of(k, n) for n in ("notBefore", "notAfter", "roles", "status")]
        return (
            x + y == key
            and organisation == from_hex(part_of(k, "organisation"))
            and _unpack(integer(packed), 64, 64, 32, 8) == shown
        )

    def ledger_subject(self) -> bool:
        if self.artefact is None or self.emergency:
            raise Missing
        at = slot_in(self.asked("subject"), SLOTS["keys"])
        evidence = self.evidence()
        key = evidence.get("Identity", self.block, at) + evidence.get("Identity", self.block, at + 1)
        if key != from_hex(part_of(self.artefact, "publicKey"), 64):
            raise Missing
        return True

    def ledger_custodian(self) -> bool:
        at = slot_in(self.asked("custodian"), SLOTS["organisations"])
        evidence = self.evidence()
        return evidence.get("Alliance", self.block, at + 1) + evidence.get("Alliance", self.block, at + 2) == from_hex(
            part_of(self.bundle, "custodianKey"), 64
        )

    def ledger_receipt(self) -> bool:
        anchor = part_of(self.bundle, "receipt", "anchor")
        if anchor is None:
            raise Missing
        at = slot_in(word_of(number_in(part_of(anchor, "batch"))), slot_in(self.asked("custodian"), SLOTS["receipts"]))
        evidence = self.evidence()
        root, packed = evidence.get("Access", None, at), integer(evidence.get("Access", None, at + 1))
        first, count = packed & 2**64 - 1, packed >> 64 & 2**32 - 1
        place = first + number_in(part_of(anchor, "leafIndex")) == part_of(self.bundle, "receipt", "number") and count == part_of(
            anchor, "treeSize"
        )
        return root == from_hex(part_of(anchor, "root")) and place

    def ledger_time(self) -> bool:
        evidence = self.evidence()
        if self.block not in evidence.times:
            raise Missing
        shown = part_of(self.bundle, "decision")
        return (evidence.times[self.block], evidence.heights[self.block]) == (part_of(shown, "time"), part_of(shown, "height"))

    def trusted(self) -> bool:
        evidence, ledger = self.evidence(), part_of(self.bundle, "ledger")
        if self.trust is None:
            raise Missing
        if part_of(self.trust, "kind") != "healthtrust/checkpoint" or part_of(self.trust, "version") != 1:
            raise Malformed("not a checkpoint")
        fabric = evidence.endorsed is not None
        for name in ("channel", "chaincode", "ledgerId") if fabric else ("chainId", "ledgerId"):
            if part_of(self.trust, name) != part_of(ledger, name):
                return False
        used = {name for name, _ in evidence.words}
        if any(part_of(ledger, "contracts", name) != part_of(self.trust, "contracts", name) for name in used):
            return False
        reached: set[bytes] = set()
        signed = ordered_blocks(evidence, self.trust) if fabric else signed_blocks(evidence, self.trust)
        for block in [*bytes_list(part_of(self.trust, "blocks"), 32, 1_000_000), *signed]:
            while block not in reached:
                reached.add(block)
                block = evidence.parents.get(block, block)
        if not evidence.resting | {self.block} <= reached or not endorsed_by_most(evidence, self.trust):
            raise Missing
        signed_for = "Access" if self.emergency else "Consent"
        if fabric:
            contract = sm3(f"{part_of(ledger, 'channel')}\0{part_of(ledger, 'chaincode')}.{signed_for}".encode())
        else:
            contract = from_hex(part_of(ledger, "contracts", signed_for), 20).rjust(32, b"\0")
        domain = sm3(kind_word("healthtrust/domain/v1") + from_hex(part_of(ledger, "ledgerId")) + contract)
        return self.artefact is None or from_hex(part_of(self.artefact, "message"), None)[32:64] == domain


def signed_blocks(evidence: Evidence, trust: Any) -> list[bytes]:
    """Blocks that validators of the checkpoint with more than two thirds of their power have signed."""
    if not evidence.commits or "validators" not in trust:
        return []
    chain = part_of(trust, "chain").encode()
    powers = {from_hex(part_of(one, "key")): number_in(part_of(one, "power"), 2**60) for one in part_of(trust, "validators")}
    found = []
    for block, votes in evidence.commits.items():
        signed = [key for key, (said, signature) in votes.items() if key in powers and ed25519_verify(key, said, signature)]
        if evidence.chains[block] == chain and 3 * sum(powers[key] for key in signed) > 2 * sum(powers.values()):
            found.append(block)
    return found


def endorsed_by_most(evidence: Evidence, trust: Any) -> bool:
    """Whether peers of more than half of the checkpoint's members endorsed the reading; True where nothing rests on one."""
    if evidence.endorsed is None:
        return True
    members = part_of(trust, "members")
    return 2 * len(_known(evidence.endorsed.endorsers, members, b"peer", evidence)) > len(members)


def ordered_blocks(evidence: Evidence, trust: Any) -> list[bytes]:
    """Blocks signed by as many of the checkpoint's orderers as it asks for."""
    orderers, needed = part_of(trust, "orderers"), number_in(part_of(trust, "signatures"))
    found = evidence.orderers.items()
    return [block for block, signed in found if len(_known(signed, orderers, b"orderer", evidence)) >= max(1, needed)]


def _known(signed: list[Signed], organisations: Any, unit: bytes, evidence: Evidence) -> set[str]:
    """Organisations of the checkpoint among the signers: the certificate is of one of their roots, for that kind of node, and was
    valid at the decision."""
    now = time.strftime("%Y%m%d%H%M%S", time.gmtime(max(evidence.times.values())))
    found = set()
    for one in signed:
        roots = [Certificate.read(from_hex(root, None)) for root in organisations.get(one.msp, [])]
        first, last = one.certificate.period
        if unit in one.certificate.units and first <= now <= last and one.certificate.issued_by(roots):
            found.add(one.msp)
    return found


def _included(leaf: bytes, proof: Any, root: bytes) -> bool:
    index, size = number_in(part_of(proof, "leafIndex")), number_in(part_of(proof, "treeSize"))
    return included(leaf, index, size, bytes_list(part_of(proof, "hashes"), 32, 64), root)


def _asked_mask(fields: Any, count: int) -> int:
    """Mask of a request's ``fields``: "all", element numbers, or the mask itself."""
    if fields == "all":
        return (1 << count) - 1
    return mask_of_elements(fields) if isinstance(fields, list) else integer(from_hex(fields))


def _receipt_has(receipt: Any, name: str, value: bytes) -> bool:
    return bool(part_of(receipt, name) == "0x" + value.hex())


def _unpack(value: int, *widths: int) -> list[int]:
    """Fields of a packed storage word, lowest first."""
    fields = []
    for width in widths:
        fields.append(value & (1 << width) - 1)
        value >>= width
    return fields
