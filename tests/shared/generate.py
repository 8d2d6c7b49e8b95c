"""Writes the vector files beside it, the same bytes every time: ``python tests/shared/generate.py``.

Published examples (GB/T, RFC) stand here as constants and are checked against both engines before anything is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import bundles  # noqa: E402
import decisions  # noqa: E402
import trees  # noqa: E402
import verdicts  # noqa: E402

from core import artefact, crypto, httpsig, ids, merkle  # noqa: E402
from core.canonical import canonical  # noqa: E402
from core.crypto import encoding, port  # noqa: E402
from core.crypto.engines.reference import ReferenceEngine, sign_with_nonce  # noqa: E402
from core.decision import Outcome  # noqa: E402
from core.entry import IndexEntry  # noqa: E402
from core.messages import (  # noqa: E402
    AllianceProposal,
    AllianceVote,
    ConsentAmend,
    ConsentGrant,
    ConsentRevoke,
    KeyAttest,
    KeyBind,
    KeyRotate,
    LedgerAccount,
    OrganisationKey,
    OrganisationLeave,
    Terms,
    domain,
    fabric_contract,
)
from core.receipt import Receipt, batch_root, salted_leaf  # noqa: E402
from core.record import RecordTree, element_salt  # noqa: E402
from core.scope import ALL_BITS, Grantee, Scope, use_chain  # noqa: E402
from core.words import ZERO, kind_word, u64, word  # noqa: E402

SM3_EXAMPLES = {  # GB/T 32905-2016, annex A
    b"abc".hex(): "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    (b"abcd" * 16).hex(): "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
}
SM2_EXAMPLE = {  # GB/T 32918.5-2017, annexes A and C
    "private": "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8",
    "public": "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
    "nonce": "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21",
    "message": b"message digest".hex(),
    "z": "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3",
    "e": "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640",
    "signature": "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
    "plain": b"encryption standard".hex(),
    "cipher": "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
    "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
    "21886ca989ca9c7d58087307ca93092d651efa",
}
SM4_EXAMPLE = {  # GB/T 32907-2016, annex A
    "key": "0123456789abcdeffedcba9876543210",
    "plain": "0123456789abcdeffedcba9876543210",
    "cipher": "681edf34d206965e86b3e94f536e4246",
}
SM4_GCM_EXAMPLE = {  # RFC 8998, appendix A.1
    "key": "0123456789abcdeffedcba9876543210",
    "iv": "00001234567800000000abcd",
    "aad": "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    "plain": "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
    "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
    "cipher": "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec",
}


def seeded(label: str) -> bytes:
    """32 fixed bytes."""
    return crypto.sm3(b"healthtrust vector " + label.encode())


def key(label: str) -> bytes:
    """A fixed private key."""
    return (int.from_bytes(seeded("key " + label), "big") % (encoding.N - 2) + 1).to_bytes(32, "big")


class FixedNonces(ReferenceEngine):
    """The reference engine with nonces derived from the input, so that files come out the same. Never for real keys."""

    def sm2_sign(self, private: bytes, message: bytes, uid: bytes = port.USER_ID) -> bytes:
        e = self._digest(self.sm2_public(private), message, uid)
        k = int.from_bytes(self.hmac_sm3(private, uid + message), "big") % (encoding.N - 1) + 1
        return sign_with_nonce(encoding.check_private(private), e, k) or b""

    def sm2_encrypt(self, public: bytes, plain: bytes) -> bytes:
        k = int.from_bytes(self.hmac_sm3(plain, public), "big") % (encoding.N - 1) + 1
        return self.encrypt_with_nonce(public, plain, k) or b""


def sm3_file() -> Any:
    for engine in (crypto.load("openssl"), crypto.load("reference")):
        for message, digest in SM3_EXAMPLES.items():
            _same(engine.sm3(bytes.fromhex(message)).hex(), digest)
    lengths = [bytes(i * 7 % 256 for i in range(n)) for n in range(201)]
    keys = [b"", b"k", seeded("hmac"), seeded("hmac") * 2, seeded("hmac") * 2 + b"x", seeded("hmac") * 5]
    return {
        "examples": [{"message": m, "digest": d} for m, d in SM3_EXAMPLES.items()],
        "lengths": [{"message": m.hex(), "digest": crypto.sm3(m).hex()} for m in lengths],
        "hmac": [{"key": k.hex(), "message": m.hex(), "mac": crypto.hmac_sm3(k, m).hex()} for k in keys for m in lengths[::67]],
    }


def sm4_file() -> Any:
    reference = crypto.load("reference")
    k, plain = bytes.fromhex(SM4_EXAMPLE["key"]), bytes.fromhex(SM4_EXAMPLE["plain"])
    for engine in (crypto.load("openssl"), reference):
        _same(engine.sm4_ctr(k, plain, bytes(16)).hex(), SM4_EXAMPLE["cipher"])
        g = {name: bytes.fromhex(v) for name, v in SM4_GCM_EXAMPLE.items()}
        _same(engine.sm4_gcm_encrypt(g["key"], g["iv"], g["plain"], g["aad"]).hex(), SM4_GCM_EXAMPLE["cipher"])
    gcm, ctr = [SM4_GCM_EXAMPLE], []
    for size in (0, 1, 15, 16, 17, 31, 32, 33, 64, 100):
        p, k, iv, aad = seeded("p") * 4, seeded(f"k{size}")[:16], seeded(f"i{size}")[:12], seeded("aad")[: size % 33]
        cipher = reference.sm4_gcm_encrypt(k, iv, p[:size], aad)
        gcm.append({"key": k.hex(), "iv": iv.hex(), "aad": aad.hex(), "plain": p[:size].hex(), "cipher": cipher.hex()})
        start = b"\xff" * 16 if size == 33 else seeded(f"c{size}")[:16]
        ctr.append(
            {"key": k.hex(), "iv": start.hex(), "plain": p[:size].hex(), "cipher": reference.sm4_ctr(k, start, p[:size]).hex()}
        )
    return {"block": SM4_EXAMPLE, "gcm": gcm, "ctr": ctr}


def sm2_file() -> Any:
    x = {name: bytes.fromhex(v) for name, v in SM2_EXAMPLE.items()}
    _same(
        sign_with_nonce(int(SM2_EXAMPLE["private"], 16), int(SM2_EXAMPLE["e"], 16), int(SM2_EXAMPLE["nonce"], 16)), x["signature"]
    )
    _same(encoding.sm2_z(x["public"]).hex(), SM2_EXAMPLE["z"])
    _same(ReferenceEngine().encrypt_with_nonce(x["public"], x["plain"], int(SM2_EXAMPLE["nonce"], 16)), x["cipher"])
    for engine in (crypto.load("openssl"), crypto.load("reference")):
        _same(engine.sm2_public(x["private"]), x["public"])
        _same(engine.sm2_verify(x["public"], x["message"], x["signature"]), True)
        _same(engine.sm2_decrypt(x["private"], x["cipher"]), x["plain"])
    uids = [port.USER_ID, b"ALICE123@YAHOO.COM", b"x" * 200, "居民".encode()]  # an empty id means the default one to some
    signatures = [_signature(f"s{i}", uids[i % 4], bytes(range(i * 13 % 256))) for i in range(16)]
    return {
        "example": SM2_EXAMPLE,
        "signatures": signatures,
        "invalid": _invalid(signatures[0]),
        "badPublicKeys": _bad_keys(x["public"]),
        "badPrivateKeys": [
            v.hex() for v in (bytes(32), word(encoding.N), word(encoding.N - 1), word(ALL_BITS), b"\1" * 31, b"\1" * 33)
        ],
        "badDer": _bad_der(encoding.raw_to_der(bytes.fromhex(signatures[0]["signature"]))),
        "encryption": [_encryption(f"e{n}", seeded("plain") * 3, n) for n in (1, 16, 31, 32, 33, 90)],
        "badCiphers": _bad_ciphers(x["private"], x["cipher"]),
    }


def _signature(label: str, uid: bytes, message: bytes) -> dict[str, str]:
    private = key(label)
    public, signature = crypto.sm2_public(private), crypto.sm2_sign(private, message, uid)
    return {
        "private": private.hex(),
        "public": public.hex(),
        "compressed": encoding.compress(public).hex(),
        "uncompressed": encoding.uncompressed(public).hex(),
        "uid": uid.hex(),
        "message": message.hex(),
        "z": encoding.sm2_z(public, uid).hex(),
        "signature": signature.hex(),
        "der": encoding.raw_to_der(signature).hex(),
    }


def _invalid(good: dict[str, str]) -> list[dict[str, str]]:
    signature, n = bytes.fromhex(good["signature"]), encoding.N
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    pairs = {
        "r = 0": (0, s),
        "s = 0": (r, 0),
        "r = n": (n, s),
        "s = n": (r, n),
        "r + n": (r + n, s),
        "s + n": (r, s + n),
        "r + s = n": (r, n - r),
        "all ones": (ALL_BITS, ALL_BITS),
        "swapped": (s, r),
        "-s": (r, n - s),
        "r + 1": (r + 1, s),
        "s + 1": (r, s + 1),
        "1, 1": (1, 1),
        "n-1, n-1": (n - 1, n - 1),
        "0, 0": (0, 0),
    }
    rows = [{"why": why, "signature": (word(a % 2**256) + word(b % 2**256)).hex()} for why, (a, b) in pairs.items()]
    rows += [
        {"why": f"bit {b} flipped", "signature": (int.from_bytes(signature, "big") ^ 1 << b).to_bytes(64, "big").hex()}
        for b in (0, 255, 256, 511)
    ]
    rows += [
        {"why": "short", "signature": signature[:-1].hex()},
        {"why": "long", "signature": signature.hex() + "00"},
        {"why": "empty", "signature": ""},
    ]
    return [{"public": good["public"], "uid": good["uid"], "message": good["message"], **row} for row in rows]


def _bad_keys(public: bytes) -> list[dict[str, str]]:
    x, y, p = public[:32], public[32:], encoding.P
    x_plus_p = word((int.from_bytes(x, "big") + p) % 2**256)
    no_root = next(i for i in range(1, 99) if pow(i**3 + encoding.A * i + encoding.B, (p - 1) // 2, p) != 1)
    rows = {
        "off curve": x + word(int.from_bytes(y, "big") ^ 1),
        "zero": bytes(64),
        "x = p": word(p) + y,
        "x + p": x_plus_p + y,
        "swapped": y + x,
        "63 bytes": public[1:],
        "65 bytes, prefix 05": b"\5" + public,
        "hybrid prefix": b"\6" + public,
        "x has no y": b"\2" + word(no_root),
        "compressed prefix 04": b"\4" + x,
        "infinity": b"\0",
        "empty": b"",
        "all ones": b"\xff" * 64,
    }
    return [{"why": why, "key": data.hex()} for why, data in rows.items()]


def _bad_der(der: bytes) -> list[dict[str, str]]:
    r_size = der[3]
    rows = {
        "trailing byte": der + b"\0",
        "cut": der[:-1],
        "long form length": der[:1] + b"\x81" + der[1:],
        "not a sequence": b"\x31" + der[1:],
        "inner length": der[:3] + bytes([r_size + 1]) + der[4:],
        "empty": b"",
        "three integers": bytes([0x30, der[1] + 3]) + der[2:] + b"\2\1\1",
        "padded": bytes([0x30, der[1] + 1, 2, r_size + 1, 0]) + der[4:],
        "negative": b"\x30\x06\x02\x01\x80\x02\x01\x01",
    }
    return [{"why": why, "der": data.hex()} for why, data in rows.items()]


def _encryption(label: str, data: bytes, size: int) -> dict[str, str]:
    private = key(label)
    public = crypto.sm2_public(private)
    return {
        "private": private.hex(),
        "public": public.hex(),
        "plain": data[:size].hex(),
        "cipher": crypto.sm2_encrypt(public, data[:size]).hex(),
    }


def _bad_ciphers(private: bytes, cipher: bytes) -> list[dict[str, str]]:
    rows = {
        f"byte {at} changed": cipher[:at] + bytes([cipher[at] ^ 1]) + cipher[at + 1 :]
        for at in (0, 1, 64, 65, 96, 97, len(cipher) - 1)
    }
    rows |= {"cut": cipher[:-1], "no text": cipher[:97], "empty": b"", "C1 zero": b"\4" + bytes(64) + cipher[65:]}
    return [{"why": why, "private": private.hex(), "cipher": data.hex()} for why, data in rows.items()]


def merkle_file() -> Any:
    data = [seeded(f"leaf {i}")[: i % 33] for i in range(70)]
    leaves = merkle.leaf_hashes(data)
    sizes = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 70)
    pairs = [(a, b) for b in (1, 2, 3, 7, 8, 9, 33, 64, 70) for a in (1, 2, 3, 4, 6, 7, 8, 31, 32, 63, 64, 70) if a <= b]
    return {
        "data": [d.hex() for d in data],
        "leafHashes": [h.hex() for h in leaves],
        "roots": [{"size": n, "root": merkle.root(leaves[:n]).hex()} for n in sizes],
        "inclusion": [
            {"size": n, "index": i, "hashes": [h.hex() for h in merkle.inclusion_proof(leaves[:n], i)]}
            for n in sizes[1:]
            for i in sorted({0, 1, n // 2, n - 2, n - 1} & set(range(n)))
        ],
        "consistency": [
            {"old": a, "new": b, "hashes": [h.hex() for h in merkle.consistency_proof(leaves[:b], a)]} for a, b in pairs
        ],
    }


def canonical_file() -> Any:
    values: list[Any] = [
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e21,
        1e-7,
        333333333.33333329,
        4.50,
        2e-3,
        0.000000000000000000000000001,
        -0.0,
        2**53 - 1,
        -(2**53) + 1,
        "",
        "汉字",
        "\u20ac$\u000f\nA'\u0042\u0022\u005c\\\"/",
        "e\u0301",
        "\U0001f600",
        [],
        {},
        [56, {"d": True, "10": None, "1": []}],
        {
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\U0001f600": "Smiley",
            "\u0080": "c",
            "\u00f6": "o",
        },
        {"b": 1, "a": {"z": [1, 2, {"y": "\u0000"}]}},
        {"e\u0301": 1},
        [[[[]]]],
        "\u2028\u2029",
        {"": 0},
    ]
    return {
        "valid": [{"json": json.dumps(v, ensure_ascii=True), "canonical": canonical(v).hex()} for v in values],
        "invalid": [
            "NaN",
            "Infinity",
            "-Infinity",
            "9007199254740993",
            "-9007199254740993",
            '"\\ud800"',
            '{"\\udc00": 1}',
            '{"e\\u0301": 1, "\\u00e9": 2}',
        ],
    }


def messages_file() -> Any:
    ledger, contract = seeded("ledger"), seeded("contract")[:20]
    d, subject, public = domain(ledger, contract), seeded("subject"), crypto.sm2_public(key("new"))
    consent, commitment, terms = seeded("consent"), seeded("commitment"), Terms(1_790_000_000, 1_810_000_000, 3, 7)
    messages = {
        "key-bind": KeyBind(d, subject, public),
        "key-attest": KeyAttest(d, subject, public),
        "key-rotate": KeyRotate(d, subject, public, 7),
        "consent-grant": ConsentGrant(d, subject, consent, commitment, terms),
        "consent-amend": ConsentAmend(d, subject, consent, commitment, terms, seeded("old")),
        "consent-revoke": ConsentRevoke(d, subject, consent, 7),
    }
    organisation, account = seeded("organisation"), seeded("account")[:20]
    of_organisations = {
        "organisation-key": OrganisationKey(d, organisation, public, 7),
        "alliance-leave": OrganisationLeave(d, organisation, 7),
        "ledger-account": LedgerAccount(d, organisation, account, True, 7),
        "alliance-proposal": AllianceProposal(d, organisation, 5, seeded("arguments"), 7),
        "alliance-vote": AllianceVote(d, organisation, 3, 5, seeded("arguments")),
    }
    signer = key("signer")

    def signed(all_: Mapping[str, Any]) -> dict[str, Any]:
        return {n: {"bytes": _x(m.pack()), "signature": _x(crypto.sm2_sign(signer, m.pack()))} for n, m in all_.items()}

    return {
        "ledgerId": _x(ledger),
        "contract": _x(contract),
        "domain": _x(d),
        "subject": _x(subject),
        "publicKey": _x(public),
        "fabric": {
            "channel": "alliance",
            "chaincode": "consent",
            "contract": _x(fabric_contract("alliance", "consent")),
            "domain": _x(domain(ledger, fabric_contract("alliance", "consent"))),
        },
        "consent": _x(consent),
        "commitment": _x(commitment),
        "old": _x(seeded("old")),
        "notBefore": terms.not_before,
        "notAfter": terms.not_after,
        "useLimit": terms.use_limit,
        "nonce": terms.nonce,
        "packed": _x(terms.pack()),
        "signer": {"private": _x(signer), "publicKey": _x(crypto.sm2_public(signer))},
        "messages": signed(messages),
        "organisation": _x(organisation),
        "account": _x(account),
        "arguments": _x(seeded("arguments")),
        "organisationMessages": signed(of_organisations),
    }


def words_file() -> Any:
    k, seed = seeded("key"), seeded("seed")
    document = {"kind": "healthtrust/schema", "code": "例", "elements": [{"n": 1}]}
    return {
        "kinds": [
            {"name": n, "word": _x(kind_word(n))} for n in ("healthtrust/scope/v1", "healthtrust/consent-grant/v1", "a" * 32)
        ],
        "numbers": [{"value": str(v), "word": _x(word(v)), "u64": _x(u64(v))} for v in (0, 1, 255, 256, 2**53, 2**64 - 1)],
        "ids": {
            "ledger": {"name": "静安区医疗联盟", "random": _x(seed), "id": _x(ids.ledger_id("静安区医疗联盟", seed))},
            "organisation": {"code": "TEST-SZXYY", "id": _x(ids.organisation_id("TEST-SZXYY"))},
            "subject": {
                "key": _x(k),
                "system": "urn:oid:2.16.156.112604",
                "value": "11010519491231002X",
                "id": _x(ids.subject_id(k, "urn:oid:2.16.156.112604", "11010519491231002X")),
            },
            "practitioner": {"key": _x(k), "licence": "110110000000001", "id": _x(ids.practitioner_id(k, "110110000000001"))},
            "schema": {"document": document, "id": _x(ids.schema_id(document))},
            "record": {"key": _x(k), "system": "lis", "value": "R-1", "id": _x(ids.record_id(k, "lis", "R-1"))},
            "lookup": {
                "key": _x(k),
                "number": " 11010519491231002x ",
                "normal": "11010519491231002X",
                "id": _x(ids.lookup(k, "11010519491231002x")),
            },
        },
        "useChains": [
            {
                "seed": _x(seed),
                "uses": n,
                "consent": _x(ids.consent_id(seed, n)),
                "spends": [_x(w) for w in use_chain(seed, n)[1:]],
            }
            for n in (0, 1, 2, 5)
        ],
    }


def _scopes() -> list[Scope]:
    subject, doctor, hospital = seeded("subject"), seeded("doctor"), seeded("hospital")
    a, b, c = (seeded(x) for x in "abc")
    every = dict(start=1_790_000_000, end=1_810_000_000)
    return [
        Scope(subject, Grantee("practitioner", doctor), frozenset({0}), **every),
        Scope(
            subject,
            Grantee("practitioner", doctor, hospital),
            frozenset({0, 2}),
            **every,
            categories=frozenset({3, 5}),
            custodians=frozenset({a, b, c}),
            records=frozenset({a, b}),
            fields={b: 0b1000011, a: ALL_BITS, c: 1 << 255},
            uses=3,
            onward_sharing=True,
            mode="on-site",
        ),
        Scope(
            subject,
            Grantee("organisation", hospital),
            frozenset(range(10)),
            **every,
            categories=frozenset(range(16)),
            mode="proactive",
        ),
        Scope(subject, Grantee.role(1, hospital), frozenset({1}), **every, custodians=frozenset({a})),
        Scope(subject, Grantee.role(0), frozenset({9}), start=0, end=1, fields={a: 1}),
        Scope(subject, Grantee("link", doctor), frozenset({5}), **every, uses=2**32 - 1, records=frozenset({c})),
    ]


def scope_file() -> Any:
    salt = seeded("salt")
    good = _scopes()
    changes: dict[str, tuple[tuple[str, ...], Any]] = {
        "version 2": (("version",), 2),
        "version true": (("version",), True),
        "other kind": (("kind",), "scope"),
        "unknown member": (("note",), "x"),
        "upper-case hex": (("subject",), "0x" + "AB" * 32),
        "short id": (("subject",), "0x00"),
        "zero subject": (("subject",), _x(ZERO)),
        "unknown purpose": (("purposes",), ["SELL"]),
        "no purpose": (("purposes",), []),
        "purpose twice": (("purposes",), ["TREAT", "TREAT"]),
        "purposes all": (("purposes",), "all"),
        "unknown category": (("categories",), ["x"]),
        "empty categories": (("categories",), []),
        "categories null": (("categories",), None),
        "custodian twice": (("custodians",), [_x(salt)] * 2),
        "empty records": (("records",), []),
        "period backwards": (("period",), {"start": 2, "end": 1}),
        "period empty": (("period",), {"start": 2, "end": 2}),
        "period text": (("period",), {"start": "1", "end": 2}),
        "negative": (("period",), {"start": -1, "end": 2}),
        "fraction": (("period",), {"start": 1.5, "end": 2}),
        "uses negative": (("uses",), -1),
        "uses too many": (("uses",), 2**32),
        "uses true": (("uses",), True),
        "onward 1": (("onwardSharing",), 1),
        "mode unknown": (("mode",), "always"),
        "grantee type": (("grantee", "type"), "anyone"),
        "grantee zero": (("grantee", "id"), _x(ZERO)),
        "grantee member missing": (("grantee",), {"type": "link", "id": _x(salt)}),
        "element 0": (("fields",), [{"schema": _x(salt), "elements": [0]}]),
        "element 257": (("fields",), [{"schema": _x(salt), "elements": [257]}]),
        "no elements": (("fields",), [{"schema": _x(salt), "elements": []}]),
        "element twice": (("fields",), [{"schema": _x(salt), "elements": [1, 1]}]),
        "element true": (("fields",), [{"schema": _x(salt), "elements": [True]}]),
        "schema twice": (("fields",), [{"schema": _x(salt), "elements": [1]}, {"schema": _x(salt), "elements": [2]}]),
    }
    invalid = [{"why": why, "document": _changed(good[0].to_document(), path, value)} for why, (path, value) in changes.items()]
    missing = [
        {"why": f"no {k}", "document": {n: v for n, v in good[0].to_document().items() if n != k}} for k in good[0].to_document()
    ]
    return {
        "salt": _x(salt),
        "valid": [{"document": s.to_document(), "words": _x(s.words()), "commitment": _x(s.commitment(salt))} for s in good],
        "invalid": invalid + missing,
    }


def _changed(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if len(path) == 1:
        return {**document, path[0]: value}
    return {**document, path[0]: _changed(document[path[0]], path[1:], value)}


def artefact_file() -> Any:
    scope, private, reader = _scopes()[1], key("subject"), key("doctor")
    made = artefact.build(scope, private, seeded("domain"), 4, salt=seeded("salt"), seed=seeded("seed"))
    amended = artefact.build(scope, private, seeded("domain"), 5, old=made.consent, salt=seeded("salt 2"), seed=seeded("seed 2"))
    sm4_key, iv = seeded("sm4")[:16], seeded("iv")[:12]
    sealed = artefact.seal_with(made, {seeded("doctor"): crypto.sm2_public(reader)}, sm4_key, iv)
    return {
        "privateKey": _x(private),
        "domain": _x(seeded("domain")),
        "nonce": 4,
        "artefact": made.to_json(),
        "amendment": amended.to_json(),
        "sealed": sealed,
        "recipient": {"id": _x(seeded("doctor")), "private": _x(reader)},
    }


def entry_file() -> Any:
    entries = [
        IndexEntry(
            *(seeded(f"{n} {i}") for n in ("org", "record", "subject", "commitment", "schema")),
            ZERO if i == 0 else seeded(f"previous {i}"),
            i,
            i + 1,
            i % 16,
            i % 2,
            1_800_000_000 + i,
            1_800_000_100 + i,
        )
        for i in (0, 1, 2, 300, 2**32 - 2)
    ]
    names = ("organisation", "record", "subject", "commitment", "schema", "previous")
    rows = [
        {
            **{n: _x(getattr(e, n)) for n in names},
            "sequence": e.sequence,
            "version": e.version,
            "category": e.category,
            "flags": e.flags,
            "recordedAt": e.recorded_at,
            "indexedAt": e.indexed_at,
            "bytes": _x(e.pack()),
            "leafHash": _x(merkle.leaf_hash(e.pack())),
        }
        for e in entries
    ]
    good = entries[1].pack()
    bad = {
        "short": good[:-1],
        "long": good + b"\0",
        "kind": b"x" + good[1:],
        "flags": good[:237] + b"\x02" + good[238:],
        "reserved": good[:238] + b"\0\1" + good[240:],
    }
    return {
        "entries": rows,
        "root": _x(merkle.root([merkle.leaf_hash(e.pack()) for e in entries])),
        "invalid": [{"why": w, "bytes": _x(b)} for w, b in bad.items()],
    }


def record_file() -> Any:
    rows = []
    for count, values, mask in (
        (1, {1: "x"}, 1),
        (7, {1: 5.4, 2: "mmol/L", 7: ["a", {"b": None}]}, 0b0000011),
        (3, {}, 0b101),
        (256, {256: True, 1: "首"}, 1 << 255),
        (12, {n: n for n in range(1, 13)}, 0),
        (12, {n: n for n in range(1, 13)}, ALL_BITS),
    ):
        tree = RecordTree(seeded("schema"), count, values, seeded(f"record salt {count}"))
        rows.append(
            {
                "recordSalt": _x(tree.record_salt),
                "schema": _x(tree.schema_id),
                "elementCount": count,
                "values": {str(n): v for n, v in values.items()},
                "elementSalt1": _x(element_salt(tree.record_salt, 1)),
                "canonical": _x(tree.canonical),
                "commitment": _x(tree.commitment),
                "mask": _x(word(mask)),
                "disclosure": tree.disclose(mask).to_json(),
            }
        )
    return {"records": rows}


def receipt_file() -> Any:
    receipts: list[Receipt] = []
    for n, (outcome, reason, fields) in enumerate(
        (
            (Outcome.PERMIT, "ok", 0b11),
            (Outcome.DENY, "expired", 0),
            (Outcome.NO_CONSENT, "no_consent", 0),
            (Outcome.DENY, "ledger_behind", 0),
        )
    ):
        permit = outcome is Outcome.PERMIT
        receipts.append(
            Receipt(
                seeded("store"),
                n,
                receipts[-1].hash() if n else ZERO,
                1_800_000_000 + n,
                seeded("doctor"),
                seeded("hospital"),
                seeded("subject"),
                seeded("record"),
                "TREAT",
                seeded("consent") if n != 2 else None,
                outcome,
                reason,
                fields,
                100 + n,
                seeded("block"),
                seeded("request"),
                seeded("digest") if permit else None,
            )
        )
    salts = [seeded(f"receipt salt {i}") for i in range(4)]
    leaves = [salted_leaf(s, r.canonical()) for s, r in zip(salts, receipts, strict=True)]
    rows = [
        {"json": r.canonical().decode(), "hash": _x(r.hash()), "salt": _x(s), "leafData": _x(d)}
        for r, s, d in zip(receipts, salts, leaves, strict=True)
    ]
    return {"receipts": rows, "root": _x(batch_root(leaves))}


def httpsig_file() -> Any:
    private = key("http")
    keyid, now = httpsig.key_id("practitioner", seeded("doctor")), 1_800_000_000
    cases = [
        ("POST", "http://127.0.0.1:8091/gate/v1/records/read", b'{"request":{}}'),
        ("GET", "https://gate.example/gate/v1/health?x=1&y=%E4%B8%AD", b""),
        ("DELETE", "http://127.0.0.1:8080/api/v1/sessions", b""),
    ]
    rows = []
    for i, (method, uri, body) in enumerate(cases):
        headers = httpsig.sign_request(private, keyid, method, uri, body, now=now, life=60, nonce=f"nonce-{i:016d}")
        seen = httpsig.parse_and_verify(
            headers, method, uri, body, lambda *_: crypto.sm2_public(private), now, httpsig.MemoryNonces(0)
        )
        rows.append(
            {"method": method, "uri": uri, "body": body.hex(), "headers": headers, "base": seen.base, "digest": _x(seen.digest())}
        )
    return {"private": _x(private), "publicKey": _x(crypto.sm2_public(private)), "keyid": keyid, "now": now, "requests": rows}


def decision_file() -> Any:
    return {"rows": list(decisions.rows())}


def bundle_file() -> Any:
    return bundles.vector()


def verdicts_file() -> Any:
    made = bundles.vector()
    real = [json.loads((HERE / f"{name}.json").read_text("utf-8")) for name in ("comet", "fabric")]
    return verdicts.vector(made["bundle"], made["trust"], *real)


def ics23_file() -> Any:
    return {"rows": trees.rows()}


def _x(data: bytes) -> str:
    return "0x" + data.hex()


def _same(made: Any, published: Any) -> None:
    if made != published:
        raise AssertionError(f"a published example does not come out: {made!r} != {published!r}")


FILES: dict[str, Callable[[], Any]] = {
    "sm2": sm2_file,
    "sm3": sm3_file,
    "sm4": sm4_file,
    "merkle": merkle_file,
    "canonical": canonical_file,
    "words": words_file,
    "messages": messages_file,
    "scope": scope_file,
    "artefact": artefact_file,
    "entry": entry_file,
    "record": record_file,
    "receipt": receipt_file,
    "httpsig": httpsig_file,
    "decision": decision_file,
    "bundle": bundle_file,
    "verdicts": verdicts_file,
    "ics23": ics23_file,
}


def text(name: str) -> str:
    """Content of one vector file."""
    before = crypto.use(FixedNonces())
    try:
        return json.dumps(FILES[name](), ensure_ascii=True, indent=1) + "\n"
    finally:
        crypto.use(before)


def main() -> None:
    """Write the files named as arguments, or all."""
    for name in sys.argv[1:] or FILES:
        (HERE / f"{name}.json").write_text(text(name), "utf-8")


if __name__ == "__main__":
    main()
