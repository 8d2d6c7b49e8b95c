"""Programs of others that benches run beside ours, each built once from pinned Go modules of this folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from network.binaries import BinaryError, Kind, build

HERE = Path(__file__).parent
OPENFGA = Kind(
    "bench-openfga",
    HERE / "openfga",
    {"github.com/openfga/openfga": "v1.8.16"},
    {"openfga": "github.com/openfga/openfga/cmd/openfga"},
)
GMSM = Kind("bench-gmsm", HERE / "gmsm", {"github.com/emmansun/gmsm": "v0.33.0"}, {"gmsm": "."})


def program(kind: Kind) -> Path | None:
    """The kind's program; None, and why on the console, where it cannot be built (no Go, no network)."""
    try:
        return build(kind) / next(iter(kind.programs))
    except BinaryError as e:
        print(f"  without {kind.name}: {e}")
        return None


def gmsm_rates(binary: Path) -> dict[str, float]:
    """Operations a second of gmsm (Go, assembly), one core; names as in benches/crypto.py."""
    done = subprocess.run([binary], capture_output=True, check=True, timeout=60)
    return dict(json.loads(done.stdout))


def openssl_rates() -> dict[str, float]:
    """The same of ``openssl speed`` as installed, one core; empty where there is none. SM4-GCM only where it has it."""
    found: dict[str, float] = {}
    for name, arguments, field in (
        ("SM2 signatures", ["sm2"], "sign"),
        ("SM2 verifications", ["sm2"], "verify"),
        ("SM3, 1 KiB", ["-evp", "sm3", "-bytes", "1024"], ""),
        ("SM4-GCM, 1 KiB", ["-evp", "sm4-gcm", "-bytes", "1024"], ""),
    ):
        rate = _speed(arguments, field)
        if rate:
            found[name] = rate
    return found


def _speed(arguments: list[str], field: str) -> float | None:
    """``-mr`` prints ``+F7:…:signatures:verifications`` or ``+F:…:bytes``, all a second."""
    try:
        done = subprocess.run(
            ["openssl", "speed", "-mr", "-seconds", "1", *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    except FileNotFoundError:
        return None
    rows = [line.split(":") for line in done.stdout.splitlines() if line.startswith("+F")]
    if done.returncode or not rows:
        return None
    if field:
        return float(rows[-1][-2 if field == "sign" else -1])
    return float(rows[-1][-1]) / 1024
