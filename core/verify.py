"""Check a proof bundle without trusting anybody who made it. One file, Python's standard library only, no network.

    python verify.py bundle.json [--trust checkpoint.json] [--lang zh|en] [--json]

Written on purpose without a line of the code that makes bundles: own SM2, Ed25519 and P-256 verification, SM3 fallback,
Keccak-256, RLP, Merkle-Patricia and ICS-23 proofs, X.509 certificates, canonical JSON and decision. Format: docs/formats.md
(sections 1 to 9). Exit code: 0 everything shown is true and nothing needed is missing; 1 something is false; 2 not a proof
bundle; 3 true as far as shown, but the ledger's evidence or a trusted checkpoint is missing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

# --- what is checked, in plain words --------------------------------------------------------------------------------

TEXTS: dict[str, tuple[str, str]] = {
    "record": (
        "出示的内容就是保管机构当初登记指纹的那份记录中的内容",
        "The content shown is the content whose fingerprint the custodian registered",
    ),
    "withheld": (
        "未授权的字段没有出示，且无法从证明中猜出",
        "Fields that were not granted are withheld and cannot be guessed from the proof",
    ),
    "entry": (
        "索引条目与出示的记录、保管机构、居民和文档类型一致",
        "The index entry is about this record, custodian, resident and document type",
    ),
    "index": ("索引条目在所出示的批次根之下", "The index entry is under the batch root shown"),
    "request": ("请求由所示密钥签名，未被改动", "The request was signed by the key shown and not changed"),
    "request_body": (
        "签名的请求要的正是这位居民的这份记录、这一用途",
        "The signed request asked for exactly this record, resident and purpose",
    ),
    "consent": (
        "授权由居民的密钥签名，范围、期限、次数和凭证一致",
        "The consent is signed with the resident's key; scope, period and uses match",
    ),
    "decision": ("按账本状态重新计算，判定结果与出示的相同", "Deciding again from the ledger's words gives the decision shown"),
    "fields": ("出示的字段不超出允许的字段", "No field is shown that was not permitted"),
    "receipt": (
        "回执与这次读取一致（谁、为谁、哪份、用途、结果、时间）",
        "The receipt records this reading (who, whom, what, why, outcome, when)",
    ),
    "receipt_content": ("回执登记了实际给出的内容", "The receipt commits to the content that was served"),
    "receipt_group": ("回执由保管机构签名", "The receipt is signed by the custodian"),
    "receipt_anchor": ("回执在所出示的链上批次根之下", "The receipt is under the ledger batch root shown"),
    "ledger_index": ("批次根确实登记在账本上", "The batch root is on the ledger"),
    "ledger_consent": (
        "授权在判定时的账本状态与出示的相同",
        "The consent's state on the ledger at the decision was the one shown",
    ),
    "ledger_members": ("两家机构在判定时的账本状态与出示的相同", "Both organisations' status on the ledger was the one shown"),
    "ledger_credential": ("请求者的凭证和密钥在账本上登记如此", "The requester's credential and key are on the ledger as shown"),
    "ledger_subject": (
        "签署授权的密钥是账本上这位居民的密钥",
        "The key that signed the consent is this resident's key on the ledger",
    ),
    "ledger_custodian": (
        "签署回执的密钥是账本上保管机构的密钥",
        "The key that signed the receipt is the custodian's key on the ledger",
    ),
    "ledger_receipt": ("回执批次根确实登记在账本上", "The receipt's batch root is on the ledger"),
    "ledger_time": ("判定时间就是该区块的时间", "The time of the decision is the block's time"),
    "trust": ("这些区块属于您信任的账本（检查点）", "These blocks are of the ledger you trust (checkpoint)"),
}
NOT_SHOWN: dict[str, tuple[str, str]] = {
    "request_body": ("未出示请求正文，无法核对它要的是什么", "the request's body is not shown, so what it asked for is not"),
    "consent": ("这次读取不依据授权（本人查看）", "this reading does not rest on a consent (the resident's own)"),
    "receipt_anchor": ("回执尚未上链，或未出示其位置", "the receipt is not on the ledger yet, or its place is not shown"),
    "ledger_subject": (
        "居民此后更换过密钥，或未出示；登记授权时合约已验证过签名",
        "the resident's key has changed since or is not shown; the contract checked it",
    ),
    "trust": (
        "没有给出检查点：请向您信任的一方索取区块哈希，用 --trust 指定",
        "no checkpoint: get a block hash from somebody you trust and pass --trust",
    ),
}
IN_EMERGENCY: dict[str, tuple[str, str]] = {
    "consent": (
        "这是紧急调阅：没有居民授权，由同一机构的两名医务人员签名打开，理由在打开时已固定",
        "This was an emergency: no consent, opened by two signed members of one organisation, with the reason fixed then",
    ),
    "ledger_consent": (
        "判定时账本上这次紧急调阅仍在时限内，且没有被复核否定",
        "At the decision the emergency on the ledger was within its minutes, and no reviewer had called it unjustified",
    ),
    "ledger_subject": (
        "居民的密钥（紧急调阅不需要居民签名）",
        "The resident's key (an emergency has no signature of theirs)",
    ),
}
"""The same lines, where two people's signatures stand in the place of the resident's."""
MISSING = ("未出示账本证明", "the ledger's proof is not shown")
MANDATORY = ("ledger_index", "ledger_members", "ledger_credential", "ledger_custodian", "ledger_time", "ledger_consent", "trust")
RESTS_ON = (
    "信任的依据：检查点中的区块（多数验证节点没有串通）、SM2/SM3/Keccak 算法，以及运行本程序的机器。"
    "记录内容本身是否符合事实，由保管机构负责。",
    "The trust rests on: the blocks of the checkpoint (no colluding majority of validators), SM2, SM3 and Keccak, "
    "and the machine this runs on. Whether the content is medically true is the custodian's responsibility.",
)


@dataclass(frozen=True)
class Line:
    """One thing that was checked. ``ok``: True proved, False disproved, None not shown."""

    ok: bool | None
    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class Report:
    """All lines and the exit code (see the module text)."""

    lines: list[Line]
    exit_code: int

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        lines = [{"ok": x.ok, "code": x.code, "zh": x.zh, "en": x.en} for x in self.lines]
        return {"exitCode": self.exit_code, "lines": lines, "restsOn": {"zh": RESTS_ON[0], "en": RESTS_ON[1]}}

    def text(self, lang: str = "en") -> str:
        """For people."""
        marks = {True: "✓", False: "✗", None: "–"}
        rows = [f"{marks[x.ok]} {x.zh if lang == 'zh' else x.en}" for x in self.lines]
        verdict = VERDICTS[self.exit_code][0 if lang == "zh" else 1]
        return "\n".join([*rows, "", verdict, RESTS_ON[0 if lang == "zh" else 1]])


VERDICTS = {
    0: ("结论：全部成立。", "Verdict: everything holds."),
    1: (
        "结论：不成立。至少有一项与证明不符，请勿采信，并联系保管机构或审计员。",
        "Verdict: FALSE. At least one item does not hold. Do not rely on it; contact the custodian or the auditor.",
    ),
    2: ("结论：这不是证明包。", "Verdict: this is not a proof bundle."),
    3: (
        "结论：已出示的都成立，但缺少账本证明或可信检查点。",
        "Verdict: true as far as shown, but the ledger's proof or a trusted checkpoint is missing.",
    ),
}


class Malformed(Exception):
    """Input that is not in the format."""


class Missing(Exception):
    """Something that this check needs is not in the bundle."""


# --- SM3 (GB/T 32905) -----------------------------------------------------------------------------------------------


def _rotate(x: int, n: int) -> int:
    n %= 32
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def sm3_pure(data: bytes) -> bytes:
    """SM3 in plain Python, for machines whose OpenSSL has none."""
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (len(data) * 8).to_bytes(8, "big")
    for at in range(0, len(padded), 64):
        v = [x ^ y for x, y in zip(v, _sm3_block(v, padded[at : at + 64]), strict=True)]
    return b"".join(x.to_bytes(4, "big") for x in v)


def _sm3_block(v: list[int], block: bytes) -> list[int]:
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)
        w.append(x ^ _rotate(x, 15) ^ _rotate(x, 23) ^ _rotate(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = v
    for j in range(64):
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(0x79CC4519 if j < 16 else 0x7A879D8A, j)) & 0xFFFFFFFF, 7)
        ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
        gg = e ^ f ^ g if j < 16 else e & f | ~e & g
        t1 = ff + d + (ss1 ^ _rotate(a, 12)) + (w[j] ^ w[j + 4]) & 0xFFFFFFFF
        t2 = gg + h + ss1 + w[j] & 0xFFFFFFFF
        a, b, c, d, e, f, g, h = t1, a, _rotate(b, 9), c, t2 ^ _rotate(t2, 9) ^ _rotate(t2, 17), e, _rotate(f, 19), g
    return [a, b, c, d, e, f, g, h]


def _native_sm3() -> Callable[[bytes], bytes]:
    try:
        hashlib.new("sm3")
    except ValueError:
        return sm3_pure
    return lambda data: hashlib.new("sm3", data).digest()


sm3 = _native_sm3()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC under SM3."""
    block = (sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
    return sm3(bytes(b ^ 0x5C for b in block) + sm3(bytes(b ^ 0x36 for b in block) + data))


# --- SM2 (GB/T 32918) -----------------------------------------------------------------------------------------------

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A, B = P - 3, 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_USER_ID = b"1234567812345678"
Point = tuple[int, int] | None


def _point_add(p: Point, q: Point, prime: int = P) -> Point:
    """On SM2's curve or, by its prime, on P-256: both have a = prime - 3."""
    if p is None or q is None:
        return p or q
    (x1, y1), (x2, y2) = p, q
    if x1 == x2 and (y1 + y2) % prime == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, prime) if p == q else (y2 - y1) * pow(x2 - x1, -1, prime)
    x3 = (slope * slope - x1 - x2) % prime
    return x3, (slope * (x1 - x3) - y1) % prime


def _point_multiply(k: int, p: Point, prime: int = P) -> Point:
    total: Point = None
    while k:
        if k & 1:
            total = _point_add(total, p, prime)
        p, k = _point_add(p, p, prime), k >> 1
    return total


