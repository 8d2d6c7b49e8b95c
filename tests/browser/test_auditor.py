"""An auditor follows one record from its creation to its readings, and from there on to the consent; nobody else gets in."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Platform
from tests.browser.people import DESKTOP, PHONE, TABLET, Watched, reach, shot, window
from tests.browser.test_screens import sideways, violations

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]
SIZES = {360: PHONE, 768: TABLET, 1440: DESKTOP}
LIFE = ("created", "indexed", "anchored", "granted", "read", "read (receipts)", "revoked", "refused")
"""What the demo does to the record of its bundle."""


def key_file(platform: Platform, name: str) -> Path:
    return platform.home / "demo" / "keys" / f"{name}.json"


def bundle(platform: Platform) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((platform.home / "demo" / "bundle.json").read_text("utf-8"))
    return document


def log_in(page: Page, platform: Platform, name: str = "auditor") -> None:
    page.goto(f"{platform.url}/auditor/")
    page.locator("input[type=file]").set_input_files(key_file(platform, name))
    page.locator("[name=passphrase]").fill(platform.passphrase)
    page.locator("button[type=submit]").click()


def opened(chromium: Browser, platform: Platform, size: tuple[int, int], locale: str = "zh-CN", dark: bool = False) -> Watched:
    desk = window(chromium, size, locale=locale, dark=dark)
    log_in(desk.page, platform)
    desk.page.locator("[name=identifier]").wait_for()
    return desk


def search(page: Page, identifier: str) -> None:
    page.locator("[name=identifier]").fill(identifier)
    page.locator("[name=identifier]").press("Enter")


def search_until(page: Page, identifier: str, kind: str) -> None:
    """Look again until a step is there: gates hand their receipts on a block later."""
    for _ in range(40):
        search(page, identifier)
        with suppress(AssertionError):
            expect(page.locator(f'.step[data-kind="{kind}"]').first).to_be_visible(timeout=5000)
            return
        page.evaluate("location.hash = '#/'")
    raise AssertionError(f"no step {kind} in the life of {identifier}")


@pytest.fixture(scope="module")
def desk(chromium: Browser, platform: Platform) -> Iterator[Watched]:
    watched = opened(chromium, platform, DESKTOP)
    yield watched
    watched.close()


def test_the_life_of_a_record_leads_to_its_consent(desk: Watched, platform: Platform) -> None:
    page, proof = desk.page, bundle(platform)
    search_until(page, proof["record"]["id"], "refused")
    expect(page.get_by_text("一份档案", exact=True)).to_be_visible()
    for kind in LIFE:
        expect(page.locator(f'.step[data-kind="{kind}"]').first).to_be_visible()
    receipt = page.locator(".step[data-kind=read]", has_text=f"回执 {proof['receipt']['number']} 号")
    receipt.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("李静")).to_be_visible()
    consent = proof["consent"]["artefact"]["consent"]
    drawer.get_by_role("link", name=consent).click()
    expect(page).to_have_url(re.compile(f"#/trace/{consent}"))
    expect(page.get_by_text("一项授权", exact=True)).to_be_visible()
    for kind in ("requested", "granted", "answered", "read", "revoked"):
        expect(page.locator(f'.step[data-kind="{kind}"]').first).to_be_visible()


def test_the_table_filters_sorts_keeps_its_address_and_exports(desk: Watched, platform: Platform) -> None:
    page = desk.page
    search(page, bundle(platform)["record"]["id"])
    rows = page.locator(".el-table__body tr")
    expect(rows.first).to_contain_text("产生")
    page.get_by_placeholder("筛选").fill("撤销")
    expect(rows.filter(has_text="产生")).to_have_count(0)
    page.locator(".el-table").get_by_role("columnheader", name="时间").click()
    expect(page).to_have_url(re.compile(r"sort=-time"))
    expect(page).to_have_url(re.compile(r"q=%E6%92%A4%E9%94%80"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="导出 CSV").click()
    lines = list(csv.reader(io.StringIO(saved.value.path().read_text("utf-8-sig"))))
    assert lines[0][0] == "时间"
    assert len(lines) - 1 == rows.count() > 0
    assert all("撤销" in " ".join(line) or "revoked" in " ".join(line) for line in lines[1:])


def test_blocks_transactions_and_what_nobody_knows(desk: Watched, platform: Platform) -> None:
    page, proof = desk.page, bundle(platform)
    for reference in (str(proof["decision"]["height"]), proof["decision"]["block"]):
        search(page, reference)
        expect(page.get_by_role("heading", name=f"区块 {proof['decision']['height']}", exact=True)).to_be_visible()
    search(page, proof["index"]["root"])
    step = page.locator('.step[data-kind="anchored"]').first
    step.click()
    page.get_by_role("dialog").get_by_role("link").filter(has_text=re.compile("^0x[0-9a-f]{64}$")).nth(1).click()
    expect(page.get_by_text("已上链", exact=True)).to_be_visible()
    search(page, "0x" + "ab" * 32)
    expect(page.get_by_role("heading", name="没有找到这个编号")).to_be_visible()
    search(page, "not an identifier")
    expect(page.get_by_role("alert")).to_contain_text("这不像一个编号")


def test_the_overview_is_live_and_counts_receipts(desk: Watched, platform: Platform) -> None:
    page = desk.page
    page.get_by_role("link", name="概况").click()
    expect(page.get_by_text("正在跟随")).to_be_visible()
    expect(page.locator(".stands .badge.good")).to_have_count(2)
    newest = page.locator("table tbody tr").first
    before = newest.inner_text()
    expect(newest).not_to_have_text(before)


def test_that_somebody_looked_is_kept(desk: Watched, platform: Platform) -> None:
    page, record = desk.page, bundle(platform)["record"]["id"]
    search(page, record)
    expect(page.get_by_text("这次查询已留痕")).to_be_visible()
    page.get_by_role("link", name="操作留痕").click()
    expect(page.locator(".el-table__row", has_text="审计查询").first).to_be_visible()
    expect(page.locator(f'a[title="{record}"]').first).to_be_visible()


def test_a_bundle_is_verified_in_the_console_and_leads_to_its_life(desk: Watched, platform: Platform) -> None:
    page = desk.page
    page.get_by_role("link", name="核对证明包").click()
    files = [platform.home / "demo" / "bundle.json", platform.home / "checkpoint.json"]
    page.locator("[name=bundle]").set_input_files(files)
    expect(page.locator("[data-exit]")).to_have_attribute("data-exit", "0")
    page.get_by_role("link", name=bundle(platform)["record"]["id"]).click()
    expect(page.locator(".step[data-kind=read]").first).to_be_visible()


def test_a_physician_does_not_get_in(chromium: Browser, platform: Platform) -> None:
    other = window(chromium, DESKTOP)
    log_in(other.page, platform, "physician")
    expect(other.page.get_by_role("alert")).to_contain_text("不是审计员")
    expect(other.page.locator("[name=identifier]")).to_have_count(0)
    other.page.locator("[name=passphrase]").fill("wrong passphrase")
    other.page.locator("button[type=submit]").click()
    expect(other.page.get_by_role("alert")).to_contain_text("密码不对")
    other.close()


def wide_tables(page: Page) -> int:
    """How many tables one has to push sideways to read."""
    script = (
        "[...document.querySelectorAll('.el-scrollbar__wrap, .scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    return int(page.evaluate(script))


def test_an_auditor_without_a_mouse(chromium: Browser, platform: Platform) -> None:
    desk = window(chromium, DESKTOP)
    page = desk.page
    page.goto(f"{platform.url}/auditor/")
    page.locator("input[type=file]").set_input_files(key_file(platform, "auditor"))
    reach(page, "[name=passphrase]")
    page.keyboard.type(platform.passphrase)
    page.keyboard.press("Enter")
    page.locator("[name=identifier]").wait_for()
    reach(page, "[name=identifier]")
    page.keyboard.type(bundle(platform)["record"]["id"])
    page.keyboard.press("Enter")
    page.locator(".step").first.wait_for()
    reach(page, ".step[data-kind=anchored]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    desk.close()


def test_no_arrow_of_the_picture_is_cut_off(desk: Watched, platform: Platform) -> None:
    page = desk.page
    search_until(page, bundle(platform)["record"]["id"], "read")
    script = """() => {
        const wide = document.querySelector('.canvas').getBoundingClientRect()
        return [...document.querySelectorAll('.link')].filter(l => l.getBoundingClientRect().right > wide.right).length
    }"""
    assert page.locator(".link").count() > 0
    assert page.evaluate(script) == 0


LOOKS = [(360, "zh-CN", False), (768, "zh-CN", False), (1440, "zh-CN", False), (1440, "en", False), (1440, "zh-CN", True)]


@pytest.mark.parametrize(("width", "locale", "dark"), LOOKS)
def test_screens(chromium: Browser, platform: Platform, width: int, locale: str, dark: bool) -> None:
    desk = opened(chromium, platform, SIZES[width], locale, dark)
    page, name = desk.page, "-".join([str(width), *(["en"] if locale == "en" else []), *(["dark"] if dark else [])])
    page.locator(".stands .badge").first.wait_for()
    looks = {"overview": ".feed li", "evidence": ".el-table__row", f"trace/{bundle(platform)['record']['id']}": ".step"}
    looks |= {f"trace/{bundle(platform)['decision']['height']}": "h3", "trace/0x" + "ab" * 32: "h2", "verify": "[name=bundle]"}
    for path, ready in looks.items():
        page.goto(f"{platform.url}/auditor/#/{path if path != 'overview' else ''}")
        page.locator(ready).first.wait_for(state="attached")
        shot(page, f"auditor-{path.replace('/', '-')[:14]}-{name}")
        assert sideways(page) <= 0, path
        assert wide_tables(page) == 0, path
        assert violations(page) == [], path
    desk.close()
