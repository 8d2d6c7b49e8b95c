"""An auditor looks at the chain, at whether the mirrors agree, and at who could read a record at a moment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gateway.settings import Settings
from healthtrust.attest import attest
from healthtrust.founding import registrar
from mirror.agreement import agreement
from mirror.database import Database
from mirror.live import Live
from tests.browser.conftest import Platform
from tests.browser.people import DESKTOP, PHONE, Watched, shot
from tests.browser.test_auditor import SIZES, bundle, opened, wide_tables
from tests.browser.test_screens import sideways, violations
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def settings(platform: Platform) -> Settings:
    return Settings(home=platform.home, port_base=int(platform.url.rpartition(":")[2]))


@pytest.fixture(scope="module")
def said(platform: Platform, settings: Settings) -> int:
    """Every organisation has signed what its mirror holds of the block in which the demo's decision was made."""
    height = int(bundle(platform)["decision"]["height"])
    codes = [registrar(settings).code, *(gate.code for gate in settings.gates)]
    for code in codes:
        attest(settings, code, height)
    with closing(Database(settings.mirror_database())) as database:
        live = Live(database)
        until(lambda: any(at.height == height and len(at.said) >= len(codes) for at in agreement(live).heights))
    assert not any(attest(settings, code, height).new for code in codes), "said once"
    return height


@pytest.fixture(scope="module")
def desk(chromium: Browser, platform: Platform, said: int) -> Iterator[Watched]:
    watched = opened(chromium, platform, DESKTOP)
    yield watched
    watched.close()


def test_the_explorer_shows_the_chain_and_who_agrees(desk: Watched, said: int) -> None:
    page = desk.page
    page.get_by_role("link", name="链上浏览").click()
    expect(page.locator("[data-panel=agreement]").get_by_text(f"3 家机构在区块 {said} 一致 ✓")).to_be_visible()
    expect(page.locator("[data-panel=contracts] li", has_text="居民授权")).to_be_visible()
    expect(page.locator("[data-panel=organisations] li")).to_have_count(3)
    expect(page.locator("[data-panel=chart] svg")).to_be_visible()
    first = page.locator("[data-panel=transactions] li", has_text="留痕").first
    expect(first).to_be_visible()
    first.get_by_role("link").nth(1).click()
    expect(page).to_have_url(re.compile("#/trace/0x[0-9a-f]{64}"))
    expect(page.get_by_role("heading", name="一笔交易")).to_be_visible()


def test_who_could_read_then(desk: Watched, platform: Platform, said: int, tmp_path: Path) -> None:
    page, proof = desk.page, bundle(platform)
    record, consent = proof["record"]["id"], proof["consent"]["artefact"]
    page.goto(f"{platform.url}/auditor/#/as-of?id={record}&height={said}")
    could = page.locator("[data-panel=could]")
    expect(could.locator("[data-proved].good")).to_be_visible()
    expect(could.locator("[data-attested] .good")).to_contain_text("3 家机构")
    line = could.locator("li", has=page.locator(f'a[title="{consent["consent"]}"]'))
    expect(line).to_contain_text("密封")
    shown = tmp_path / "artefact.json"
    shown.write_text(json.dumps(consent), "utf-8")
    page.locator("[name=artefacts]").set_input_files(shown)
    expect(line).to_contain_text("李静")
    expect(line.get_by_text("可以看")).to_be_visible()

    page.locator("[name=as-of]").fill(record)
    page.locator("[name=as-of]").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("授权书")
    page.reload()


def test_readings_are_on_the_ledger_and_the_revoked_consent_has_ended(chromium: Browser, platform: Platform, said: int) -> None:
    desk = opened(chromium, platform, PHONE)
    page, proof = desk.page, bundle(platform)
    page.evaluate("id => location.hash = '#/as-of?id=' + id", proof["record"]["id"])
    could, did = page.locator("[data-panel=could]"), page.locator("[data-panel=did]")
    expect(could.locator("[data-proved].good")).to_be_visible()
    expect(could.locator("li", has_text="已撤销").first).to_be_visible()
    expect(did.locator("li", has_text="李静").filter(has_text="回执在链上 ✓").first).to_be_visible()
    page.get_by_role("button", name=str(said)).click()
    expect(could.locator("[data-attested] .good")).to_be_visible()
    desk.close()


LOOKS = [(360, "zh-CN", False), (768, "zh-CN", False), (1440, "zh-CN", False), (1440, "en", True)]


@pytest.mark.parametrize(("width", "locale", "dark"), LOOKS)
@pytest.mark.usefixtures("said")
def test_screens(chromium: Browser, platform: Platform, width: int, locale: str, dark: bool) -> None:
    desk = opened(chromium, platform, SIZES[width], locale, dark)
    page, name = desk.page, f"{width}-{locale[:2]}{'-dark' if dark else ''}"
    record = bundle(platform)["record"]["id"]
    # Of this moment: at the decision's own block the reading, which came after it, has not happened yet.
    looks = {"explorer": "[data-panel=contracts] li", f"as-of?id={record}": "[data-panel=did] li"}
    for path, ready in looks.items():
        page.evaluate("path => location.hash = '#/' + path", path)
        page.locator(ready).first.wait_for()
        shot(page, f"auditor-{path.partition('?')[0]}-{name}")
        assert sideways(page) <= 0, path
        assert wide_tables(page) == 0, path
        assert violations(page) == [], path
    desk.close()