@lru_cache(maxsize=64)
def sm2_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether r‖s holds for the message under x‖y and the standard user id."""
    x, y = _int(public[:32]), _int(public[32:])
    if len(public) != 64 or len(signature) != 64 or x >= P or y >= P or (y * y - x * x * x - A * x - B) % P:
        return False
    r, s = _int(signature[:32]), _int(signature[32:])
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N) or t == 0:
        return False
    z = sm3(b"\x00\x80" + _USER_ID + b"".join(v.to_bytes(32, "big") for v in (A, B, *G)) + public)
    point = _point_add(_point_multiply(s, G), _point_multiply(t, (x, y)))
    return point is not None and (_int(sm3(z + message)) + point[0]) % N == r


# --- Keccak-256, RLP, Merkle-Patricia proofs ------------------------------------------------------------------------

_ROUNDS = []
_lfsr = 1
for _ in range(24):
    _constant = 0
    for _j in range(7):
        if _lfsr & 1:
            _constant |= 1 << (1 << _j) - 1
        _lfsr = _lfsr << 1 ^ (0x171 if _lfsr & 0x80 else 0)
    _ROUNDS.append(_constant)


def _rotate64(x: int, n: int) -> int:
    n %= 64
    return (x << n | x >> 64 - n) & 0xFFFFFFFFFFFFFFFF


def _keccak_f(a: list[list[int]]) -> list[list[int]]:
    for constant in _ROUNDS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _rotate64(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _rotate64(current, (t + 1) * (t + 2) // 2)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


@lru_cache(maxsize=4096)  # proofs share most of their nodes
def keccak256(data: bytes) -> bytes:
    """Keccak-256 as the EVM uses it (padding 01, not SHA-3's 06)."""
    rate = 136
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), rate):
        for i in range(rate // 8):
            a[i % 5][i // 5] ^= int.from_bytes(padded[at + 8 * i : at + 8 * i + 8], "little")
        a = _keccak_f(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def rlp_decode(data: bytes) -> Any:
    """One RLP item: bytes or a list. Malformed for anything else, or bytes behind it."""
    item, rest = _rlp_item(data, 0)
    if rest:
        raise Malformed("bytes behind an RLP item")
    return item


def _rlp_item(data: bytes, depth: int) -> tuple[Any, bytes]:
    if not data or depth > 8:
        raise Malformed("RLP ends early or nests too deep")
    head = data[0]
    if head < 0x80:
        return data[:1], data[1:]
    is_list, short = head >= 0xC0, head - (0xC0 if head >= 0xC0 else 0x80)
    start, size = 1, short
    if short > 55:
        start = short - 54
        size = _int(data[1:start])
    if len(data) < start + size:
        raise Malformed("RLP ends early")
    body, rest = data[start : start + size], data[start + size :]
    return (_rlp_list(body, depth), rest) if is_list else (body, rest)


def _rlp_list(body: bytes, depth: int) -> list[Any]:
    items = []
    while body:
        item, body = _rlp_item(body, depth + 1)
        items.append(item)
    return items


def trie_value(root: bytes, key: bytes, nodes: list[bytes]) -> bytes | None:
    """Value under ``keccak256(key)`` in a secure Merkle-Patricia trie, by its proof; None if the proof shows that there is
    none."""
    path = keccak256(key).hex()
    expected: Any = root
    for node in nodes:
        if not isinstance(expected, bytes) or len(expected) != 32 or keccak256(node) != expected:
            raise Malformed("a proof node does not hash to its parent's reference")
        step = _trie_step(rlp_decode(node), path)
        while isinstance(step, tuple) and isinstance(step[0], list):
            step = _trie_step(step[0], step[1])
        if not isinstance(step, tuple):
            return step
        expected, path = step
    raise Malformed("the proof ends before its value")


def _trie_step(node: Any, path: str) -> bytes | tuple[Any, str] | None:
    """Value, None (shown absent), or (reference, remaining path)."""
    if not isinstance(node, list) or len(node) not in (2, 17):
        raise Malformed("not a trie node")
    if len(node) == 17:
        if not path:
            return _trie_leaf(node[16])
        child, rest = node[int(path[0], 16)], path[1:]
        return (child, rest) if child != b"" else None
    if not isinstance(node[0], bytes) or not node[0]:
        raise Malformed("not a trie node")
    nibbles = node[0].hex()
    prefix = nibbles[1:] if int(nibbles[0], 16) & 1 else nibbles[2:]
    if int(nibbles[0], 16) & 2:
        return _trie_leaf(node[1]) if path == prefix else None
    return (node[1], path[len(prefix) :]) if path.startswith(prefix) and prefix else None


def _trie_leaf(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("a trie value is not bytes")
    return value


# --- Ed25519 (RFC 8032), for signatures of CometBFT's validators -----------------------------------------------------

_Q = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _Q) % _Q
_Edwards = tuple[int, int, int, int]
_IDENTITY: _Edwards = (0, 1, 1, 0)


def _edwards_add(p: _Edwards, q: _Edwards) -> _Edwards:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _Q, (p[1] + p[0]) * (q[1] + q[0]) % _Q
    c, d = 2 * p[3] * q[3] * _D % _Q, 2 * p[2] * q[2] % _Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _Q, g * h % _Q, f * g % _Q, e * h % _Q


def _edwards_multiply(k: int, p: _Edwards) -> _Edwards:
    total = _IDENTITY
    while k:
        if k & 1:
            total = _edwards_add(total, p)
        p, k = _edwards_add(p, p), k >> 1
    return total


def _edwards_point(encoded: bytes) -> _Edwards:
    """A point from its 32 bytes. Malformed if there is none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & 2**255 - 1
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _Q) % _Q
    x = pow(square, (_Q + 3) // 8, _Q)
    if (x * x - square) % _Q:
        x = x * pow(2, (_Q - 1) // 4, _Q) % _Q
    if y >= _Q or (x * x - square) % _Q or (x == 0 and sign):
        raise Malformed("not a point of the curve")
    x = _Q - x if x & 1 != sign else x
    return x, y, 1, x * y % _Q


_BASE = _edwards_point((4 * pow(5, -1, _Q) % _Q).to_bytes(32, "little"))


@lru_cache(maxsize=256)
def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether R‖s holds for the message under the key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    try:
        key, shown = _edwards_point(public), _edwards_point(signature[:32])
    except Malformed:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    left, right = _edwards_multiply(s, _BASE), _edwards_add(shown, _edwards_multiply(k, key))
    same = (left[0] * right[2] - right[0] * left[2]) % _Q == 0 and (left[1] * right[2] - right[1] * left[2]) % _Q == 0
    return s < _L and same


# --- Protobuf, CometBFT headers and signatures, ICS-23 proofs --------------------------------------------------------


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number of a message ends early")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def _uvarint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


def protobuf(data: bytes) -> dict[int, list[Any]]:
    """Fields of a message by number: varints as numbers, the rest as bytes."""
    fields: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: Any
        if tag & 7 == 0:
            value, at = _varint(data, at)
        elif tag & 7 == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise Malformed("a message ends early")
        else:
            raise Malformed("a field of another type")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _one(fields: dict[int, list[Any]], number: int, absent: Any) -> Any:
    """The only value of a field, of the type of ``absent``."""
    values = fields.get(number, [absent])
    if len(values) != 1 or type(values[0]) is not type(absent):
        raise Malformed("a field twice or of another type")
    return values[0]


def _tagged(number: int, value: bytes) -> bytes:
    """A field that is bytes, text or a message."""
    return bytes([number << 3 | 2]) + _uvarint(len(value)) + value


def comet_fields(header: bytes) -> list[bytes]:
    """The 14 encoded fields of a CometBFT header, each with its length before it."""
    fields, at = [], 0
    while at < len(header):
        size, at = _varint(header, at)
        fields.append(header[at : at + size])
        at += size
    if at != len(header) or len(fields) != 14:
        raise Malformed("not the fields of a header")
    return fields


def comet_hash(leaves: list[bytes]) -> bytes:
    """Root over the encoded fields of a CometBFT header, which is its block's hash: SHA-256, shape of RFC 6962."""
    if len(leaves) == 1:
        return _sha256(b"\0" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return _sha256(b"\1" + comet_hash(leaves[:split]) + comet_hash(leaves[split:]))


@dataclass(frozen=True)
class CometHeader:
    """What is read of a CometBFT header. ``app``: root of all stores after the block before it."""

    chain: bytes
    height: int
    time: int
    parent: bytes
    app: bytes

    @classmethod
    def read(cls, leaves: list[bytes]) -> CometHeader:
        """From its encoded fields."""
        chain, height, time, parent, app = (protobuf(leaves[i]) for i in (1, 2, 3, 4, 10))
        values = _one(chain, 1, b""), _one(height, 1, 0), _one(time, 1, 0), _one(parent, 1, b""), _one(app, 1, b"")
        return cls(*values)


def vote_bytes(chain: bytes, height: int, block: bytes, commit: Any, signature: Any) -> bytes:
    """What a validator signs for a block: CometBFT's CanonicalVote, a precommit, with its length before it."""
    total, round_ = _number(_at(commit, "parts", "total"), 2**32 - 1), _number(_at(commit, "round"), 2**31 - 1)
    seconds, nanos = _number(_at(signature, "seconds")), _number(_at(signature, "nanos"), 10**9 - 1)
    parts = b"\x08" + _uvarint(total) + _tagged(2, _hex(_at(commit, "parts", "hash")))
    time = (b"\x08" + _uvarint(seconds) if seconds else b"") + (b"\x10" + _uvarint(nanos) if nanos else b"")
    vote = b"\x08\x02\x11" + height.to_bytes(8, "little")
    vote += b"\x19" + round_.to_bytes(8, "little") if round_ else b""
    vote += _tagged(4, _tagged(1, block) + _tagged(2, parts)) + _tagged(5, time) + _tagged(6, chain)
    return _uvarint(len(vote)) + vote


@dataclass(frozen=True)
class Shape:
    """How a store's tree is hashed (ICS-23 proof spec). ``head``: numbers before the hashes of a node; ``length``: whether each
    child's hash has its length before it."""

    head: int
    first: bytes
    length: bytes

    def leaf(self, op: bytes) -> bytes:
        """A leaf's prefix, checked."""
        fields = protobuf(op)
        kind = [_one(fields, number, 0) for number in (1, 2, 3, 4)]
        prefix: bytes = _one(fields, 5, b"")
        if kind != [1, 0, 1, 1] or prefix[:1] != b"\0" or self._rest(prefix):
            raise Malformed("a leaf of another kind of tree")
        return prefix

    def node(self, op: bytes) -> tuple[bytes, bytes, bool]:
        """A node's bytes before and after the child that is proved, and whether that is the left one."""
        fields = protobuf(op)
        prefix, suffix = _one(fields, 2, b""), _one(fields, 3, b"")
        if _one(fields, 1, 0) != 1 or prefix[:1] == b"\0":
            raise Malformed("a node of another kind of tree")
        other, rest = len(self.length) + 32, self._rest(prefix)
        if rest == self.length and len(suffix) == other and suffix.startswith(self.length):
            return prefix, suffix, True
        between = rest[other:]
        if not suffix and len(rest) == other + len(self.length) and rest.startswith(self.length) and between == self.length:
            return prefix, suffix, False
        raise Malformed("a node of another shape")

    def _rest(self, prefix: bytes) -> bytes:
        """What follows a node's own numbers."""
        if self.first:
            return prefix[1:] if prefix[:1] in (b"\0", self.first) else prefix
        at = 0
        for _ in range(self.head):
            _, at = _varint(prefix, at)
        return prefix[at:]


# A node of an IAVL tree begins with its height, size and version, a leaf with height 0; the tree over all stores is RFC 6962's.
IAVL = Shape(3, b"", b"\x20")
STORES = Shape(1, b"\1", b"")


@dataclass(frozen=True)
class Existence:
    """A key with its value in a tree: ``root`` follows from them. ``path``: from the leaf up, each node's bytes and side."""

    key: bytes
    value: bytes
    root: bytes
    path: list[tuple[bytes, bytes, bool]]

    @classmethod
    def read(cls, data: bytes, shape: Shape) -> Existence:
        """From an ICS-23 ExistenceProof."""
        fields = protobuf(data)
        key, value, leaf = _one(fields, 1, b""), _one(fields, 2, b""), shape.leaf(_one(fields, 3, b""))
        if not key or not value:
            raise Malformed("a proof of nothing")
        digest = _sha256(leaf + _uvarint(len(key)) + key + b"\x20" + _sha256(value))
        path = [shape.node(op) for op in fields.get(4, [])]
        for prefix, suffix, _ in path:
            digest = _sha256(prefix + digest + suffix)
        return cls(key, value, digest, path)

    def is_outermost(self, left: bool) -> bool:
        """Whether no other leaf lies on that side."""
        return all(side is left for *_, side in self.path)


def proved_value(proof: bytes, key: bytes, shape: Shape) -> tuple[bytes, bytes]:
    """(root, value) of an ICS-23 CommitmentProof for a key; an empty value: the tree has none. Malformed if it proves neither."""
    fields = protobuf(proof)
    if set(fields) == {1}:
        there = Existence.read(_one(fields, 1, b""), shape)
        if there.key != key:
            raise Malformed("a proof of another key")
        return there.root, there.value
    if set(fields) != {2}:
        raise Malformed("not a proof of a key")
    return _absent(protobuf(_one(fields, 2, b"")), key, shape), b""


def _absent(fields: dict[int, list[Any]], key: bytes, shape: Shape) -> bytes:
    """Root of a tree in which two neighbours, or the first or last leaf, leave no room for the key."""
    left = Existence.read(_one(fields, 2, b""), shape) if 2 in fields else None
    right = Existence.read(_one(fields, 3, b""), shape) if 3 in fields else None
    if (left is not None and left.key >= key) or (right is not None and key >= right.key):
        raise Malformed("the key does not lie between its neighbours")
    if left is not None and right is not None:
        holds = left.root == right.root and _neighbours(left.path, right.path)
    else:
        holds = left.is_outermost(False) if left is not None else right is not None and right.is_outermost(True)
    if not holds:
        raise Malformed("not a proof of absence")
    return (left or right).root  # type: ignore[union-attr]


def _neighbours(left: list[tuple[bytes, bytes, bool]], right: list[tuple[bytes, bytes, bool]]) -> bool:
    """Whether two leaves of one tree have none between them: below the node where their ways part, one keeps to the right
    and the other to the left."""
    a, b = left[::-1], right[::-1]
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    parted = a and b and a[0][2] and not b[0][2]
    return bool(parted and not any(side for *_, side in a[1:]) and all(side for *_, side in b[1:]))


# --- P-256 (FIPS 186-5) and X.509 (RFC 5280), for endorsements and orderers' signatures on Fabric --------------------

_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_P256_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_ECDSA_SHA256, _EC_KEY, _ON_P256 = (bytes.fromhex(oid) for oid in ("2a8648ce3d040302", "2a8648ce3d0201", "2a8648ce3d030107"))
_UNIT = bytes.fromhex("55040b")
_SEQUENCE, _SET, _INTEGER, _BITS, _OID, _VERSION = 0x30, 0x31, 0x02, 0x03, 0x06, 0xA0


def der_items(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Tag, content and whole bytes of each DER value in a row."""
    items, at = [], 0
    while at < len(data):
        start, size, at = at, data[at + 1], at + 2
        if size >= 0x80:
            size, at = _int(data[at : at + size - 0x80]), at + size - 0x80
        at += size
        if at > len(data):
            raise Malformed("a DER value ends early")
        items.append((data[start], data[at - size : at], data[start:at]))
    return items


def _der(data: bytes, *tags: int) -> list[bytes]:
    """Contents of exactly these values in a row."""
    items = der_items(data)
    if tuple(tag for tag, *_ in items) != tags:
        raise Malformed("a DER value of another form")
    return [content for _, content, _ in items]


@lru_cache(maxsize=256)
def p256_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the DER signature (ECDSA with SHA-256) holds for the message under x‖y."""
    x, y = _int(public[:32]), _int(public[32:])
    r, s = (_int(n) for n in _der(_der(signature, _SEQUENCE)[0], _INTEGER, _INTEGER))
    if not (0 < r < _P256_N and 0 < s < _P256_N) or x >= _P256 or y >= _P256 or (y * y - x * x * x + 3 * x - _P256_B) % _P256:
        return False
    w, e = pow(s, -1, _P256_N), _int(_sha256(message))
    left, right = _point_multiply(e * w % _P256_N, _P256_G, _P256), _point_multiply(r * w % _P256_N, (x, y), _P256)
    point = _point_add(left, right, _P256)
    return point is not None and point[0] % _P256_N == r


@dataclass(frozen=True)
class Certificate:
    """What is read of an X.509 certificate with a P-256 key. ``body``: the signed bytes; ``units``: organisational units of its
    subject; ``period``: first and last second of validity, as digits YYYYMMDDhhmmss."""

    body: bytes
    issuer: bytes
    subject: bytes
    units: frozenset[bytes]
    period: tuple[str, str]
    key: bytes
    signature: bytes

    @classmethod
    def read(cls, data: bytes) -> Certificate:
        """From DER."""
        whole = _der(data, _SEQUENCE)[0]
        body, (algorithm, signature) = der_items(whole)[0][2], _der(whole, _SEQUENCE, _SEQUENCE, _BITS)[1:]
        if algorithm != b"\x06\x08" + _ECDSA_SHA256:
            raise Malformed("a certificate signed otherwise than by ECDSA with SHA-256")
        fields = [item for item in der_items(_der(body, _SEQUENCE)[0]) if item[0] != _VERSION]
        issuer, validity, subject, key = (fields[i] for i in (2, 3, 4, 5))
        kind, point = _der(key[1], _SEQUENCE, _BITS)
        if _der(kind, _OID, _OID) != [_EC_KEY, _ON_P256] or len(point) != 66 or point[:2] != b"\0\x04":
            raise Malformed("a certificate of another kind of key")
        pairs = [_der(pair, _SEQUENCE)[0] for pair in _der(subject[1], *[_SET] * len(der_items(subject[1])))]
        units = frozenset(der_items(pair)[1][1] for pair in pairs if der_items(pair)[0][1] == _UNIT)
        first, last = (_digits(tag, text) for tag, text, _ in der_items(validity[1]))
        return cls(body, issuer[2], subject[2], units, (first, last), point[2:], signature[1:])

    def issued_by(self, roots: list[Certificate]) -> bool:
        """Whether one of these signed it."""
        return any(root.subject == self.issuer and p256_verify(root.key, self.body, self.signature) for root in roots)


def _digits(tag: int, text: bytes) -> str:
    """A UTCTime or GeneralizedTime as YYYYMMDDhhmmss."""
    shown = text.decode("ascii").removesuffix("Z")
    if tag == 0x17:
        shown = ("19" if shown >= "50" else "20") + shown
    if len(shown) != 14 or not shown.isdigit():
        raise Malformed("not a time of a certificate")
    return shown


@dataclass(frozen=True)
class Signed:
    """A signature that holds, by whoever the certificate names. ``msp``: the organisation it says it is of."""

    msp: str
    certificate: Certificate

    @classmethod
    def check(cls, identity: bytes, message: bytes, signature: bytes) -> Signed:
        """From Fabric's SerializedIdentity. Malformed if the signature does not hold."""
        fields = protobuf(identity)
        lines = _one(fields, 2, b"").decode("ascii").strip().splitlines()
        if lines[0] != "-----BEGIN CERTIFICATE-----" or lines[-1] != "-----END CERTIFICATE-----":
            raise Malformed("not a certificate")
        certificate = Certificate.read(base64.b64decode("".join(lines[1:-1]), validate=True))
        if not p256_verify(certificate.key, message, signature):
            raise Malformed("a signature does not hold")
        return cls(_one(fields, 1, b"").decode(), certificate)


# --- Fabric: an endorsed reading, and the block of a decision -------------------------------------------------------


@dataclass(frozen=True)
class EndorsedRead:
    """Questions that peers answered over one state, and signed. ``versions``: of each key that was read, the number of the block
    that wrote it last."""

    channel: str
    chaincode: str
    answers: list[tuple[str, Any, Any]]
    versions: dict[str, int]
    endorsers: list[Signed]

    @classmethod
    def read(cls, payload: bytes) -> EndorsedRead:
        """From the payload of an endorsed transaction (common.Payload). Malformed when it does not hold together or an
        endorsement does not hold."""
        envelope = protobuf(payload)
        head = protobuf(_one(envelope, 1, b""))
        channel_header, signature_header = _one(head, 1, b""), _one(head, 2, b"")
        action = protobuf(_one(protobuf(_one(protobuf(_one(envelope, 2, b"")), 1, b"")), 2, b""))
        proposed, endorsed = _one(action, 1, b""), protobuf(_one(action, 2, b""))
        answer = _one(endorsed, 1, b"")
        said = protobuf(answer)
        if _one(said, 1, b"") != _sha256(channel_header + signature_header + proposed):
            raise Malformed("what was endorsed is another question")
        did = protobuf(_one(said, 2, b""))
        chaincode = _one(protobuf(_one(did, 4, b"")), 2, b"").decode()
        spec = protobuf(_one(protobuf(_one(protobuf(proposed), 1, b"")), 1, b""))
        if _one(protobuf(_one(spec, 2, b"")), 2, b"").decode() != chaincode:
            raise Malformed("another chaincode answered than was asked")
        args = protobuf(_one(spec, 3, b"")).get(1, [])
        response = protobuf(_one(did, 3, b""))
        if _one(response, 1, 0) != 200 or args[:1] != [b"many"] or len(args) % 2 != 1:
            raise Malformed("not an answer to many questions")
        answers = _parse_json(_one(response, 3, b"").decode())
        asked = list(zip(args[1::2], args[2::2], strict=True))
        endorsers = []
        for one in endorsed.get(2, []):
            fields = protobuf(one)
            identity = _one(fields, 1, b"")
            endorsers.append(Signed.check(identity, answer + identity, _one(fields, 2, b"")))
        return cls(
            _one(protobuf(channel_header), 4, b"").decode(),
            chaincode,
            [(f.decode(), _parse_json(a.decode()), value) for (f, a), value in zip(asked, answers, strict=True)],
            _versions(_one(did, 1, b""), chaincode),
            endorsers,
        )


def _versions(results: bytes, chaincode: str) -> dict[str, int]:
    """Of each key of the chaincode in a read set, the block that wrote it last; a key that nobody wrote is left out."""
    found = {}
    for space in protobuf(results).get(2, []):
        fields = protobuf(space)
        if _one(fields, 1, b"").decode() != chaincode:
            continue
        for read in protobuf(_one(fields, 2, b"")).get(1, []):
            one = protobuf(read)
            if 2 in one:
                found[_one(one, 1, b"").decode()] = _one(protobuf(_one(one, 2, b"")), 1, 0)
    return found


@dataclass(frozen=True)
class FabricBlock:
    """A block as the ordering service made it. ``time``: of its newest transaction that peers counted."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    orderers: list[Signed]

    @classmethod
    def read(cls, shown: Any) -> FabricBlock:
        """Malformed if an orderer's signature does not hold."""
        number, parent = _number(_at(shown, "number"), 2**63 - 1), _hex(_at(shown, "previous"))
        data, flags = [_hex(one, None) for one in _at(shown, "data")], _hex(_at(shown, "flags"), None)
        fields = _der_value(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        header = _der_value(_SEQUENCE, fields + _der_value(4, parent) + _der_value(4, _sha256(b"".join(data))))
        times = [_sent_at(one) for one, flag in zip(data, flags, strict=True) if flag == 0]
        metadata = protobuf(_hex(_at(shown, "signatures"), None))
        orderers = []
        for one in metadata.get(2, []):
            signed = protobuf(one)
            if 1 in signed:  # SmartBFT's name a number instead: such a block has to be in the checkpoint
                head = _one(signed, 1, b"")
                message = _one(metadata, 1, b"") + head + header
                orderers.append(Signed.check(_one(protobuf(head), 1, b""), message, _one(signed, 2, b"")))
        return cls(number, _sha256(header), parent, max(times), orderers)


def _der_value(tag: int, content: bytes) -> bytes:
    size = bytes([len(content)]) if len(content) < 0x80 else b"\x81" + bytes([len(content)])
    return bytes([tag]) + size + content


def _sent_at(envelope: bytes) -> int:
    """Seconds since 1970 at which a transaction says it was made."""
    head = protobuf(_one(protobuf(_one(protobuf(envelope), 1, b"")), 1, b""))
    seconds: int = _one(protobuf(_one(protobuf(_one(head, 1, b"")), 3, b"")), 1, 0)
    return seconds


# --- canonical JSON (RFC 8785, NFC) and Merkle trees (RFC 9162, SM3) ------------------------------------------------


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes with text in NFC."""
    return _canonical(value, 0).encode("utf-8")


def _canonical(value: Any, depth: int) -> str:
    if depth > 64:
        raise Malformed("nested too deep")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, int):
        if abs(value) >= 2**53:
            raise Malformed("an integer beyond 2^53")
        return str(value)
    if isinstance(value, float):
        return _canonical_float(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical(v, depth + 1) for v in value) + "]"
    members = {unicodedata.normalize("NFC", k): v for k, v in value.items()}
    if len(members) != len(value):
        raise Malformed("a key twice")
    ordered = sorted(members, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{_canonical_text(k)}:{_canonical(members[k], depth + 1)}" for k in ordered) + "}"


_ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
_ESCAPES = {**{i: f"\\u{i:04x}" for i in range(32)}, **_ESCAPES}


def _canonical_text(text: str) -> str:
    return '"' + unicodedata.normalize("NFC", text).translate(_ESCAPES) + '"'


def _canonical_float(value: float) -> str:
    """ECMAScript's Number.prototype.toString."""
    if value != value or value in (float("inf"), float("-inf")) or 2**53 <= abs(value) < 1e21:
        raise Malformed("NaN, infinity, or an integer beyond 2^53")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return ("-" if value < 0 else "") + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """``digits`` with the decimal point after ``point`` of them."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return digits[0] + ("." + digits[1:] if count > 1 else "") + exponent


def leaf_hash(data: bytes) -> bytes:
    """SM3(00 ‖ data)."""
    return sm3(b"\0" + data)


def tree_root(leaves: list[bytes]) -> bytes:
    """Root over leaf hashes, by the definition of RFC 9162."""
    if not leaves:
        return sm3(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sm3(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether the audit path leads from a leaf hash to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sm3(b"\1" + p + r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sm3(b"\1" + r + p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


# --- reading the bundle ---------------------------------------------------------------------------------------------

ZERO = bytes(32)
ALL_BITS = 2**256 - 1
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


def _int(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _word(n: int) -> bytes:
    if not 0 <= n < 2**256:
        raise Malformed("a number out of range")
    return n.to_bytes(32, "big")


def _kind(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


def _hex(value: Any, size: int | None = 32) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise Malformed("not hex")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise Malformed("hex of another length")
    return data


def _at(doc: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(doc, dict) or name not in doc:
            raise Malformed(f"{name} is missing")
        doc = doc[name]
    return doc


def _number(value: Any, most: int = 2**64 - 1) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise Malformed("not a number in range")
    return value


def _bytes_list(value: Any, size: int | None = 32, most: int = 300) -> list[bytes]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed("not a list of hashes")
    return [_hex(v, size) for v in value]


def _parse_json(text: str) -> Any:
    """JSON without duplicate keys or numbers that are none."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in pairs}) != len(pairs):
            raise Malformed("a key twice")
        return dict(pairs)

    def refuse(name: str) -> Any:
        raise Malformed(name)

    return json.loads(text, object_pairs_hook=members, parse_constant=refuse)


# --- the scope and the decision (docs/formats.md 5 and 6) -----------------------------------------------------------

_PURPOSES = ("TREAT", "ETREAT", "CAREMGT", "HRESCH", "PATRQT", "FAMRQT", "HPAYMT", "HOPERAT", "HQUALIMP", "PUBHLTH")
_CATEGORIES = (
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
_ROLES = ("physician", "nurse", "pharmacist", "technician", "researcher", "auditor", "administrator", "resident")
_ETREAT, _PATRQT = 1, 4
_REASONS = (
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
    if _at(scope, "kind") != "healthtrust/consent-scope" or _at(scope, "version") != 1:
        raise Malformed("not a consent scope of version 1")
    if not isinstance(_at(scope, "onwardSharing"), bool):
        raise Malformed("onwardSharing")
    lists = [_scope_ids(_at(scope, "custodians")), _scope_ids(_at(scope, "records"))]
    masks = _scope_masks(_at(scope, "fields"))
    counts = [len(items or ()) for items in (*lists, masks)]
    flags = sum(bit for bit, items in ((1, lists[0]), (2, lists[1]), (4, masks)) if items is None)
    grantee, purposes = _at(scope, "grantee"), _bits(_at(scope, "purposes"), _PURPOSES)
    head = bytes([_TYPES[_at(grantee, "type")], _MODES[_at(scope, "mode")], int(_at(scope, "onwardSharing")), 0])
    head += purposes.to_bytes(4, "big") + b"".join(n.to_bytes(2, "big") for n in counts) + bytes([flags]) + bytes(17)
    bound = _at(grantee, "organisation")
    start, end, uses = (
        _number(_at(scope, "period", "start")),
        _number(_at(scope, "period", "end")),
        _number(_at(scope, "uses"), 2**32 - 1),
    )
    period = start.to_bytes(8, "big") + end.to_bytes(8, "big") + uses.to_bytes(4, "big") + bytes(12)
    given = _at(scope, "categories")
    categories = ALL_BITS if given == "all" else _bits(given, _CATEGORIES)
    pairs = [s + _word(m) for s, m in sorted((masks or {}).items())]
    ids = [
        _kind("healthtrust/scope/v1"),
        _hex(_at(scope, "subject")),
        head,
        _hex(_at(grantee, "id")),
        ZERO if bound is None else _hex(bound),
    ]
    return b"".join([*ids, period, _word(categories), *sorted(lists[0] or []), *sorted(lists[1] or []), *pairs])


def _scope_ids(value: Any) -> list[bytes] | None:
    return None if value == "all" else _bytes_list(value, 32, 1024)


def _scope_masks(value: Any) -> dict[bytes, int] | None:
    if value == "all":
        return None
    if not isinstance(value, list):
        raise Malformed("fields")
    return {_hex(_at(f, "schema")): _elements(_at(f, "elements")) for f in value}


def _elements(value: Any) -> int:
    if value == "all":
        return ALL_BITS
    if not isinstance(value, list):
        raise Malformed("elements")
    mask = 0
    for n in value:
        mask |= 1 << _number(n, 256) - 1 if n else 0
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
    ids = {n: _hex(_at(q, n)) for n in ("subject", "requester", "organisation", "custodian", "record", "schema")}
    purpose, category, role, asked = (
        _number(_at(q, "purpose")),
        _number(_at(q, "category")),
        _number(_at(q, "role")),
        _int(_hex(_at(q, "fields"))),
    )
    own = ids["requester"] == ids["subject"] and purpose == _PATRQT and ids["organisation"] == ZERO
    missing = any(v == ZERO for n, v in ids.items() if n != "organisation") or (ids["organisation"] == ZERO and not own)
    if purpose >= len(_PURPOSES) or category >= len(_CATEGORIES) or role >= len(_ROLES) or asked == 0 or missing:
        return 2, 0
    if _at(state, "custodian") != 1:
        return 3, 0
    if own:
        return 1, asked
    reason = _ledger_reason(state, ids, role, time)
    if reason == 0:
        reason = _scope_reason(state, ids, role, purpose, category, words, salt)
    fields = asked & _mask_of(words, ids["schema"]) if reason == 0 else 0
    return (reason, fields) if reason or fields else (21, 0)


def _ledger_reason(state: Any, ids: dict[str, bytes], role: int, time: int) -> int:
    if _at(state, "organisation") != 1:
        return 4
    k, c = _at(state, "credential"), _at(state, "consent")
    in_force = _at(k, "notBefore") <= time < _at(k, "notAfter")
    if (
        _at(k, "status") != 1
        or _hex(_at(k, "organisation")) != ids["organisation"]
        or not in_force
        or not _at(k, "roles") >> role & 1
    ):
        return 5
    if _at(c, "status") == 0:
        return 6
    if _hex(_at(c, "subject")) != ids["subject"]:
        return 7
    if _at(c, "status") != 1:
        return 9 if _at(c, "status") == 2 else 8
    if not _at(c, "notBefore") <= time < _at(c, "notAfter"):
        return 10 if time < _at(c, "notBefore") else 11
    return 12 if 0 < _at(c, "useLimit") <= _at(c, "uses") else 0


def _scope_reason(state: Any, ids: dict[str, bytes], role: int, purpose: int, category: int, words: bytes, salt: bytes) -> int:
    c = _at(state, "consent")
    if hmac_sm3(salt, words) != _hex(_at(c, "commitment")):
        return 13
    if not _is_scope(words):
        return 14
    period = (
        _at(c, "notBefore").to_bytes(8, "big") + _at(c, "notAfter").to_bytes(8, "big") + _at(c, "useLimit").to_bytes(4, "big")
    )
    if words[32:64] != _hex(_at(c, "subject")) or words[160:180] != period:
        return 15
    kind, grantee, bound = words[64], words[96:128], words[128:160] in (ZERO, ids["organisation"])
    wanted = {1: ids["requester"], 2: ids["organisation"], 3: _word(role), 4: ids["requester"]}[kind]
    if grantee != wanted or (kind in (1, 3) and not bound):
        return 16
    if not _int(words[68:72]) >> purpose & 1:
        return 17
    if not _int(words[192:224]) >> category & 1:
        return 18
    custodians, records, _ = _scope_lists(words)
    if not words[78] & 1 and ids["custodian"] not in custodians:
        return 19
    return 20 if not words[78] & 2 and ids["record"] not in records else 0


def _is_scope(words: bytes) -> bool:
    if len(words) < 224 or words[:32] != _kind("healthtrust/scope/v1"):
        return False
    counts = [_int(words[at : at + 2]) for at in (72, 74, 76)]
    ranges = 1 <= words[64] <= 4 and 1 <= words[65] <= 3 and words[66] <= 1 and words[67] == 0 and words[78] <= 7
    if not ranges or any(words[79:96]) or any(words[180:192]) or len(words) != 224 + 32 * (counts[0] + counts[1] + 2 * counts[2]):
        return False
    lists = _scope_lists(words)
    sorted_ = all(a < b for items in lists for a, b in pairwise(items))
    return sorted_ and not any(n and words[78] >> i & 1 for i, n in enumerate(counts))


def _scope_lists(words: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
    a, b, c = (_int(words[at : at + 2]) for at in (72, 74, 76))
    items = [words[at : at + 32] for at in range(224, len(words), 32)]
    return items[:a], items[a : a + b], items[a + b : a + b + 2 * c : 2]


def _mask_of(words: bytes, schema: bytes) -> int:
    if words[78] & 4:
        return ALL_BITS
    custodians, records, schemas = _scope_lists(words)
    if schema not in schemas:
        return 0
    at = 224 + 32 * (len(custodians) + len(records) + 2 * schemas.index(schema) + 1)
    return _int(words[at : at + 32])


# --- ledger evidence ------------------------------------------------------------------------------------------------

# Base slots of the contracts' mappings (solc storage layout; a test compares them with the compiler's).
_SLOTS = {"consents": 0, "batches": 1, "receipts": 2, "emergencies": 3, "keys": 0, "credentials": 2, "organisations": 2}


@dataclass
class Evidence:
    """Storage words proved by the bundle: (contract, block) → slot → word. ``times``, ``parents`` by block hash. ``resting``:
    the blocks whose headers it rests on; ``commits``: for CometBFT blocks, the bytes each validator's key is said to have
    signed, with the signature."""

    words: dict[tuple[str, bytes], dict[int, bytes]] = field(default_factory=dict)
    times: dict[bytes, int] = field(default_factory=dict)
    heights: dict[bytes, int] = field(default_factory=dict)
    parents: dict[bytes, bytes] = field(default_factory=dict)
    resting: set[bytes] = field(default_factory=set)
    chains: dict[bytes, bytes] = field(default_factory=dict)
    endorsed: EndorsedRead | None = None
    orderers: dict[bytes, list[Signed]] = field(default_factory=dict)
    commits: dict[bytes, dict[bytes, tuple[bytes, bytes]]] = field(default_factory=dict)

    def get(self, contract: str, block: bytes | None, slot: int) -> bytes:
        """A proved word at a block (None: at any block). Missing if it is not shown."""
        for (name, at), words in self.words.items():
            if name == contract and block in (None, at) and slot in words:
                return words[slot]
        raise Missing


def _mapping(key: bytes, base: int) -> int:
    return _int(keccak256(key + _word(base)))


def read_evidence(ledger: Any) -> Evidence:
    """Check every header and proof of the ledger part. Malformed if one does not hold."""
    evidence = Evidence()
    contracts = {name: _hex(address, 20) for name, address in _at(ledger, "contracts").items()}
    headers = _at(ledger, "headers")
    if len(headers) > 10_000:
        raise Malformed("too many headers")
    roots = {}
    for shown, encoded in headers.items():
        block, fields = _hex(shown), rlp_decode(_hex(encoded, None))
        if keccak256(_hex(encoded, None)) != block or not isinstance(fields, list) or len(fields) < 15:
            raise Malformed("a header does not hash to its block")
        roots[block], evidence.parents[block] = fields[3], fields[0]
        evidence.times[block], evidence.heights[block] = _int(fields[11]), _int(fields[8])
    for proof in _at(ledger, "proofs"):
        name, block = _at(proof, "contract"), _hex(_at(proof, "block"))
        if block not in roots or name not in contracts:
            raise Malformed("a proof of an unknown block or contract")
        evidence.resting.add(block)
        storage_root = _account(roots[block], contracts[name], _bytes_list(_at(proof, "account"), None))
        words = evidence.words.setdefault((name, block), {})
        for item in _at(proof, "storage"):
            slot, value = _hex(_at(item, "slot")), _hex(_at(item, "value"))
            if _stored(storage_root, slot, _bytes_list(_at(item, "proof"), None)) != value:
                raise Malformed("a storage proof does not lead to its value")
            words[_int(slot)] = value
    return evidence


def read_comet_evidence(ledger: Any) -> Evidence:
    """The same of a CometBFT chain: a block's state is committed to by the header of the block after it."""
    evidence = Evidence()
    contracts = {name: _hex(address, 20) for name, address in _at(ledger, "contracts").items()}
    headers = _read_comet_headers(_at(ledger, "headers"), evidence)
    for block, commit in _at(ledger, "commits").items():
        header = headers[_hex(block)]
        evidence.commits[_hex(block)] = {
            _hex(_at(one, "key")): (
                vote_bytes(header.chain, header.height, _hex(block), commit, one),
                _hex(_at(one, "signature"), 64),
            )
            for one in _at(commit, "signatures")
        }
    after = {header.parent: (block, header.app) for block, header in headers.items()}
    for proof in _at(ledger, "proofs"):
        name, block = _at(proof, "contract"), _hex(_at(proof, "block"))
        if block not in after or name not in contracts:
            raise Malformed("a proof of an unknown block or contract")
        following, app = after[block]
        evidence.resting |= {block, following}
        words = evidence.words.setdefault((name, block), {})
        for item in _at(proof, "storage"):
            slot, value = _hex(_at(item, "slot")), _hex(_at(item, "value"))
            if _kept(app, contracts[name], slot, _bytes_list(_at(item, "proof"), None, 2)) != value:
                raise Malformed("a storage proof does not lead to its value")
            words[_int(slot)] = value
    return evidence


def _read_comet_headers(shown: Any, evidence: Evidence) -> dict[bytes, CometHeader]:
    """Every header, checked against its hash; what it says of its block goes into the evidence."""
    if len(shown) > 10_000:
        raise Malformed("too many headers")
    headers = {}
    for name, encoded in shown.items():
        block, leaves = _hex(name), comet_fields(_hex(encoded, None))
        header = headers[block] = CometHeader.read(leaves)
        if comet_hash(leaves) != block:
            raise Malformed("a header does not hash to its block")
        evidence.times[block], evidence.heights[block] = header.time, header.height
        evidence.parents[block], evidence.chains[block] = header.parent, header.chain
    if len({header.parent for header in headers.values()}) != len(headers):
        raise Malformed("two blocks after the same one")
    return headers


def _kept(app: bytes, address: bytes, slot: bytes, proofs: list[bytes]) -> bytes:
    """A word of a contract under the root of all stores; zero where the store shows that it has none."""
    store, stores = proofs
    evm, value = proved_value(store, b"\2" + address + slot, IAVL)
    if proved_value(stores, b"evm", STORES) != (app, evm) or len(value) > 32:
        raise Malformed("the store is not under the header's root")
    return value.rjust(32, b"\0")


LATER = b""
"""In evidence from Fabric: what was so at some block after the decision's."""


def read_fabric_evidence(ledger: Any) -> Evidence:
    """Words of an endorsed reading, put where the EVM's contracts have them. A key that was written last at or before the block
    of the decision had its value there, if the reading was made after that block: then it saw what a later one wrote."""
    evidence, block = Evidence(), FabricBlock.read(_at(ledger, "block"))
    evidence.times[block.hash], evidence.heights[block.hash] = block.time, block.number
    evidence.parents[block.hash], evidence.orderers[block.hash] = block.parent, block.orderers
    evidence.resting.add(block.hash)
    said = evidence.endorsed = EndorsedRead.read(_hex(_at(ledger, "read"), None))
    if (said.channel, said.chaincode) != (_at(ledger, "channel"), _at(ledger, "chaincode")):
        raise Malformed("an answer of another chaincode")
    afterwards = max(said.versions.values(), default=-1) >= block.number
    for function, args, answer in said.answers:
        if function not in _FABRIC_WORDS:
            raise Malformed("a question that proves nothing")
        key, contract, slot, words = _FABRIC_WORDS[function](args, answer)
        held = afterwards and said.versions.get(key, block.number + 1) <= block.number
        at = block.hash if held else LATER
        evidence.words.setdefault((contract, at), {}).update({slot + i: word for i, word in enumerate(words)})
    return evidence


_FabricWords = tuple[str, str, int, list[bytes]]
"""Key in the ledger's state, contract, first storage slot, words from there on."""


def _fabric_state(family: str, id: bytes, *more: str) -> str:
    """A composite key of the chaincode."""
    return "".join(f"\0{part}" for part in (family, id.hex(), *more)) + "\0"


def _fabric_batch(contract: str, family: str, base: int, args: Any, answer: Any) -> _FabricWords:
    organisation, number = _hex(_at(args, "organisation")), _decimal(_at(args, "batch"))
    key = _fabric_state(f"{contract}/{family}", organisation, f"{number:016x}")
    first = "firstSequence" if contract == "DataIndex" else "firstNumber"
    packed = _decimal(_at(answer, first)) | _decimal(_at(answer, "count")) << 64
    words = [_hex(_at(answer, "root")), _word(packed)]
    return key, contract, _mapping(_word(number), _mapping(organisation, base)), words


def _fabric_organisation(args: Any, answer: Any) -> _FabricWords:
    id = _hex(_at(args, "id"))
    words = [_word(_number(_at(answer, "status"), 255)), _hex(_at(answer, "x")), _hex(_at(answer, "y"))]
    return _fabric_state("Alliance/organisation", id), "Alliance", _mapping(id, _SLOTS["organisations"]), words


def _fabric_credential(args: Any, answer: Any) -> _FabricWords:
    id = _hex(_at(args, "practitioner"))
    packed = _decimal(_at(answer, "notBefore")) | _decimal(_at(answer, "notAfter")) << 64
    packed |= _number(_at(answer, "roles"), 2**32 - 1) << 128 | _number(_at(answer, "status"), 255) << 160
    words = [*(_hex(_at(answer, name)) for name in ("organisation", "x", "y")), _word(packed)]
    return _fabric_state("Identity/credential", id), "Identity", _mapping(id, _SLOTS["credentials"]), words


def _fabric_key(args: Any, answer: Any) -> _FabricWords:
    id = _hex(_at(args, "subject"))
    words = [_hex(_at(answer, "x")), _hex(_at(answer, "y"))]
    return _fabric_state("Identity/key", id), "Identity", _mapping(id, _SLOTS["keys"]), words


def _fabric_consent(args: Any, answer: Any) -> _FabricWords:
    id, signed = _hex(_at(args, "consent")), _word(_decimal(_at(answer, "packed")))
    packed = _int(signed[:8]) | _int(signed[8:16]) << 64 | _int(signed[16:20]) << 128
    packed |= _number(_at(answer, "uses"), 2**32 - 1) << 160 | _number(_at(answer, "status"), 255) << 248
    words = [_hex(_at(answer, "subject")), _hex(_at(answer, "commitment")), _word(packed)]
    return _fabric_state("Consent/consent", id), "Consent", _mapping(id, _SLOTS["consents"]), words


def _fabric_emergency(args: Any, answer: Any) -> _FabricWords:
    id = _hex(_at(args, "id"))
    packed = _decimal(_at(answer, "endsAt")) | _decimal(_at(answer, "reviewBy")) << 64
    packed |= _number(_at(answer, "outcome"), 255) << 128
    words = [_hex(_at(answer, "organisation")), _hex(_at(answer, "commitment")), _word(packed)]
    return _fabric_state("Access/emergency", id), "Access", _mapping(id, _SLOTS["emergencies"]), words


_FABRIC_WORDS: dict[str, Callable[[Any, Any], _FabricWords]] = {
    "DataIndex.batchOf": lambda args, answer: _fabric_batch("DataIndex", "batch", _SLOTS["batches"], args, answer),
    "Access.receiptBatchOf": lambda args, answer: _fabric_batch("Access", "receipt-batch", _SLOTS["receipts"], args, answer),
    "Alliance.organisation": _fabric_organisation,
    "Identity.credentialOf": _fabric_credential,
    "Identity.keyOf": _fabric_key,
    "Access.emergencyOf": _fabric_emergency,
    "Consent.consentOf": _fabric_consent,
}


def _decimal(value: Any) -> int:
    """A number as chaincode writes it: JSON's up to 32 bits, decimal text above."""
    if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,77}", value):
        return int(value)
    return _number(value, 2**53)


def _account(state_root: Any, address: bytes, nodes: list[bytes]) -> bytes:
    encoded = trie_value(state_root, address, nodes)
    account = rlp_decode(encoded) if encoded else None
    if not isinstance(account, list) or len(account) != 4 or not isinstance(account[2], bytes):
        raise Malformed("the contract is not in the state")
    return account[2]


def _stored(root: bytes, slot: bytes, nodes: list[bytes]) -> bytes:
    if not nodes:
        if root != keccak256(b"\x80"):
            raise Malformed("a storage proof without nodes")
        return ZERO
    encoded = trie_value(root, slot, nodes)
    if encoded is None:
        return ZERO
    value = rlp_decode(encoded)
    if not isinstance(value, bytes) or len(value) > 32:
        raise Malformed("a stored word is no word")
    return value.rjust(32, b"\0")


# --- the checks -----------------------------------------------------------------------------------------------------


class Checks:
    """One method a line; each returns True or False, or raises Missing. Parsing that several lines share is done once, lazily."""

    def __init__(self, bundle: dict[str, Any], trust: Any) -> None:
        self.bundle = bundle
        self.trust = trust
        self.q = _at(bundle, "decision", "request")
        self.state = _at(bundle, "decision", "state")
        self.artefact = _at(bundle, "consent", "artefact")
        self.entry = _hex(_at(bundle, "index", "entry"), 256)
        self.receipt = _parse_json(_at(bundle, "receipt", "json"))
        self.block = _hex(_at(bundle, "decision", "block"))
        self.own = bool(_at(bundle, "decision", "reason") == "self")
        self.emergency = isinstance(self.artefact, dict) and self.artefact.get("kind") == "healthtrust/emergency-artefact"
        self._evidence: Evidence | None = None

    def asked(self, name: str) -> bytes:
        """An id of the decision's request."""
        return _hex(_at(self.q, name))

    def evidence(self) -> Evidence:
        """The ledger part, checked; Missing if there is none."""
        if self._evidence is None:
            ledger = _at(self.bundle, "ledger")
            if ledger is None:
                raise Missing
            readers = {"evm": read_evidence, "comet": read_comet_evidence, "fabric": read_fabric_evidence}
            if _at(ledger, "kind") not in readers:
                raise Malformed("a ledger of an unknown kind")
            self._evidence = readers[_at(ledger, "kind")](ledger)
        return self._evidence

    def record(self) -> bool:
        d = _at(self.bundle, "record", "disclosure")
        count, values, salts, hashes = _number(_at(d, "elementCount"), 256), _at(d, "values"), _at(d, "salts"), _at(d, "hashes")
        numbers = [str(n) for n in range(1, count + 1)]
        if count < 1 or sorted([*values, *hashes]) != sorted(numbers) or values.keys() != salts.keys():
            return False
        leaves = [
            leaf_hash(int(n).to_bytes(2, "big") + _hex(salts[n]) + canonical(values[n])) if n in values else _hex(hashes[n])
            for n in numbers
        ]
        made = _kind("healthtrust/record/v1") + _hex(_at(d, "schema")) + tree_root(leaves)
        return hmac_sm3(_hex(_at(d, "commitmentSalt")), made) == self.entry[128:160]

    def withheld(self) -> bool:
        permitted = _int(_hex(_at(self.bundle, "decision", "fields")))
        numbers = [int(n) for n in _at(self.bundle, "record", "disclosure", "hashes")]
        return all(not permitted >> (n - 1) & 1 for n in numbers)

    def entry_matches(self) -> bool:
        record, e = _at(self.bundle, "record"), self.entry
        schema = sm3(b"healthtrust/schema/v1\0" + canonical(_at(record, "schema")))
        ids = (_hex(_at(record, "custodian")), _hex(_at(record, "id")), _hex(_at(record, "subject")))
        asked = (self.asked("custodian"), self.asked("record"), self.asked("subject"))
        category = e[236] == _at(self.q, "category")
        schemas = {schema, e[160:192], self.asked("schema"), _hex(_at(record, "disclosure", "schema"))}
        elements = len(_at(record, "schema", "elements")) == _at(record, "disclosure", "elementCount")
        alive = e[237] == 0 and e[238:240] == b"\0\0"
        kind = e[:32] == _kind("healthtrust/index-entry/v1")
        return kind and ids == asked == (e[32:64], e[64:96], e[96:128]) and len(schemas) == 1 and category and elements and alive

    def index(self) -> bool:
        part = _at(self.bundle, "index")
        return _included(leaf_hash(self.entry), _at(part, "proof"), _hex(_at(part, "root")))

    def request(self) -> bool:
        part = _at(self.bundle, "request")
        base = _at(part, "base")
        party = "subject" if self.own else "practitioner"
        expected = f"{party}:0x{self.asked('requester').hex()}"
        keyids = re.findall(r';keyid="([^"]*)"', base)
        signed = sm2_verify(_hex(_at(part, "publicKey"), 64), base.encode(), _hex(_at(part, "signature"), 64))
        return (
            signed
            and _at(part, "keyid") == expected
            and keyids == [expected]
            and _receipt_has(self.receipt, "request", sm3(base.encode()))
        )

    def request_body(self) -> bool:
        body, base = _at(self.bundle, "request", "body"), _at(self.bundle, "request", "base")
        if body is None:
            raise Missing
        digest = f'\n"content-digest": sm3=:{base64.b64encode(sm3(body.encode())).decode()}:\n'
        document = _parse_json(body)
        wanted = _at(document, "request")
        ids = all(_hex(_at(wanted, n)) == self.asked(n) for n in ("subject", "record", "schema"))
        codes = (("purpose", _PURPOSES), ("category", _CATEGORIES), ("role", _ROLES))
        same = all(known.index(_at(wanted, n)) == _at(self.q, n) for n, known in codes)
        count = _number(_at(self.bundle, "record", "disclosure", "elementCount"), 256)
        mask = _asked_mask(_at(wanted, "fields"), count) == _int(self.asked("fields"))
        return digest in base and ids and same and mask and _at(document, "consent") == _at(self.receipt, "consent")

    def consent(self) -> bool:
        a = self.artefact
        if a is None:
            if self.own:
                raise Missing
            return False
        if self.emergency:
            return self._opened_by_two(a)
        if _at(a, "kind") != "healthtrust/consent-artefact" or _at(a, "version") != 1:
            return False
        scope, seed = _at(a, "scope"), _hex(_at(a, "seed"))
        uses = _number(_at(scope, "uses"), 100_000)
        consent = seed
        for _ in range(max(1, uses)):
            consent = sm3(consent)
        words = scope_words(scope)
        message = _hex(_at(a, "message"), None)
        body = _hex(_at(scope, "subject")) + consent + hmac_sm3(_hex(_at(a, "salt")), words) + words[160:180] + bytes(4)
        kinds = {192: _kind("healthtrust/consent-grant/v1"), 224: _kind("healthtrust/consent-amend/v1")}
        shaped = len(message) in kinds and message[:32] == kinds[len(message)] and message[64:184] == body
        named = _hex(_at(a, "consent")) == consent and _receipt_has(self.receipt, "consent", consent)
        return shaped and named and sm2_verify(_hex(_at(a, "publicKey"), 64), message, _hex(_at(a, "signature"), 64))

    def _opened_by_two(self, a: Any) -> bool:
        """An emergency: two people of the requester's organisation signed this scope, for this reason, and one of them reads."""
        scope, seed, reason, minutes = _at(a, "scope"), _hex(_at(a, "seed")), _at(a, "reason"), _number(_at(a, "minutes"))
        words, id = scope_words(scope), sm3(seed)
        salt = hmac_sm3(seed, b"healthtrust/emergency-reason/v1\0" + reason.encode())
        message = _hex(_at(a, "message"), None)
        body = self.asked("organisation") + id + hmac_sm3(salt, words) + _word(minutes)
        shaped = len(message) == 192 and message[:32] == _kind("healthtrust/emergency-open/v1") and message[64:] == body
        named = (_hex(_at(a, "consent")), _hex(_at(a, "salt"))) == (id, salt) and _receipt_has(self.receipt, "consent", id)
        keys = {_hex(_at(s, "practitioner")): _hex(_at(s, "publicKey"), 64) for s in _at(a, "signers")}
        two = len(_at(a, "signers")) == 2 == len(keys) and keys[self.asked("requester")] == _hex(
            _at(self.bundle, "request", "publicKey"), 64
        )
        alone = words[64] == 1 and words[128:160] == self.asked("organisation") and _int(words[68:72]) == 1 << _ETREAT
        signed = all(sm2_verify(_hex(_at(s, "publicKey"), 64), message, _hex(_at(s, "signature"), 64)) for s in _at(a, "signers"))
        return _at(a, "version") == 1 and shaped and named and two and alone and signed

    def decision(self) -> bool:
        shown = _at(self.bundle, "decision")
        words, salt = (
            (b"", ZERO) if self.artefact is None else (scope_words(_at(self.artefact, "scope")), _hex(_at(self.artefact, "salt")))
        )
        reason, fields = decide(self.state, self.q, words, salt, _number(_at(shown, "time")))
        same = _at(shown, "reason") == _REASONS[reason] and _int(_hex(_at(shown, "fields"))) == fields
        return same and _at(shown, "outcome") == "permit" and reason <= 1

    def fields(self) -> bool:
        permitted = _int(_hex(_at(self.bundle, "decision", "fields")))
        return all(permitted >> (int(n) - 1) & 1 for n in _at(self.bundle, "record", "disclosure", "values"))

    def receipt_matches(self) -> bool:
        r, shown = self.receipt, _at(self.bundle, "decision")
        ids = {
            "store": "custodian",
            "requester": "requester",
            "organisation": "organisation",
            "subject": "subject",
            "record": "record",
        }
        same = all(_receipt_has(r, name, self.asked(asked)) for name, asked in ids.items())
        copied = all(_at(r, n) == _at(shown, n) for n in ("outcome", "reason", "fields", "height", "block"))
        consent = _at(r, "consent") == (None if self.artefact is None else _at(self.artefact, "consent"))
        purpose = _PURPOSES.index(_at(r, "purpose")) == _at(self.q, "purpose")
        kind = (
            _at(r, "kind") == "healthtrust/receipt"
            and _at(r, "version") == 1
            and _at(r, "number") == _at(self.bundle, "receipt", "number")
        )
        close = abs(_number(_at(r, "time")) - _number(_at(shown, "time"))) <= 3600
        return (
            kind
            and same
            and copied
            and consent
            and purpose
            and close
            and canonical(r).decode() == _at(self.bundle, "receipt", "json")
        )

    def receipt_content(self) -> bool:
        salt, values = _hex(_at(self.bundle, "record", "digestSalt")), _at(self.bundle, "record", "disclosure", "values")
        return _receipt_has(self.receipt, "digest", hmac_sm3(salt, canonical(values)))

    def _receipt_leaf(self) -> bytes:
        part = _at(self.bundle, "receipt")
        return leaf_hash(hmac_sm3(_hex(_at(part, "salt")), _at(part, "json").encode()))

    def receipt_group(self) -> bool:
        part, group = _at(self.bundle, "receipt"), _at(self.bundle, "receipt", "group")
        first, size, root = _number(_at(group, "first")), _number(_at(group, "treeSize"), 2**32 - 1), _hex(_at(group, "root"))
        packed = first.to_bytes(8, "big") + size.to_bytes(4, "big") + bytes(20)
        message = _kind("healthtrust/receipts/v1") + self.asked("custodian") + root + packed
        placed = first + _number(_at(group, "leafIndex")) == _at(part, "number") and _included(self._receipt_leaf(), group, root)
        return placed and sm2_verify(_hex(_at(self.bundle, "custodianKey"), 64), message, _hex(_at(part, "signature"), 64))

    def receipt_anchor(self) -> bool:
        anchor = _at(self.bundle, "receipt", "anchor")
        if anchor is None:
            raise Missing
        return _included(self._receipt_leaf(), anchor, _hex(_at(anchor, "root")))

    def ledger_index(self) -> bool:
        part = _at(self.bundle, "index")
        at = _mapping(_word(_number(_at(part, "batch"))), _mapping(self.asked("custodian"), _SLOTS["batches"]))
        evidence = self.evidence()
        root, packed = evidence.get("DataIndex", self.block, at), _int(evidence.get("DataIndex", self.block, at + 1))
        first, count = packed & 2**64 - 1, packed >> 64 & 2**32 - 1
        place = first + _number(_at(part, "proof", "leafIndex")) == _int(self.entry[224:232]) and count == _at(
            part, "proof", "treeSize"
        )
        return root == _hex(_at(part, "root")) and place

    def ledger_consent(self) -> bool:
        evidence, c = self.evidence(), _at(self.state, "consent")
        if self.artefact is None:
            return self.own
        if self.emergency:
            return self._ledger_emergency(evidence, c)
        at = _mapping(_hex(_at(self.artefact, "consent")), _SLOTS["consents"])
        subject, commitment, packed = (evidence.get("Consent", self.block, at + i) for i in range(3))
        numbers = _unpack(_int(packed), 64, 64, 32, 32, 56, 8)
        shown = [_at(c, n) for n in ("notBefore", "notAfter", "useLimit", "uses")]
        return (
            [subject, commitment] == [_hex(_at(c, "subject")), _hex(_at(c, "commitment"))]
            and numbers[:4] == shown
            and numbers[5] == _at(c, "status")
        )

    def _ledger_emergency(self, evidence: Evidence, c: Any) -> bool:
        """The requester's organisation had opened it, its minutes were not over, and nobody had called it unjustified."""
        at = _mapping(_hex(_at(self.artefact, "consent")), _SLOTS["emergencies"])
        organisation, commitment, packed = (evidence.get("Access", self.block, at + i) for i in range(3))
        ends_at, _, outcome = _unpack(_int(packed), 64, 64, 8)
        held = organisation == self.asked("organisation") and commitment == _hex(_at(c, "commitment"))
        return held and _number(_at(self.bundle, "decision", "time")) < ends_at and outcome != 2 and _at(c, "status") == 1

    def ledger_members(self) -> bool:
        def status(organisation: bytes) -> int:
            return self.evidence().get("Alliance", self.block, _mapping(organisation, _SLOTS["organisations"]))[31]

        custodian = status(self.asked("custodian")) == _at(self.state, "custodian")
        return custodian and (self.own or status(self.asked("organisation")) == _at(self.state, "organisation"))

    def ledger_credential(self) -> bool:
        evidence, key, k = self.evidence(), _hex(_at(self.bundle, "request", "publicKey"), 64), _at(self.state, "credential")
        if self.own:
            at = _mapping(self.asked("requester"), _SLOTS["keys"])
            return evidence.get("Identity", self.block, at) + evidence.get("Identity", self.block, at + 1) == key
        at = _mapping(self.asked("requester"), _SLOTS["credentials"])
        organisation, x, y, packed = (evidence.get("Identity", self.block, at + i) for i in range(4))
        shown = [_at(k, n) for n in ("notBefore", "notAfter", "roles", "status")]
        return x + y == key and organisation == _hex(_at(k, "organisation")) and _unpack(_int(packed), 64, 64, 32, 8) == shown

    def ledger_subject(self) -> bool:
        if self.artefact is None or self.emergency:
            raise Missing
        at = _mapping(self.asked("subject"), _SLOTS["keys"])
        evidence = self.evidence()
        key = evidence.get("Identity", self.block, at) + evidence.get("Identity", self.block, at + 1)
        if key != _hex(_at(self.artefact, "publicKey"), 64):
            raise Missing
        return True

    def ledger_custodian(self) -> bool:
        at = _mapping(self.asked("custodian"), _SLOTS["organisations"])
        evidence = self.evidence()
        return evidence.get("Alliance", self.block, at + 1) + evidence.get("Alliance", self.block, at + 2) == _hex(
            _at(self.bundle, "custodianKey"), 64
        )

    def ledger_receipt(self) -> bool:
        anchor = _at(self.bundle, "receipt", "anchor")
        if anchor is None:
            raise Missing
        at = _mapping(_word(_number(_at(anchor, "batch"))), _mapping(self.asked("custodian"), _SLOTS["receipts"]))
        evidence = self.evidence()
        root, packed = evidence.get("Access", None, at), _int(evidence.get("Access", None, at + 1))
        first, count = packed & 2**64 - 1, packed >> 64 & 2**32 - 1
        place = first + _number(_at(anchor, "leafIndex")) == _at(self.bundle, "receipt", "number") and count == _at(
            anchor, "treeSize"
        )
        return root == _hex(_at(anchor, "root")) and place

    def ledger_time(self) -> bool:
        evidence = self.evidence()
        if self.block not in evidence.times:
            raise Missing
        shown = _at(self.bundle, "decision")
        return (evidence.times[self.block], evidence.heights[self.block]) == (_at(shown, "time"), _at(shown, "height"))

    def trusted(self) -> bool:
        evidence, ledger = self.evidence(), _at(self.bundle, "ledger")
        if self.trust is None:
            raise Missing
        if _at(self.trust, "kind") != "healthtrust/checkpoint" or _at(self.trust, "version") != 1:
            raise Malformed("not a checkpoint")
        fabric = evidence.endorsed is not None
        for name in ("channel", "chaincode", "ledgerId") if fabric else ("chainId", "ledgerId"):
            if _at(self.trust, name) != _at(ledger, name):
                return False
        used = {name for name, _ in evidence.words}
        if any(_at(ledger, "contracts", name) != _at(self.trust, "contracts", name) for name in used):
            return False
        reached: set[bytes] = set()
        signed = ordered_blocks(evidence, self.trust) if fabric else signed_blocks(evidence, self.trust)
        for block in [*_bytes_list(_at(self.trust, "blocks"), 32, 1_000_000), *signed]:
            while block not in reached:
                reached.add(block)
                block = evidence.parents.get(block, block)
        if not evidence.resting | {self.block} <= reached or not endorsed_by_most(evidence, self.trust):
            raise Missing
        signed_for = "Access" if self.emergency else "Consent"
        if fabric:
            contract = sm3(f"{_at(ledger, 'channel')}\0{_at(ledger, 'chaincode')}.{signed_for}".encode())
        else:
            contract = _hex(_at(ledger, "contracts", signed_for), 20).rjust(32, b"\0")
        domain = sm3(_kind("healthtrust/domain/v1") + _hex(_at(ledger, "ledgerId")) + contract)
        return self.artefact is None or _hex(_at(self.artefact, "message"), None)[32:64] == domain


def signed_blocks(evidence: Evidence, trust: Any) -> list[bytes]:
    """Blocks that validators of the checkpoint with more than two thirds of their power have signed."""
    if not evidence.commits or "validators" not in trust:
        return []
    chain = _at(trust, "chain").encode()
    powers = {_hex(_at(one, "key")): _number(_at(one, "power"), 2**60) for one in _at(trust, "validators")}
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
    members = _at(trust, "members")
    return 2 * len(_known(evidence.endorsed.endorsers, members, b"peer", evidence)) > len(members)


def ordered_blocks(evidence: Evidence, trust: Any) -> list[bytes]:
    """Blocks signed by as many of the checkpoint's orderers as it asks for."""
    orderers, needed = _at(trust, "orderers"), _number(_at(trust, "signatures"))
    found = evidence.orderers.items()
    return [block for block, signed in found if len(_known(signed, orderers, b"orderer", evidence)) >= max(1, needed)]


def _known(signed: list[Signed], organisations: Any, unit: bytes, evidence: Evidence) -> set[str]:
    """Organisations of the checkpoint among the signers: the certificate is of one of their roots, for that kind of node, and was
    valid at the decision."""
    now = time.strftime("%Y%m%d%H%M%S", time.gmtime(max(evidence.times.values())))
    found = set()
    for one in signed:
        roots = [Certificate.read(_hex(root, None)) for root in organisations.get(one.msp, [])]
        first, last = one.certificate.period
        if unit in one.certificate.units and first <= now <= last and one.certificate.issued_by(roots):
            found.add(one.msp)
    return found


def _included(leaf: bytes, proof: Any, root: bytes) -> bool:
    index, size = _number(_at(proof, "leafIndex")), _number(_at(proof, "treeSize"))
    return included(leaf, index, size, _bytes_list(_at(proof, "hashes"), 32, 64), root)


def _asked_mask(fields: Any, count: int) -> int:
    """Mask of a request's ``fields``: "all", element numbers, or the mask itself."""
    if fields == "all":
        return (1 << count) - 1
    return _elements(fields) if isinstance(fields, list) else _int(_hex(fields))


def _receipt_has(receipt: Any, name: str, value: bytes) -> bool:
    return bool(_at(receipt, name) == "0x" + value.hex())


def _unpack(value: int, *widths: int) -> list[int]:
    """Fields of a packed storage word, lowest first."""
    fields = []
    for width in widths:
        fields.append(value & (1 << width) - 1)
        value >>= width
    return fields


_ORDER: tuple[tuple[str, Callable[[Checks], bool]], ...] = (
    ("record", Checks.record),
    ("withheld", Checks.withheld),
    ("entry", Checks.entry_matches),
    ("index", Checks.index),
    ("request", Checks.request),
    ("request_body", Checks.request_body),
    ("consent", Checks.consent),
    ("decision", Checks.decision),
    ("fields", Checks.fields),
    ("receipt", Checks.receipt_matches),
    ("receipt_content", Checks.receipt_content),
    ("receipt_group", Checks.receipt_group),
    ("receipt_anchor", Checks.receipt_anchor),
    ("ledger_index", Checks.ledger_index),
    ("ledger_consent", Checks.ledger_consent),
    ("ledger_members", Checks.ledger_members),
    ("ledger_credential", Checks.ledger_credential),
    ("ledger_subject", Checks.ledger_subject),
    ("ledger_custodian", Checks.ledger_custodian),
    ("ledger_receipt", Checks.ledger_receipt),
    ("ledger_time", Checks.ledger_time),
    ("trust", Checks.trusted),
)

# What hostile input can make a check raise: each means that the line does not hold.
_HOSTILE = (
    Malformed,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    ArithmeticError,
)


def verify(bundle: Any, trust: Any = None) -> Report:
    """Check a bundle (parsed JSON) against a checkpoint (parsed JSON) or None. Never raises on any input."""
    try:
        if _at(bundle, "kind") != "healthtrust/proof-bundle" or _at(bundle, "version") != 1:
            raise Malformed("kind")
        checks = Checks(bundle, trust)
    except _HOSTILE:
        line = Line(False, "bundle", "这不是第 1 版的健康信任证明包", "This is not a healthtrust proof bundle of version 1")
        return Report([line], 2)
    lines = [_line(code, check, checks) for code, check in _ORDER]
    if any(line.ok is False for line in lines):
        return Report(lines, 1)
    missing = any(line.ok is None and line.code in MANDATORY for line in lines)
    return Report(lines, 3 if missing else 0)


def _line(code: str, check: Callable[[Checks], bool], checks: Checks) -> Line:
    zh, en = (IN_EMERGENCY if checks.emergency else {}).get(code, TEXTS[code])
    try:
        ok = check(checks)
    except Missing:
        why = NOT_SHOWN.get(code, MISSING)
        return Line(None, code, f"未证明：{zh}——{why[0]}", f"Not shown: {en} ({why[1]})")
    except _HOSTILE:
        ok = False
    return Line(True, code, zh, en) if ok else Line(False, code, f"不成立：{zh}", f"FALSE: {en}")


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check a healthtrust proof bundle offline.")
    parser.add_argument("bundle", help="proof bundle (JSON file)")
    parser.add_argument("--trust", help="checkpoint (JSON file) from somebody you trust")
    parser.add_argument("--lang", choices=("zh", "en"), default="en")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    try:
        bundle = _read(given.bundle)
        trust = _read(given.trust) if given.trust else None
    except (OSError, *_HOSTILE) as e:
        print(f"{VERDICTS[2][0 if given.lang == 'zh' else 1]} {e}", file=sys.stderr)
        return 2
    report = verify(bundle, trust)
    print(json.dumps(report.to_json(), ensure_ascii=False, indent=1) if given.json else report.text(given.lang))
    return report.exit_code


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as f:
        return _parse_json(f.read())


if __name__ == "__main__":
    sys.exit(main())
