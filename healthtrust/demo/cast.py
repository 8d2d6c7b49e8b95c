"""The people of the demo. Each keeps an SM2 key in a key file, as a phone would; the pages can import the same files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import crypto, keyfile
from core.crypto import KeyPair
from core.hexes import to_bytes, to_hex
from core.ids import practitioner_id
from core.messages import CredentialIssue
from core.vocabulary import role_number
from gateway.client import GatewayClient, Key
from gateway.ledger.port import Call
from gateway.settings import Settings
from healthtrust import founding
from healthtrust.founding import Party

PASSPHRASE = "demo-demo-2026"  # noqa: S105
"""Of every key file the demo makes; printed, and good for nothing but the demo."""
YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True)
class Practitioner:
    """Somebody with a credential. ``role``: code of the vocabulary."""

    licence: str
    name: str
    title: str
    department: str
    role: str


DOCTOR = Practitioner("TEST-110310000001", "李静（演示）", "主治医师", "内科", "physician")
COLLEAGUE = Practitioner("TEST-110310000002", "王敏（演示）", "护士长", "急诊科", "nurse")
"""Confirms the doctor's emergencies."""
AUDITOR = Practitioner("TEST-AUDIT-0001", "周明（演示）", "审计员", "信息中心", "auditor")


class Wallet:
    """Key files under ``<home>/demo/keys``."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.path("demo", "keys", "x").parent

    def path(self, name: str) -> Path:
        """Where somebody's key file lies."""
        return self.folder / f"{name}.json"

    def load(self, name: str) -> Key | None:
        """Somebody's key, if they have one."""
        if not self.path(name).exists():
            return None
        document = json.loads(self.path(name).read_text("utf-8"))
        return Key(document["keyid"], keyfile.unlock(document, PASSPHRASE).private)

    def keep(self, name: str, key: Key, shown: str) -> Key:
        """Lock a key into its file."""
        pair = KeyPair(key.private, crypto.sm2_public(key.private))
        document = keyfile.lock(pair, key.keyid, shown, PASSPHRASE)
        self.path(name).write_text(json.dumps(document, ensure_ascii=False), "utf-8")
        self.path(name).chmod(0o600)
        return key


Write = Callable[[Call], None]


def employ(
    settings: Settings, wallet: Wallet, gateway: GatewayClient, person: Practitioner, employer: Party, write: Write
) -> Key:
    """Issue a practitioner's credential from the employer's ledger account (``write``) and publish the profile; once."""
    directory = bytes.fromhex(founding.registrar(settings).ring.ids)
    name, id = person.role, practitioner_id(directory, person.licence)
    key = wallet.load(name) or wallet.keep(name, Key.of("practitioner", id, crypto.sm2_generate().private), person.name)
    with founding.ledger_of(settings, employer) as ledger:
        held = ledger.read(Call("Identity", "credentialOf", {"practitioner": id}))
        domain = ledger.read(Call("Identity", "domain"))
    if held["status"] == 0:
        write(_credential(domain, employer.machine, id, key, person))
    gateway.sign_as(employer.machine)
    gateway.set_practitioner_profile(to_hex(id), person.name, person.title, person.department)
    return key


def _credential(domain: bytes, employer: Key, id: bytes, key: Key, person: Practitioner) -> Call:
    """The first credential of a practitioner, signed by the employer."""
    public, now = crypto.sm2_public(key.private), int(time.time())
    roles, since, until = 1 << role_number(person.role), now - 3600, now + YEAR_SECONDS
    organisation = to_bytes(employer.id)
    said = CredentialIssue(domain, organisation, id, public, roles, since, until, nonce=0)
    words = {"practitioner": id, "x": public[:32], "y": public[32:], "roles": roles, "notBefore": since, "notAfter": until}
    return Call("Identity", "issueCredential", {**words, "signature": crypto.sm2_sign(employer.private, said.pack())})
