"""Opening an account, finding a patient, practitioners: who learns what."""

from __future__ import annotations

import pytest
from sqlalchemy import event, select, update

from core import crypto, enrolment
from core.hexes import to_bytes, to_hex
from core.messages import CredentialIssue, CredentialRevoke, KeyBind
from core.vocabulary import role_number
from gateway import database
from gateway.client import GatewayClient, GatewayProblem
from gateway.evidence.models import Evidence, EvidenceBatch
from gateway.evidence.tasks import leaf
from gateway.identity.models import EnrolmentTicket
from gateway.identity.registry import Register
from gateway.ledger.port import Call
from gateway.operation.schemas import OperationOut
from offchain.keys import RegistrarKeys
from tests.gateway.house import House
from tests.scenarios.test_story import ID_NUMBER, NAME, enrol
from tests.support.world import Organisation


def directory(house: House) -> tuple[bytes, str]:
    """Somebody in the directory; subject and activation code."""
    registrar, subject = house.gateway.registrar, house.world.new_subject()
    entry = {"lookup": registrar.lookup(ID_NUMBER), "subject": subject, "nameCheck": registrar.name_check(NAME)}
    house.as_organisation(house.world.operator).fill_directory([{k: to_hex(v) for k, v in entry.items()}])
    return subject, registrar.activation_code(subject, 0)


def refusal(client: GatewayClient, number: str, name: str, code: str) -> tuple[int, str]:
    with pytest.raises(GatewayProblem) as caught:
        client.begin_enrolment(number, name, code)
    return caught.value.status, str({k: v for k, v in caught.value.document.items() if k != "request"})


def test_wrong_number_name_code_or_a_locked_number_all_get_one_answer(house: House) -> None:
    _, code = directory(house)
    client = house.open()
    answers = {
        refusal(client, "440305199001011234", NAME, code),
        refusal(client, ID_NUMBER, "别人", code),
        refusal(client, ID_NUMBER, NAME, "AAAAAAAAAA"),
    }
    answers |= {refusal(client, ID_NUMBER, NAME, "AAAAAAAAAB") for _ in range(3)}
    answers.add(refusal(client, ID_NUMBER, NAME, code))
    assert len(answers) == 1, "the sixth try is refused with everything right, in the same words"
    assert answers.pop()[0] == 403


