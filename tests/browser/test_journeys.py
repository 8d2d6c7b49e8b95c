"""The main job through the pages, against a running platform: open, ask, narrow, read, prove, take back."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core import keyfile, verify
from tests.browser.conftest import Platform
from tests.browser.people import PASSPHRASE, DoctorAtDesk, Held, LyingGateway, ResidentAtPhone, reach, reach_text, shot
from tests.browser.test_screens import violations

LIES = [
    ("practitioner", "李静", False, "不是这一枚"),
    ("organisation", "（演示）", False, "不是这一枚"),
    ("practitioner", "李静", True, "现在没法核对"),
]
"""In whose name the gateway puts its own key, whether it also keeps the hospitals' gates away, and what the page says."""

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_key_is_made_on_the_phone_and_never_leaves_it(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    resident = ResidentAtPhone(chromium, platform)
    resident.open_account(next(platform.newcomers), tmp_path / "backup.json")
    shot(resident.page, "resident-home-360")
    private = keyfile.unlock(json.loads((tmp_path / "backup.json").read_text()), PASSPHRASE).private
    secrets = [private.hex(), base64.b64encode(private).decode(), PASSPHRASE, base64.b64encode(PASSPHRASE.encode()).decode()]
    sent = [f"{r.url} {r.headers} {r.post_data or ''}" for r in resident.window.sent]
    stored = resident.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    assert len(sent) > 5
    assert not [s for s in secrets if any(s in text for text in [*sent, stored])]
    resident.window.close()


def test_a_record_is_checked_on_the_phone_and_a_changed_one_is_noticed(
    chromium: Browser, platform: Platform, tmp_path: Path
) -> None:
    resident = ResidentAtPhone(chromium, platform)
    resident.open_account(next(platform.newcomers), tmp_path / "backup.json")
    resident.place("档案")
    resident.page.locator(".visit a.tap").first.click()
    expect(resident.page.get_by_text("没有被改动过").first).to_be_visible()
    shot(resident.page, "resident-record-360")
    assert violations(resident.page) == []

    def tampered(route, request) -> None:  # type: ignore[no-untyped-def]
        answer = route.fetch()
        document = answer.json()
        values = document["bundle"]["record"]["disclosure"]["values"]
        first = next(n for n, v in values.items() if v)
        values[first] = "改过"
        route.fulfill(response=answer, json=document)

    resident.page.route("**/gate/v1/records/read", tampered)
    resident.page.get_by_text("返回").click()
    resident.page.locator(".visit a.tap").first.click()
    expect(resident.page.get_by_text("和登记的不一样")).to_be_visible()
    shot(resident.page, "resident-record-changed-360")
    resident.window.close()


def test_ask_narrow_read_prove_take_back(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    who = next(platform.newcomers)
    resident, doctor = ResidentAtPhone(chromium, platform), DoctorAtDesk(chromium, platform)
    resident.open_account(who, tmp_path / "backup.json")
    doctor.log_in()
    doctor.find(who.number)
    doctor.ask()

    # The request arrives by itself on the phone, and shows exactly what would open.
    resident.page.locator(".waiting").wait_for()
    resident.open_request()
    shot(resident.page, "resident-request-360")
    assert violations(resident.page) == []
    expect(resident.page.get_by_text("执业身份已核实")).to_be_visible()
    resident.take_away("诊断")
    resident.take_item_away("检验", "计量单位")
    resident.allow()
    shot(resident.page, "resident-allowed-360")
    resident.finish()

    # The answer arrives by itself at the desk: what was left open is read, the rest is visibly withheld.
    doctor.section("检验")
    expect(doctor.page.get_by_text(re.compile("检验结果：计量单位（本人未开放）"))).to_be_visible()
    doctor.page.locator(".labs tbody tr").first.click()
    expect(doctor.page.get_by_text("校验一致")).to_be_visible()
    shot(doctor.page, "doctor-record-1440")
    assert violations(doctor.page) == []
    bundle = doctor.save_proof(tmp_path / "bundle.json")
    report = verify.verify(bundle)
    assert not [line for line in report.lines if line.ok is False]
    unit = next(e["n"] for e in bundle["record"]["schema"]["elements"] if e["name"]["zh"] == "计量单位")
    assert str(unit) not in bundle["record"]["disclosure"]["values"]
    doctor.page.get_by_role("tab", name="诊断与过敏").click()
    expect(doctor.page.get_by_text("诊断 · 本人未开放")).to_be_visible()

    # The resident sees who looked, takes it back, and the desk closes without reloading.
    resident.place("谁看过")
    expect(resident.page.get_by_text("李静").first).to_be_visible()
    shot(resident.page, "resident-readers-360")
    resident.take_back()
    expect(doctor.page.get_by_text("没有生效的授权")).to_be_visible()
    expect(doctor.page.locator(".labs")).to_have_count(0)
    doctor.window.close()
    resident.window.close()


def test_refused_is_final_and_tells_nothing(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    who = next(platform.newcomers)
    resident, doctor = ResidentAtPhone(chromium, platform), DoctorAtDesk(chromium, platform)
    resident.open_account(who, tmp_path / "backup.json")
    doctor.log_in()
    doctor.find(who.number)
    doctor.ask()
    resident.page.locator(".waiting").wait_for()
    resident.open_request()
    boxes = [resident.page.get_by_role("button", name=n, exact=True).bounding_box() for n in ("允许", "不允许")]
    assert all(boxes)
    assert len({(b["width"], b["height"]) for b in boxes if b}) == 1, "two equal buttons"
    resident.refuse()
    expect(doctor.page.get_by_text("患者没有同意这次申请")).to_be_visible()
    expect(doctor.page.locator("[role=tablist]")).to_have_count(0)
    doctor.window.close()
    resident.window.close()


def test_a_gateway_that_names_a_key_of_its_own_gets_nothing_sealed(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    who = next(platform.newcomers)
    resident, doctor = ResidentAtPhone(chromium, platform), DoctorAtDesk(chromium, platform)
    page = resident.page
    resident.open_account(who, tmp_path / "backup.json")
    doctor.log_in()
    doctor.find(who.number)
    doctor.ask()
    page.locator(".waiting").wait_for()
    resident.open_request()
    expect(page.locator(".openers li").first).to_contain_text("李静")

    # In somebody's name; or with the hospitals' own ledgers out of reach, so that nobody could contradict.
    lie = LyingGateway(page)
    for kind, name, silenced, said in LIES:
        lie.about(kind, silenced=silenced)
        page.get_by_role("button", name="允许", exact=True).click()
        resident.seal()
        for words in (name, said, "什么都没有给出去"):
            expect(page.get_by_role("alert")).to_contain_text(words)
        shot(page, f"resident-doubtful-{kind}{'-silent' if silenced else ''}-360")
    assert not [r for r in resident.window.sent if r.method == "POST" and r.url.endswith("/api/v1/consents")]

    lie.stop()
    resident.allow()
    doctor.window.close()
    resident.window.close()


def test_on_site_the_phone_scans_and_the_desk_opens(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    resident, doctor = ResidentAtPhone(chromium, platform), DoctorAtDesk(chromium, platform)
    resident.open_account(next(platform.newcomers), tmp_path / "backup.json")
    doctor.log_in()
    doctor.page.get_by_role("button", name="现场扫码申请").click()
    doctor.page.get_by_role("button", name="现场扫码", exact=True).click()
    doctor.page.locator(".qr img").wait_for()
    shot(doctor.page, "doctor-onsite-1440")
    assert violations(doctor.page) == []
    doctor.page.get_by_text("扫不了").click()
    code = doctor.page.locator(".qr code").inner_text()
    resident.scan_after_a_rebuild()
    resident.page.get_by_label("改为输入申请码").fill(code)
    resident.page.get_by_role("button", name="下一步").click()
    resident.page.locator(".editor").wait_for()
    resident.allow()
    expect(doctor.page.get_by_role("tablist")).to_be_visible()
    doctor.window.close()
    resident.window.close()


def test_a_new_phone_needs_backup_and_passphrase(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    old = ResidentAtPhone(chromium, platform)
    old.open_account(next(platform.newcomers), tmp_path / "backup.json")
    new = ResidentAtPhone(chromium, platform)
    new.import_backup(tmp_path / "backup.json", "不是这个密码哦哦")
    expect(new.page.get_by_text("密码不对")).to_be_visible()
    new.page.locator("[name=passphrase]").fill(PASSPHRASE)
    new.page.get_by_role("button", name="继续").click()
    expect(new.page.get_by_role("heading", name="我的档案")).to_be_visible()

    # A new seal makes the old phone's seal worthless.
    new.place("我的")
    new.page.get_by_text("换一枚新的印章").click()
    new.page.get_by_label("新密码").fill(PASSPHRASE + "二")
    new.page.get_by_label("再输入一次").fill(PASSPHRASE + "二")
    new.page.get_by_role("button", name="下一步").click()
    new.seal()
    expect(new.page.get_by_text("旧印章已经作废")).to_be_visible()
    old.page.reload()
    old.page.locator("[name=passphrase]").fill(PASSPHRASE)
    old.page.get_by_role("button", name="打开", exact=True).click()
    expect(old.page.get_by_role("alert")).to_be_visible()
    new.window.close()
    old.window.close()


def test_a_lost_phone_is_reported_and_a_false_seal_is_stopped(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    who = next(platform.newcomers)
    old, new = ResidentAtPhone(chromium, platform), ResidentAtPhone(chromium, platform)
    old.open_account(who, tmp_path / "backup.json")
    subject = json.loads((tmp_path / "backup.json").read_text())["keyid"].partition(":")[2]

    # Without a backup: a new code, a new seal, and days of waiting in which the old one can stop it.
    new.page.get_by_role("button", name="手机丢了，挂失").click()
    shot(new.page, "resident-lost-360")
    assert violations(new.page) == []
    new.page.get_by_role("button", name="我有新的开通码，重新办理").click()
    new.identify(who, who.later_code)
    expect(new.page.get_by_role("heading", name="还在等待")).to_be_visible()
    shot(new.page, "resident-recovering-360")
    assert violations(new.page) == []
    assert platform.waiting_key(subject) is not None

    # The old phone hears of it by itself, and stops it.
    expect(old.page.get_by_text("有人用您的名义办了一枚新印章").first).to_be_visible()
    shot(old.page, "resident-alarm-360")
    assert violations(old.page) == []
    old.page.get_by_role("button", name="不是我，停下这枚新印章").click()
    old.seal()
    expect(old.page.get_by_text("停下了，您的印章照常使用")).to_be_visible()
    shot(old.page, "resident-alarm-stopped-360")
    assert platform.waiting_key(subject) is None

    # The new phone says so by itself, and again when it is opened anew; the seal goes. The old one still opens.
    for opened_anew in (False, True):
        if opened_anew:
            new.page.reload()
        expect(new.page.get_by_role("heading", name="这枚新印章被停下了")).to_be_visible()
    shot(new.page, "resident-recovery-stopped-360")
    assert violations(new.page) == []
    new.page.get_by_role("button", name="从这部手机移除这枚新印章").click()
    expect(new.page.get_by_role("button", name="开通健康档案")).to_be_visible()
    expect(new.page.get_by_text("新印章在等待启用")).to_have_count(0)
    old.page.reload()
    old.unlock()
    new.window.close()
    old.window.close()


def test_doctor_without_a_mouse(chromium: Browser, platform: Platform) -> None:
    doctor = DoctorAtDesk(chromium, platform)
    page = doctor.page
    page.locator("input[type=file]").set_input_files(platform.doctor)
    page.locator("[name=passphrase]").focus()
    page.keyboard.type(platform.passphrase)
    page.keyboard.press("Enter")
    page.locator(".desk").wait_for()
    page.locator("#find").focus()
    page.keyboard.type("999999190001010000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("没有找到")).to_be_visible()
    for name in ("查找", "现场扫码申请"):
        reach_text(page, name)
    doctor.window.close()


def test_a_resident_answers_without_a_mouse(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    """Opening the account, reading the request, narrowing it, allowing it: with Tab, Space and Enter only."""
    who = next(platform.newcomers)
    resident, doctor = ResidentAtPhone(chromium, platform), DoctorAtDesk(chromium, platform)
    page = resident.page
    page.get_by_role("button", name="开通健康档案").wait_for()
    reach_text(page, "开通健康档案")
    page.keyboard.press("Enter")
    page.locator("[name=id-number]").wait_for()
    for name, text in {"id-number": who.number, "name": who.name, "code": who.code}.items():
        reach(page, f"[name={name}]")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.locator("[name=new-passphrase]").wait_for()
    for name in ("new-passphrase", "again"):
        reach(page, f"[name={name}]")
        page.keyboard.insert_text(PASSPHRASE)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="以后再说").wait_for()
    reach_text(page, "以后再说（在“我的”里）")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="我的档案")).to_be_visible()

    doctor.log_in()
    doctor.find(who.number)
    doctor.ask()
    page.locator(".waiting a").wait_for()
    reach(page, ".waiting a")
    page.keyboard.press("Enter")
    page.locator(".editor").wait_for()
    reach(page, ".kind .van-checkbox")
    before = page.locator(".kind .van-checkbox[aria-checked=true]").count()
    page.keyboard.press("Space")
    expect(page.locator(".kind .van-checkbox[aria-checked=true]")).to_have_count(before - 1)
    reach_text(page, "允许")
    page.keyboard.press("Enter")
    page.locator(".sheet [name=passphrase]").wait_for()
    reach(page, ".sheet [name=passphrase]")
    page.keyboard.insert_text(PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.get_by_text("想收回，随时到")).to_be_visible()
    expect(doctor.page.get_by_role("tablist")).to_be_visible()
    doctor.window.close()
    resident.window.close()


def test_on_a_slow_network_something_is_always_shown(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    resident = ResidentAtPhone(chromium, platform)
    resident.open_account(next(platform.newcomers), tmp_path / "backup.json")
    page, network = resident.page, resident.window.context.new_cdp_session(resident.page)
    slow = {"offline": False, "latency": 400, "downloadThroughput": 200_000, "uploadThroughput": 90_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.reload()
    sessions, consents = Held(page, "/api/v1/sessions"), Held(page, "/api/v1/consents")
    page.locator("[name=passphrase]").fill(PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_visible()
    sessions.release()
    expect(page.get_by_role("heading", name="我的档案")).to_be_visible()
    expect(page.locator(".van-skeleton").first).to_be_visible()
    consents.release()
    expect(page.locator(".van-skeleton")).to_have_count(0)

    # No network at all: said in words, nothing lost, tried again at a tap.
    network.send("Network.emulateNetworkConditions", {**slow, "offline": True})
    resident.place("谁看过")
    expect(page.get_by_role("alert")).to_contain_text("连不上服务")
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="再试一次").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    resident.window.close()
