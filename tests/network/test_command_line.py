"""`healthtrust network …` as a person meets it: a network outlives the command that made it and is found again by the next."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from network.processes import Processes

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run one command under a home of its own; whatever it leaves running is ended."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        main = [sys.executable, "-c", "from healthtrust.cli import main; main()", "--home", str(tmp_path), "network"]
        return subprocess.run([*main, *arguments], capture_output=True, text=True, timeout=280, check=False)

    yield command
    left = Processes(tmp_path / "network" / "fabric")
    left.kill(left.running())


@pytest.mark.fabric
def test_a_fabric_network_is_started_broken_healed_and_stopped_by_separate_commands(run: Run, tmp_path: Path) -> None:
    made = run("up", "--kind", "fabric", "--organisations", "2")
    assert made.returncode == 0, made.stderr
    assert "fabric network (raft): whole" in made.stdout
    assert json.loads(run("status", "--kind", "fabric", "--json").stdout)["ready"]

    assert run("kill", "leader", "org2.peer", "--kind", "fabric").returncode == 0
    broken = run("status", "--kind", "fabric")
    assert broken.returncode == 1
    assert broken.stdout.count("✗ down") == 2
    assert "whole" in run("heal", "--kind", "fabric").stdout

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    issued = run("issue", "org1", "a gateway", str(tmp_path / "key.pem")).stdout
    assert x509.load_pem_x509_certificate(issued.encode()).public_key() == key

    assert run("down", "--kind", "fabric").returncode == 0
    assert Processes(tmp_path / "network" / "fabric").running() == []


def test_no_network_is_said_in_one_sentence(run: Run) -> None:
    said = run("status", "--kind", "fabric")
    assert said.returncode == 1
    assert "start one first" in said.stderr
    assert "Traceback" not in said.stderr
    assert run("down", "--kind", "fabric").returncode == 0
