"""What a person does from the command line with their own key file: grant, read, follow an identifier."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import artefact, keyfile, merkle
from core.errors import Malformed
from core.hexes import to_bytes, to_hex
from core.live import Section
from core.receipt import salted_leaf
from core.scope import Grantee, Scope
from core.vocabulary import category_number, purpose_number
from gateway.client import GatewayClient, Key
from gateway.settings import Settings
from offchain.client import GateClient, Reading, Signer

DAY = 86_400


def open_key(path: Path, passphrase: str) -> Key:
    """The key in a key file. Raises WrongPassphrase, Malformed, FileNotFoundError."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError as e:
        raise Malformed("not_a_key_file", detail=f"{path} is not JSON") from e
    return Key(str(document.get("keyid", "")), keyfile.unlock(document, passphrase).private)


def grant(settings: Settings, key: Key, practitioner: str, categories: Iterable[str], days: int, purpose: str = "TREAT") -> str:
    """A resident lets a practitioner read whole categories for so many days; waits for the ledger; the consent's id."""
    now = int(time.time())
    scope = Scope(
        subject=to_bytes(key.id),
        grantee=Grantee("practitioner", to_bytes(practitioner)),
        purposes=frozenset({purpose_number(purpose)}),
        start=now - 60,
        end=now + days * DAY,
        categories=frozenset(category_number(c) for c in categories),
    )
    with GatewayClient(settings.gateway.public_url) as client:
        client.log_in(key)
        granted, accepted = client.grant(scope)
        client.wait(accepted)
    return to_hex(granted.consent)


def readable(settings: Settings, key: Key, consent: str) -> dict[str, list[dict[str, Any]]]:
    """What a practitioner may read under a consent, by custodian code."""
    sealed, subject = _received(settings, key, consent)
    found: dict[str, list[dict[str, Any]]] = {}
    for gate in settings.gates:
        with GateClient(gate.public_url, Signer(key.keyid, key.private)) as client:
            found[gate.code] = [
                entry for page in client.pages(subject, consent=to_bytes(consent), artefact=sealed) for entry in page.entries
            ]
    return found


def read(settings: Settings, key: Key, consent: str, code: str, entry: dict[str, Any]) -> Reading:
    """Read one of the entries that :func:`readable` gave."""
    sealed, subject = _received(settings, key, consent)
    record, schema = to_bytes(entry["record"]), to_bytes(entry["schema"])
    with GateClient(settings.gate(code).public_url, Signer(key.keyid, key.private)) as client:
        return client.read(subject, record, schema, entry["category"], consent=to_bytes(consent), artefact=sealed)


def _received(settings: Settings, key: Key, consent: str) -> tuple[dict[str, Any], bytes]:
    """A consent's sealed artefact as its recipient gets it, and whom it is about."""
    with GatewayClient(settings.gateway.public_url) as client:
        client.log_in(key)
        sealed = client.sealed_artefact(consent)
    return sealed, artefact.open_sealed(sealed, to_bytes(key.id), key.private).scope.subject


def follow(settings: Settings, key: Key, identifier: str) -> dict[str, Any]:
    """An auditor follows an identifier through the mirror: nodes and edges."""
    with GatewayClient(settings.gateway.public_url) as client:
        client.log_in(key)
        life: dict[str, Any] = client.call("GET", f"/mirror/trace/{identifier}")
        return life


@dataclass(frozen=True)
class Judged:
    """An answer to "who could read", and which of its proofs hold here: all lines together, and each reading."""

    answer: dict[str, Any]
    lines_proved: bool
    readings_proved: list[bool]

    @property
    def holds(self) -> bool:
        """Everything that is on the ledger is proved; a reading of the last seconds may not be there yet."""
        return self.lines_proved and all(
            ok for ok, r in zip(self.readings_proved, self.answer["readings"], strict=True) if r["proof"]
        )


def who_could_read(
    settings: Settings, key: Key, identifier: str, height: int | None, time: int | None, artefacts: Iterable[Path]
) -> Judged:
    """An auditor asks who could read a record (or a person's records) at a moment; the proofs are checked here."""
    shown = [json.loads(path.read_text("utf-8")) for path in artefacts]
    body = {"identifier": identifier, "height": height, "time": time, "artefacts": shown}
    with GatewayClient(settings.gateway.public_url) as client:
        client.log_in(key)
        answer: dict[str, Any] = client.call("POST", "/audit/as-of", body=body)
    return judged(answer)


def judged(answer: dict[str, Any]) -> Judged:
    """Check an answer's proofs against the root and the batch roots it names."""
    section = Section.from_json(answer["section"])
    try:
        section.check(to_bytes(answer["root"]), section.size)
        listed = [line["consent"] for line in answer["lines"]] == [to_hex(leaf.consent.consent) for leaf in section.leaves]
    except Malformed:
        listed = False
    return Judged(answer, listed, [_reading_holds(reading) for reading in answer["readings"]])


def _reading_holds(reading: dict[str, Any]) -> bool:
    proof = reading["proof"]
    if proof is None:
        return False
    leaf = merkle.leaf_hash(salted_leaf(to_bytes(proof["salt"]), reading["receipt"].encode()))
    path = [to_bytes(h) for h in proof["hashes"]]
    return merkle.verify_inclusion(leaf, proof["leafIndex"], proof["treeSize"], path, to_bytes(proof["root"]))
