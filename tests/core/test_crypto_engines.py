"""The engines beside each other: what one makes holds with every other, and what one refuses all refuse, in the same words. Then
what a Go library in a Python process must not change: forks, signals, threads."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import crypto
from core.crypto import Engine, KeyPair, encoding
from core.crypto.engines import gmsm
from core.crypto.engines.reference import ReferenceEngine
from core.errors import HealthTrustError
from tests.support.engines import ENGINES, engine_named

FAST = ("gmsm", "openssl")
LIMIT = 120.0


@pytest.fixture(scope="module")
def engines() -> list[Engine]:
    return [engine_named(name) for name in ENGINES]


@pytest.fixture(scope="module")
def fast(engines: list[Engine]) -> list[Engine]:
    """Those a property can afford."""
    return [e for e in engines if e.name in FAST]


def test_what_one_makes_holds_with_every_other(engines: list[Engine]) -> None:
    for maker in engines:
        pair = maker.sm2_generate()
        signature, cipher = maker.sm2_sign(pair.private, b"m"), maker.sm2_encrypt(pair.public, b"secret")
        sealed = maker.sm4_gcm_encrypt(bytes(16), bytes(12), b"x" * 33, b"aad")
        for other in engines:
            assert other.sm2_public(pair.private) == pair.public
            assert other.sm2_verify(pair.public, b"m", signature)
            assert other.sm2_decrypt(pair.private, cipher) == b"secret"
            assert other.sm4_gcm_decrypt(bytes(16), bytes(12), sealed, b"aad") == b"x" * 33


PAIR = crypto.load("openssl").sm2_generate()
BYTES = st.binary(max_size=200)


@settings(max_examples=60, deadline=None)
@given(BYTES, BYTES, st.binary(min_size=1, max_size=16), st.integers(0, 511))
def test_signatures_both_ways(fast: list[Engine], message: bytes, uid: bytes, other: bytes, bit: int) -> None:
    for maker in fast:
        signature = maker.sm2_sign(PAIR.private, message, uid)
        flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
        for judge in fast:
            assert judge.sm2_verify(PAIR.public, message, signature, uid)
            assert not judge.sm2_verify(PAIR.public, message, flipped, uid)
            assert not judge.sm2_verify(PAIR.public, message + other, signature, uid)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.data())
def test_ciphers_both_ways(fast: list[Engine], plain: bytes, data: st.DataObject) -> None:
    for maker in fast:
        cipher = maker.sm2_encrypt(PAIR.public, plain)
        bit = data.draw(st.integers(0, 8 * len(cipher) - 1))
        flipped = (int.from_bytes(cipher, "big") ^ 1 << bit).to_bytes(len(cipher), "big")
        for opener in fast:
            assert opener.sm2_decrypt(PAIR.private, cipher) == plain
            assert _said(lambda e: e.sm2_decrypt(PAIR.private, flipped), opener)[1] == "decryption_failed"  # noqa: B023


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), BYTES, st.binary(min_size=16, max_size=16), st.binary(min_size=12, max_size=12), st.data())
def test_gcm_both_ways(fast: list[Engine], plain: bytes, aad: bytes, key: bytes, iv: bytes, data: st.DataObject) -> None:
    first, second = (e.sm4_gcm_encrypt(key, iv, plain, aad) for e in fast)
    assert first == second
    bit = data.draw(st.integers(0, 8 * len(first) - 1))
    flipped = (int.from_bytes(first, "big") ^ 1 << bit).to_bytes(len(first), "big")
    for opener in fast:
        assert opener.sm4_gcm_decrypt(key, iv, first, aad) == plain
        assert _said(lambda e: e.sm4_gcm_decrypt(key, iv, flipped, aad), opener)[1] == "decryption_failed"


def test_a_cipher_whose_c2_is_zero_opens(engines: list[Engine]) -> None:
    """Every 256th cipher of one byte; gmsm alone would refuse it."""
    slow = ReferenceEngine()
    mask = slow.encrypt_with_nonce(PAIR.public, b"\0", 7)
    assert mask is not None
    cipher = slow.encrypt_with_nonce(PAIR.public, mask[-1:], 7)
    assert cipher is not None
    assert cipher[97:] == b"\0"
    for engine in engines:
        assert engine.sm2_decrypt(PAIR.private, cipher) == mask[-1:]


SIGNATURE = crypto.load("openssl").sm2_sign(PAIR.private, b"m")
CIPHER = crypto.load("openssl").sm2_encrypt(PAIR.public, b"secret")
N = encoding.N
BAD: dict[str, Callable[[Engine], object]] = {
    **{
        f"public key {name}: {what}": lambda e, key=key, use=use: use(e, key)  # type: ignore[misc]
        for name, key in {
            "empty": b"",
            "short": PAIR.public[:63],
            "with its 04": b"\x04" + PAIR.public,
            "off the curve": PAIR.public[:63] + bytes([PAIR.public[63] ^ 1]),
            "zeros": bytes(64),
            "not below p": encoding.P.to_bytes(32, "big") + PAIR.public[32:],
        }.items()
        for what, use in {
            "verify": lambda e, key: e.sm2_verify(key, b"m", SIGNATURE),
            "verify a bad signature": lambda e, key: e.sm2_verify(key, b"m", bytes(64)),
            "encrypt": lambda e, key: e.sm2_encrypt(key, b"x"),
        }.items()
    },
    **{
        f"private key {name}: {what}": lambda e, key=key, use=use: use(e, key)  # type: ignore[misc]
        for name, key in {
            "empty": b"",
            "long": bytes(33),
            "zero": bytes(32),
            "n-1": (N - 1).to_bytes(32, "big"),
            "n": N.to_bytes(32, "big"),
            "most": b"\xff" * 32,
        }.items()
        for what, use in {
            "public": lambda e, key: e.sm2_public(key),
            "sign": lambda e, key: e.sm2_sign(key, b"m"),
            "decrypt": lambda e, key: e.sm2_decrypt(key, CIPHER),
            "decrypt nothing": lambda e, key: e.sm2_decrypt(key, b""),
        }.items()
    },
    **{
        f"signature {name}": lambda e, s=s: e.sm2_verify(PAIR.public, b"m", s)  # type: ignore[misc]
        for name, s in {
            "empty": b"",
            "short": SIGNATURE[:63],
            "long": SIGNATURE + b"\0",
            "r zero": bytes(32) + SIGNATURE[32:],
            "s zero": SIGNATURE[:32] + bytes(32),
            "r n": N.to_bytes(32, "big") + SIGNATURE[32:],
            "s high": SIGNATURE[:32] + b"\xff" * 32,
            "r + s = n": SIGNATURE[:32] + (N - int.from_bytes(SIGNATURE[:32], "big")).to_bytes(32, "big"),
            "DER": encoding.raw_to_der(SIGNATURE),
        }.items()
    },
    **{
        f"cipher {name}": lambda e, c=c: e.sm2_decrypt(PAIR.private, c)  # type: ignore[misc]
        for name, c in {
            "empty": b"",
            "without C2": CIPHER[:97],
            "compressed": bytes([2]) + CIPHER[1:33] + CIPHER[65:],
            "DER": b"\x30" + CIPHER[1:],
            "off the curve": CIPHER[:64] + bytes([CIPHER[64] ^ 1]) + CIPHER[65:],
            "C3 changed": CIPHER[:65] + bytes(32) + CIPHER[97:],
            "C2 zero": CIPHER[:97] + bytes(6),
        }.items()
    },
    "nothing to encrypt": lambda e: e.sm2_encrypt(PAIR.public, b""),
    "user id too long": lambda e: e.sm2_sign(PAIR.private, b"m", bytes(8192)),
    "user id too long for a judge": lambda e: e.sm2_verify(PAIR.public, b"m", SIGNATURE, bytes(8192)),
    "SM4 key short": lambda e: e.sm4_gcm_encrypt(bytes(15), bytes(12), b"", b""),
    "SM4 iv long": lambda e: e.sm4_gcm_decrypt(bytes(16), bytes(13), bytes(32), b""),
    "SM4 without a tag": lambda e: e.sm4_gcm_decrypt(bytes(16), bytes(12), bytes(15), b""),
    "SM4 tag of another": lambda e: e.sm4_gcm_decrypt(bytes(16), bytes(12), bytes(16), b""),
    "CTR block short": lambda e: e.sm4_ctr(bytes(16), bytes(15), b""),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_bad_is_refused_in_the_same_words(engines: list[Engine], name: str) -> None:
    said = [_said(BAD[name], engine) for engine in engines]
    assert said == said[:1] * len(said)
    assert said[0][0] != "answer" or said[0][1] is False


def _said(work: Callable[[Engine], object], engine: Engine) -> tuple[str, Any]:
    """What came of it: an answer, or the type, code and details of the error."""
    try:
        return "answer", work(engine)
    except HealthTrustError as e:
        return type(e).__name__, e.code if not e.params else f"{e.code} {e.params}"


def test_more_keys_than_are_kept(engines: list[Engine]) -> None:
    fast = engines[0]
    keys = [n.to_bytes(32, "big") for n in range(1, encoding.KEYS + 100)]
    pairs = [KeyPair(key, fast.sm2_public(key)) for key in keys]
    for pair in (pairs[0], pairs[-1], pairs[2000]):
        assert engines[1].sm2_verify(pair.public, b"m", fast.sm2_sign(pair.private, b"m"))
        assert fast.sm2_verify(pair.public, b"m", engines[1].sm2_sign(pair.private, b"m"))


def test_many_threads_at_once(engines: list[Engine]) -> None:
    fast = engines[0]

    def work(n: int) -> bool:
        pair = fast.sm2_generate()
        message = bytes([n]) * n
        sealed = fast.sm4_gcm_encrypt(pair.private[:16], bytes(12), message, b"")
        held = fast.sm2_verify(pair.public, message, fast.sm2_sign(pair.private, message))
        return held and fast.sm4_gcm_decrypt(pair.private[:16], bytes(12), sealed, b"") == message

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(1, 200)))


def test_without_a_library_openssl_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHTRUST_BINARIES", str(tmp_path))
    assert crypto.load("auto").name == "openssl"
    with pytest.raises(LookupError, match="make engine"):
        crypto.load("gmsm")
    (tmp_path / gmsm.NAME).write_bytes(b"no library")
    monkeypatch.setattr(gmsm, "_library", gmsm._Library())
    engine = crypto.load("auto")
    assert engine.name == "openssl"
    pair = engine.sm2_generate()
    assert engine.sm2_decrypt(pair.private, engine.sm2_encrypt(pair.public, b"x")) == b"x"
    assert engine.sm2_verify(pair.public, b"m", engine.sm2_sign(pair.private, b"m"))
    assert engine.sm4_gcm_decrypt(bytes(16), bytes(12), engine.sm4_gcm_encrypt(bytes(16), bytes(12), b"x", b""), b"") == b"x"


def test_a_library_of_another_version_is_not_used(engines: list[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmsm, "VERSION", gmsm.VERSION + 1)
    monkeypatch.setattr(gmsm, "_library", gmsm._Library())
    assert crypto.load("gmsm").name == "openssl"


def _python(code: str) -> subprocess.Popen[str]:
    """A process of its own that has used the engine; it says "ready" when it has."""
    start = "from core import crypto\nimport os, signal, sys, threading, time\n"
    start += "e = crypto.load('gmsm')\npair = e.sm2_generate()\ns = e.sm2_sign(pair.private, b'm')\n"
    start += "def ready(): print('ready', flush=True)\n"
    return subprocess.Popen([sys.executable, "-c", start + code], stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE)


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert "Traceback" not in err, err
    return process.returncode, out


def test_a_forked_child_works_without_the_library(engines: list[Engine]) -> None:
    """Also while other threads of the parent are inside it."""
    code, said = _ended(
        _python("""
