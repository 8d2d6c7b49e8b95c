"""Act two: a resident opens an account, a doctor asks, the resident grants by signature, and later revokes."""

from __future__ import annotations

import time

from core import crypto
from core.artefact import ConsentArtefact
from core.hexes import to_bytes, to_hex
from core.scope import Grantee, Scope
from core.vocabulary import category_number, purpose_number
from gateway.client import GatewayClient, GatewayProblem, Key
from gateway.identity.errors import EnrolmentRefused
from healthtrust import founding
from healthtrust.demo import sources
from healthtrust.demo.reading import sealed_of
from healthtrust.demo.sources import Protagonist
from healthtrust.demo.stage import ASKED, DAY, OPENED, Say, Stage, StoryFailed, must, until
from offchain import standards
from offchain.client import GateRefused, Reading
from offchain.keys import RegistrarKeys


def enrol(stage: Stage, said: Say) -> tuple[GatewayClient, Protagonist]:
    """A resident opens the account (or comes back to it); logged in when this returns."""
    who, *_ = sources.choose(stage.settings, stage.folders.values(), stage.custodies)
    gateway, name = stage.client(), f"resident-{who.number[-4:]}"
    key = stage.wallet.load(name)
    if key is None:
        key = stage.wallet.keep(name, Key.of("subject", who.subject, crypto.sm2_generate().private), who.name)
    if not _logged_in(gateway, key):
        _open_account(stage, gateway, who, key)
        until(lambda: _logged_in(gateway, key), "the new key opens the account")
    said(f"{who.name}, {sum(1 for _ in gateway.all_entries())} 份档案")
    return gateway, who


def _open_account(stage: Stage, gateway: GatewayClient, who: Protagonist, key: Key) -> None:
    """Have the key bound. The key file is written before: a demo that was cut short finds its activation code spent, and only
    waits for the binding it asked for."""
    try:
        made = gateway.enrol(who.number, who.name, activation(stage, who), key.private)
    except GatewayProblem as refused:
        if refused.code != EnrolmentRefused.default_code:
            raise
        return
    must(made.id == key.id, "the account belongs to the person of the records")


def _logged_in(gateway: GatewayClient, key: Key) -> bool:
    try:
        gateway.log_in(key)
    except GatewayProblem as refused:
        if refused.status != 401:
            raise
        return False
    return True


def grant(stage: Stage, resident: GatewayClient, doctor: Key, who: Protagonist, said: Say) -> ConsentArtefact:
    """The doctor asks; the resident previews, signs and answers."""
    asking = stage.client()
    asking.log_in(doctor)
    subject = asking.look_up(id_number=who.number)
    must(to_bytes(subject) == who.subject, "the doctor finds the patient by ID number")
    now = int(time.time())
    asked = asking.ask(
        subject=subject, purpose="TREAT", reason="门诊复诊，了解近期化验和用药", period=(now, now + 30 * DAY), categories=ASKED
    )
    pending = [r for r in resident.access_requests("waiting").items if r.id == asked.id]
    must(len(pending) == 1, "the resident sees the request")
    scope = _scope(who, doctor, now)
    preview = resident.preview(scope)
    must(preview.total > 0 and set(preview.categories) <= set(ASKED), "the preview shows what would open and nothing else")
    artefact, accepted = resident.grant(scope)
    resident.wait(accepted)
    resident.wait(resident.answer(asked.id, to_hex(artefact.consent)))
    said(f"会打开 {preview.total} 份（{', '.join(f'{k} {v}' for k, v in preview.categories.items())}），到 30 天后")
    return artefact


def revoke(stage: Stage, resident: GatewayClient, doctor: Key, granted: ConsentArtefact, reading: Reading, said: Say) -> None:
    """The resident revokes; every gate refuses the next reading."""
    caller = stage.client()
    caller.log_in(doctor)
    sealed = sealed_of(caller, granted)
    resident.wait(resident.revoke(to_hex(granted.consent)))
    record = reading.record
    for gate in stage.gates(doctor):
        try:
            gate.read(
                granted.scope.subject,
                to_bytes(record["id"]),
                to_bytes(record["schema"]),
                record["category"],
                consent=granted.consent,
                artefact=sealed,
            )
        except GateRefused as refusal:
            said(f"{refusal.http_status} {refusal.zh}")
        else:
            raise StoryFailed(detail="a revoked consent still opens a record")


def leave_a_question(stage: Stage, doctor: Key, who: Protagonist) -> None:
    """One request stays open, so that the resident's page has something to decide."""
    asking = stage.client()
    asking.log_in(doctor)
    now = int(time.time())
    asking.ask(
        subject=to_hex(who.subject),
        purpose="TREAT",
        reason="下周复诊前了解用药",
        period=(now, now + 7 * DAY),
        categories=["medication"],
    )


def activation(stage: Stage, who: Protagonist) -> str:
    """The code the identity office hands this person at the counter."""
    return RegistrarKeys(founding.registrar(stage.settings).ring).activation_code(who.subject)


def _scope(who: Protagonist, doctor: Key, now: int) -> Scope:
    masks = {}
    for code, names in OPENED.items():
        kind = standards.by_code(code)
        masks[kind.id] = sum(1 << (kind.numbers[name] - 1) for name in names)
    medication = standards.by_code("medication")
    masks[medication.id] = (1 << medication.element_count) - 1
    return Scope(
        subject=who.subject,
        grantee=Grantee("practitioner", to_bytes(doctor.id)),
        purposes=frozenset({purpose_number("TREAT")}),
        start=now - 60,
        end=now + 30 * DAY,
        categories=frozenset(category_number(c) for c in ASKED),
        fields=masks,
    )
