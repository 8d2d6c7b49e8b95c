"""Break-glass through the pages: begun at the desk, confirmed by a colleague, told on the phone, read, reviewed, closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Newcomer, Platform
from tests.browser.people import PHONE, DoctorAtDesk, ResidentAtPhone, shot
from tests.browser.test_auditor import key_file, opened
from tests.browser.test_screens import sideways, violations

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]
REASON = "车祸昏迷，无法征求本人意见，家属不在"
TITLE = "有医生因紧急救治打开了您的档案"


def test_two_people_open_the_resident_is_told_an_auditor_closes(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    patient = next(platform.newcomers)
    resident = ResidentAtPhone(chromium, platform, size=PHONE)
    resident.open_account(patient, tmp_path / "backup.json")
    doctor, nurse = _at_the_desk(chromium, platform, patient)

    reason = f"{REASON}（{patient.number[-4:]}）"
    _begin(doctor, reason)
    waiting = nurse.page.locator(".one", has_text=reason)
    waiting.wait_for()
    shot(nurse.page, "emergency-confirm-1440")
    assert violations(nurse.page) == []
    expect(resident.page.get_by_text(TITLE)).to_have_count(0)
    waiting.get_by_role("button", name="我确认情况紧急").click()

    _told(resident, reason)
    _read(doctor)
    _reviewed(chromium, platform, reason)

    resident.page.reload()
    resident.unlock()
    expect(resident.page.get_by_text("不应当打开，已经关闭").first).to_be_visible()
    doctor.page.reload()
    doctor.log_in()
    doctor.find(patient.number)
    expect(doctor.page.get_by_text("还没有授权")).to_be_visible()
    for person in (resident, doctor, nurse):
        person.window.close()


def _at_the_desk(chromium: Browser, platform: Platform, patient: Newcomer) -> tuple[DoctorAtDesk, DoctorAtDesk]:
    doctor = DoctorAtDesk(chromium, platform)
    doctor.log_in()
    doctor.find(patient.number)
    nurse = DoctorAtDesk(chromium, replace(platform, doctor=key_file(platform, "nurse")))
    nurse.log_in()
    return doctor, nurse


def _begin(doctor: DoctorAtDesk, reason: str) -> None:
    page = doctor.page
    page.get_by_role("button", name="紧急调阅").click()
    begin = page.get_by_role("button", name="发起，等同事确认")
    expect(begin).to_be_disabled()
    page.locator("[name=emergency-reason]").fill(reason)
    shot(page, "emergency-begin-1440")
    assert violations(page) == []
    begin.click()
    expect(page.get_by_text("等待本院另一人确认")).to_be_visible()


def _told(resident: ResidentAtPhone, reason: str) -> None:
    page = resident.page
    resident.place("谁看过")
    expect(page.get_by_text(TITLE).first).to_be_visible()
    expect(page.get_by_text(reason)).to_be_visible()
    expect(page.get_by_text("王敏")).to_be_visible()
    shot(page, "emergency-told-360")
    assert violations(page) == []
    assert sideways(page) <= 0


def _read(doctor: DoctorAtDesk) -> None:
    page = doctor.page
    expect(page.get_by_text("紧急调阅中：患者已收到通知")).to_be_visible()
    doctor.section("检验")
    shot(page, "emergency-reading-1440")
    assert violations(page) == []
    expect(page.get_by_text("紧急调阅（没有患者授权")).to_be_visible()


def _reviewed(chromium: Browser, platform: Platform, reason: str) -> None:
    desk = opened(chromium, platform, PHONE)
    page = desk.page
    page.goto(f"{platform.url}/auditor/#/emergencies")
    emergency = page.locator(".emergency", has_text=reason)
    emergency.wait_for()
    shot(page, "emergency-review-360")
    assert violations(page) == []
    assert sideways(page) <= 0
    emergency.get_by_role("button", name="不应当").click()
    page.get_by_role("button", name="确定").click()
    expect(emergency.get_by_text("复核：不应当")).to_be_visible()
    desk.close()