def busy():
    while not stop.is_set():
        e.sm2_verify(pair.public, b'm', s)
stop = threading.Event()
threads = [threading.Thread(target=busy) for _ in range(3)]
for t in threads: t.start()
good = 0
for _ in range(20):
    child = os.fork()
    if child == 0:
        ok = e.name == 'openssl' and e.sm2_verify(pair.public, b'm', e.sm2_sign(pair.private, b'm'))
        ok = ok and e.sm2_decrypt(pair.private, e.sm2_encrypt(pair.public, b'x')) == b'x'
        ok = ok and e.sm4_gcm_decrypt(bytes(16), bytes(12), e.sm4_gcm_encrypt(bytes(16), bytes(12), b'x', b''), b'') == b'x'
        os._exit(0 if ok else 1)
    good += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for t in threads: t.join()
print(good, e.name, e.sm2_verify(pair.public, b'm', s))
""")
    )
    assert (code, said.split()) == (0, ["20", "gmsm", "True"])


def test_a_child_forked_before_the_first_use_loads_its_own(engines: list[Engine]) -> None:
    script = """
import os
from core import crypto
e = crypto.load('gmsm')
child = os.fork()
name = e.name
if child == 0: os._exit(0 if name == 'gmsm' else 1)
print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.stdout.split() == ["gmsm", "0"], done.stderr