def test_a_refusal_takes_the_same_steps_whatever_was_wrong(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes time is the same: statements, digests, questions to the ledger, in the same order. Seconds are not compared:
    they say more about the machine."""
    _, code = directory(house)
    client = house.open()
    steps: list[str] = []
    event.listen(house.gateway.engine, "before_cursor_execute", lambda _c, _x, text, *_: steps.append(text))
    for owner, name in ((enrolment, "hmac_sm3"), (enrolment, "lookup"), (Register, "subject")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, real=real, name=name: steps.append(name) or real(*a))

    def taken(number: str, name: str, code: str) -> list[str]:
        steps.clear()
        refusal(client, number, name, code)
        return steps.copy()

    refusal(client, ID_NUMBER, NAME, "AAAAAAAAAA")
    refusal(client, "440305199001011234", NAME, "AAAAAAAAAA")
    known = taken(ID_NUMBER, NAME, "AAAAAAAAAA")
    assert {"hmac_sm3", "lookup", "subject"} < set(known)
    assert taken("440305199001011234", NAME, "AAAAAAAAAA") == taken(ID_NUMBER, "别人", code) == known


def test_tries_are_counted_though_the_request_is_refused_and_cleared_by_success(house: House) -> None:
    _, code = directory(house)
    client = house.open()
    for _ in range(4):
        refusal(client, ID_NUMBER, NAME, "AAAAAAAAAA")
    assert client.begin_enrolment(ID_NUMBER, NAME, code).ticket
    for _ in range(5):
        refusal(client, ID_NUMBER, NAME, "AAAAAAAAAA")
    refusal(client, ID_NUMBER, NAME, code)


def test_only_the_registrar_fills_the_directory_and_nobody_changes_an_entry(house: House) -> None:
    subject, code = directory(house)
    registrar = house.gateway.registrar
    entry = {"lookup": to_hex(registrar.lookup(ID_NUMBER)), "subject": "0x" + "66" * 32, "nameCheck": "0x" + "77" * 32}
    with pytest.raises(GatewayProblem, match="forbidden"):
        house.as_organisation(house.world.hospital).fill_directory([entry])
    assert house.as_organisation(house.world.operator).fill_directory([entry]).known == 1
    assert house.open().begin_enrolment(ID_NUMBER, NAME, code).subject == to_hex(subject)


def test_a_ticket_binds_one_key_once_and_grows_old(house: House) -> None:
    _, code = directory(house)
    client, keys = house.open(), crypto.sm2_generate()
    begun = client.begin_enrolment(ID_NUMBER, NAME, code)
    wrong = {"publicKey": to_hex(keys.public), "possession": "0x" + "11" * 64}
    with pytest.raises(GatewayProblem, match="bad_signature"):
        client.call("POST", f"/identities/enrolments/{begun.ticket}", body=wrong)
    old = client.begin_enrolment(ID_NUMBER, NAME, code)
    with database.writer(house.gateway.engine) as db:
        db.execute(update(EnrolmentTicket).where(EnrolmentTicket.ticket == crypto.sm3(to_bytes(old.ticket))).values(expires=1))
        db.commit()
    with pytest.raises(GatewayProblem, match="ticket_invalid"):
        client.finish_enrolment(old, keys.private)
    second = client.begin_enrolment(ID_NUMBER, NAME, code)
    client.finish_enrolment(begun, keys.private)
    for used in (begun, second):
        with pytest.raises(GatewayProblem, match="ticket_invalid"):
            client.finish_enrolment(used, crypto.sm2_generate().private)


def test_a_code_whose_binding_failed_works_again(house: House) -> None:
    subject, code = directory(house)
    client, taken = house.open(), crypto.sm2_generate()
    begun = client.begin_enrolment(ID_NUMBER, NAME, code)
    # somebody binds this subject's key through another gateway a moment before
    from tests.support.world import Resident

    kick, house.gateway.kick = house.gateway.kick, lambda: None
    domain = to_bytes(begun.domain)
    public = crypto.sm2_public(taken.private)
    possession = crypto.sm2_sign(taken.private, KeyBind(domain, subject, public).pack())
    body = {"publicKey": to_hex(public), "possession": to_hex(possession)}
    client.call("POST", f"/identities/enrolments/{begun.ticket}", body=body)
    house.world.send((house.world.operator, house.world.binding(Resident(subject, crypto.sm2_generate()))))
    kick()
    failed = OperationOut.model_validate(client.call("GET", f"/identities/enrolments/{begun.ticket}", query={"wait": 2}))
    assert (failed.state, failed.detail.split("(")[0]) == ("failed", "KeyExists")
    assert client.begin_enrolment(ID_NUMBER, NAME, code).recovery


def test_the_intake_and_the_gateway_make_the_same_digests(house: House) -> None:
    registrar = house.gateway.registrar
    keys = RegistrarKeys(_ring(house))
    for number, name in ((ID_NUMBER, NAME), ("１１０１０５-19491231002x", "Ｏ'Neil · 買買提")):
        assert keys.lookup(number) == registrar.lookup(number)
        assert keys.name_check(name) == registrar.name_check(name)
    assert keys.activation_code(b"\5" * 32) == registrar.activation_code(b"\5" * 32, 0)
    assert registrar.activation_code(b"\5" * 32, 1) != registrar.activation_code(b"\5" * 32, 0)


def _ring(house: House):  # type: ignore[no-untyped-def]
    from gateway.keyring import load_or_create

    return load_or_create(house.home / "registrar" / "keys.json", "registrar")


def test_finding_a_patient_shows_only_that_there_is_an_account(house: House) -> None:
    doctor = house.as_practitioner(house.world.practitioner(house.world.hospital))
    directory(house)
    with pytest.raises(GatewayProblem) as not_open:
        doctor.look_up(id_number=ID_NUMBER)
    with pytest.raises(GatewayProblem) as unknown:
        doctor.look_up(id_number="440305199001011234")
    assert (not_open.value.code, not_open.value.detail) == (unknown.value.code, unknown.value.detail)
    with pytest.raises(GatewayProblem, match="invalid_request"):
        doctor.call("POST", "/identities/lookups", body={"id_number": ID_NUMBER, "code": "1234"})


def test_every_lookup_is_evidence_on_the_ledger_and_a_notice_to_the_patient(house: House) -> None:
    resident = enrol(house)
    person = house.world.practitioner(house.world.hospital)
    doctor, mine = house.as_practitioner(person), house.as_resident(resident)
    assert doctor.look_up(code=mine.make_code().code) == to_hex(resident.subject)
    with pytest.raises(GatewayProblem, match="nobody_found"):
        doctor.look_up(id_number="440305199001011234")
    house.gateway.kick()
    assert [n.kind for n in mine.notices().items] == ["lookup"]
    with database.reader(house.gateway.engine) as db:
        rows = list(db.scalars(select(Evidence).order_by(Evidence.id)))
        roots = {b.id: b.root for b in db.scalars(select(EvidenceBatch))}
    assert [row.content["subject"] for row in rows] == [to_hex(resident.subject), None]
    ledger, own = house.world.ledger, house.world.operator.id
    held = [
        ledger.read(Call("Evidence", "evidenceOf", {"organisation": own, "number": n}))["digest"]
        for n in range(ledger.read(Call("Evidence", "countOf", {"organisation": own})))
    ]
    from core import merkle

    for batch, root in roots.items():
        assert merkle.root(merkle.leaf_hashes(leaf(r) for r in rows if r.batch == batch)) == root
        assert root in held
    assert len(doctor.evidence().items) == 2
    assert house.as_practitioner(house.world.practitioner(house.world.hospital)).evidence().items == []


def test_lookups_are_limited_by_the_day(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.identity.service.LOOKUPS_A_DAY", 2)
    doctor = house.as_practitioner(house.world.practitioner(house.world.hospital))
    codes = []
    for n in range(3):
        with pytest.raises(GatewayProblem) as caught:
            doctor.look_up(id_number=f"44030519900101123{n}")
        codes.append(caught.value.code)
    assert codes == ["nobody_found", "nobody_found", "too_many_lookups"]


def test_practitioners_are_shown_as_their_own_organisation_says(house: House) -> None:
    person = house.world.practitioner(house.world.hospital)
    with pytest.raises(GatewayProblem, match="credential_unknown"):
        house.as_organisation(house.world.platform).set_practitioner_profile(to_hex(person.id), "骗子", "院长", "全院")
    own = house.as_organisation(house.world.hospital)
    own.set_practitioner_profile(to_hex(person.id), "测试医生", "主治医师", "内科")
    shown = house.as_resident(house.world.resident()).credential(to_hex(person.id))
    assert (shown.name, shown.title, shown.valid, shown.roles) == ("测试医生", "主治医师", True, ["physician"])


def test_credentials_are_issued_only_for_our_own_organisation(house: House) -> None:
    now = house.world.now()
    body = {
        "practitioner": "0x" + "31" * 32,
        "publicKey": to_hex(crypto.sm2_generate().public),
        "roles": ["auditor"],
        "notBefore": now - 1,
        "notAfter": now + 1000,
    }
    world, public = house.world, to_bytes(body["publicKey"], 64)
    id = to_bytes(body["practitioner"])

    def signed(member: Organisation) -> str:
        words = (member.id, id, public, 1 << role_number("auditor"), body["notBefore"], body["notAfter"], 0)
        said = CredentialIssue(world.domain("Identity"), *words).pack()
        return to_hex(crypto.sm2_sign(member.sm2.private, said))

    with pytest.raises(GatewayProblem, match="not_our_organisation"):
        house.as_organisation(world.hospital).call("POST", "/credentials", body={**body, "signature": signed(world.hospital)})
    own = house.as_organisation(world.operator)
    with pytest.raises(GatewayProblem, match="bad_signature"):
        own.call("POST", "/credentials", body={**body, "signature": signed(world.hospital)})
    made = own.call("POST", "/credentials", body={**body, "signature": signed(world.operator)})
    own.operation(made["operation"]["id"], wait=5)
    assert own.credential(body["practitioner"]).valid
    act = own.call("GET", f"/credentials/{body['practitioner']}/nonce")
    assert act == {"domain": to_hex(world.domain("Identity")), "nonce": 1}
    said = CredentialRevoke(world.domain("Identity"), world.operator.id, id, act["nonce"]).pack()
    wrong = {"signature": to_hex(crypto.sm2_sign(world.hospital.sm2.private, said))}
    with pytest.raises(GatewayProblem, match="bad_signature"):
        own.call("POST", f"/credentials/{body['practitioner']}/revocation", body=wrong)
    right = {"signature": to_hex(crypto.sm2_sign(world.operator.sm2.private, said))}
    made = own.call("POST", f"/credentials/{body['practitioner']}/revocation", body=right)
    own.operation(made["operation"]["id"], wait=5)
    assert not own.credential(body["practitioner"]).valid


def test_a_recovery_waits_is_told_and_the_old_key_stops_it(house: House) -> None:
    from core.words import kind_word, word

    resident = enrol(house)
    mine = house.as_resident(resident)
    with pytest.raises(GatewayProblem, match="no_recovery"):
        house.open().call("GET", f"/identities/recoveries/{to_hex(resident.subject)}")
    with house.open() as thief:
        begun = thief.begin_enrolment(ID_NUMBER, NAME, house.gateway.registrar.activation_code(resident.subject, 1))
        taker = crypto.sm2_generate()
        thief.finish_enrolment(begun, taker.private)
    assert "recovery-requested" in [n.kind for n in mine.notices().items]
    waiting = house.open().call("GET", f"/identities/recoveries/{to_hex(resident.subject)}")
    assert waiting["publicKey"] == to_hex(taker.public)
    with pytest.raises(GatewayProblem, match="recovery_too_early"):
        house.open().call("POST", f"/identities/recoveries/{to_hex(resident.subject)}/completion")
    message = (
        kind_word("healthtrust/key-veto/v1")
        + to_bytes(waiting["domain"])
        + resident.subject
        + taker.public
        + word(waiting["nonce"])
    )
    with pytest.raises(GatewayProblem, match="bad_signature"):
        mine.call("POST", "/identities/recoveries/veto", body={"signature": to_hex(crypto.sm2_sign(taker.private, message))})
    stopped = mine.call(
        "POST", "/identities/recoveries/veto", body={"signature": to_hex(crypto.sm2_sign(resident.keys.private, message))}
    )
    assert mine.operation(stopped["operation"]["id"], wait=5).state == "succeeded"
    with pytest.raises(GatewayProblem, match="no_recovery"):
        house.open().call("GET", f"/identities/recoveries/{to_hex(resident.subject)}")