ASLEEP = "    ready()\n    time.sleep(600)\n"
AT_WORK = "    ready()\n    while True: e.sm2_verify(pair.public, b'm', s)\n"


@pytest.mark.parametrize("doing", [ASLEEP, AT_WORK], ids=["asleep", "at work"])
def test_ctrl_c_still_interrupts(engines: list[Engine], doing: str) -> None:
    process = _python(f"try:\n{doing}except KeyboardInterrupt:\n    print('interrupted')\n    sys.exit(3)\n")
    _tell(process, signal.SIGINT)
    assert _ended(process) == (3, "interrupted\n")


@pytest.mark.parametrize("doing", [ASLEEP, AT_WORK], ids=["asleep", "at work"])
def test_sigterm_still_ends_and_is_still_handled(engines: list[Engine], doing: str) -> None:
    process = _python(f"if True:\n{doing}")
    _tell(process, signal.SIGTERM)
    assert _ended(process)[0] == -signal.SIGTERM
    process = _python(f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\nif True:\n{doing}")
    _tell(process, signal.SIGTERM)
    assert _ended(process)[0] == 4


def test_a_broken_pipe_is_still_an_error_and_no_end(engines: list[Engine]) -> None:
    code, said = _ended(
        _python("""
r, w = os.pipe()
os.close(r)
try:
    os.write(w, b'x')
except BrokenPipeError:
    print('broken', e.sm2_verify(pair.public, b'm', s))
""")
    )
    assert (code, said) == (0, "broken True\n")


def test_children_of_it_have_pythons_signals(engines: list[Engine]) -> None:
    """What Go's runtime does to a process's signals must not reach programs started from it."""
    shown = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    code, with_library = _ended(_python(f"import subprocess; print(subprocess.check_output([{shown!r}], shell=True, text=True))"))
    plain = subprocess.check_output(
        [sys.executable, "-c", f"import subprocess; print(subprocess.check_output([{shown!r}], shell=True, text=True))"],
        text=True,
        timeout=LIMIT,
    )
    assert (code, with_library) == (0, plain)


def _tell(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
