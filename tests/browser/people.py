"""What people do with the pages, in their own words; every step waits for what the person would wait for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect

from core import crypto
from core.hexes import to_hex
from tests.browser.conftest import Newcomer, Platform

PASSPHRASE = "春江潮水连海平呀"
SCREENSHOTS = Path(__file__).parents[2] / "test-artifacts" / "screenshots"
PHONE, TABLET, DESKTOP = (360, 780), (768, 1024), (1440, 900)
PATIENCE_MS = 200_000
"""How long a condition may take on a machine that does much else; nothing waits longer than it must."""
expect.set_options(timeout=PATIENCE_MS)


MOST_TABS = 80


def shot(page: Page, name: str) -> None:
    """Keep a picture of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@dataclass
class Watched:
    """A browser window; what it sent, and what went wrong in it."""

    context: BrowserContext
    page: Page
    sent: list[Request] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Close the window; AssertionError if a script failed in it."""
        self.context.close()
        assert not self.errors, self.errors


def window(browser: Browser, size: tuple[int, int], *, locale: str = "zh-CN", dark: bool = False, **options: Any) -> Watched:
    """A fresh device."""
    scheme: Any = "dark" if dark else "light"
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, locale=locale, color_scheme=scheme, reduced_motion="reduce", **options)
    context.set_default_timeout(PATIENCE_MS)
    watched = Watched(context, context.new_page())
    watched.page.on("request", lambda request: watched.sent.append(request))
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    return watched


class Held:
    """Requests whose path begins like this wait until one has seen what the page shows meanwhile."""

    def __init__(self, page: Page, path: str) -> None:
        self.waiting: list[Route] | None = []
        page.route(lambda url: urlsplit(url).path.startswith(path), self._meet)

    def _meet(self, route: Route) -> None:
        if self.waiting is None:
            route.continue_()
        else:
            self.waiting.append(route)

    def release(self) -> None:
        """Those that wait, and all that come."""
        waiting, self.waiting = self.waiting or [], None
        for route in waiting:
            route.continue_()


class LyingGateway:
    """Stands between the page and the gateway, and puts a key of its own in somebody's name among those to seal for."""

    def __init__(self, page: Page) -> None:
        self._page, self._key = page, to_hex(crypto.sm2_generate().public)
        self._kind, self._silenced = "", False
        page.route("**/api/v1/consents/prepare", self._prepare)
        page.route("**/gate/v1/keys", self._keys)

    def about(self, kind: str, *, silenced: bool) -> None:
        """The first recipient of this kind gets the false key from now on. ``silenced``: no gate is reached either."""
        self._kind, self._silenced = kind, silenced

    def stop(self) -> None:
        """Only honest answers from now on."""
        self.about("", silenced=False)

    def _prepare(self, route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        for recipient in [r for r in document["recipients"] if r["kind"] == self._kind][:1]:
            recipient["publicKey"] = self._key
        route.fulfill(response=answer, json=document)

    def _keys(self, route: Route) -> None:
        if self._silenced:
            route.abort()
        else:
            route.continue_()


def reach(page: Page, selector: str) -> None:
    """Tab until what the selector names has the focus. AssertionError where the keyboard does not get there."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def reach_text(page: Page, text: str) -> None:
    """Tab until the thing that says this has the focus. AssertionError where the keyboard does not get there."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == text:
            return
    raise AssertionError(f"the keyboard does not reach {text}")


class ResidentAtPhone:
    """A resident with the H5 page."""

    def __init__(self, browser: Browser, platform: Platform, **options: Any) -> None:
        self.platform = platform
        self.window = window(browser, options.pop("size", PHONE), **options)
        self.page = self.window.page
        self.page.goto(f"{platform.url}/resident/")

    def identify(self, who: Newcomer, code: str) -> None:
        """Say who one is, and set a passphrase."""
        page = self.page
        page.locator("[name=id-number]").fill(who.number)
        page.locator("[name=name]").fill(who.name)
        page.locator("[name=code]").fill(code)
        page.get_by_role("button", name="下一步").click()
        page.locator("[name=new-passphrase]").fill(PASSPHRASE)
        page.locator("[name=again]").fill(PASSPHRASE)
        page.get_by_role("button", name="下一步").click()

    def open_account(self, who: Newcomer, backup: Path) -> None:
        """From the first screen to the home page, with a backup saved."""
        page = self.page
        page.get_by_role("button", name="开通健康档案").click()
        self.identify(who, who.code)
        with page.expect_download() as saved:
            page.get_by_role("button", name="保存备份文件").click()
        saved.value.save_as(backup)
        page.get_by_role("button", name="进入我的档案").click()
        expect(page.get_by_role("heading", name="我的档案")).to_be_visible()

    def import_backup(self, backup: Path, passphrase: str = PASSPHRASE) -> None:
        """A new phone."""
        self.page.get_by_role("button", name="我有备份，换了手机").click()
        self.page.locator("input[type=file]").set_input_files(backup)
        self.page.locator("[name=passphrase]").fill(passphrase)
        self.page.get_by_role("button", name="继续").click()

    def unlock(self) -> None:
        """With the passphrase, by the keyboard."""
        self.page.locator("[name=passphrase]").fill(PASSPHRASE)
        self.page.keyboard.press("Enter")
        self.page.locator(".van-tabbar").wait_for()

    def place(self, name: str) -> None:
        """One of the five places."""
        self.page.locator(".van-tabbar-item", has_text=name).click()

    def open_request(self) -> None:
        """The request that waits on the first page."""
        self.page.locator(".waiting a").first.click()
        self.page.locator(".editor").wait_for()

    def scan_after_a_rebuild(self) -> None:
        """The scanner's part of the page is gone, as after a new build: the page loads itself anew, and then has it."""
        scan, part = self.page.get_by_role("button", name="扫医生的二维码"), "**/assets/Scan-*.js"
        self.page.route(part, lambda route: route.fulfill(status=404))
        scan.click()
        self.page.locator("[name=passphrase]").wait_for()
        self.page.unroute(part)
        assert all("/assets/Scan-" in error for error in self.window.errors), self.window.errors
        self.window.errors.clear()
        self.unlock()
        scan.click()

    def kind(self, name: str) -> Locator:
        """A kind of record on the request screen."""
        return self.page.locator(".kind").filter(has=self.page.get_by_text(name, exact=True))

    def take_away(self, name: str) -> None:
        """Untick a whole kind."""
        self.kind(name).locator(".van-checkbox").first.click()

    def take_item_away(self, kind: str, item: str) -> None:
        """Untick one item of a kind."""
        self.kind(kind).get_by_role("button", name="展开").click()
        self.kind(kind).get_by_role("button", name="只看其中几项").click()
        self.kind(kind).locator(".van-checkbox", has_text=item).click()

    def seal(self, passphrase: str = PASSPHRASE) -> None:
        """Enter the passphrase."""
        self.page.locator(".sheet [name=passphrase]").fill(passphrase)
        self.page.get_by_role("button", name="盖章", exact=True).click()

    def allow(self) -> None:
        """Allow, and wait for the one sentence."""
        self.page.get_by_role("button", name="允许", exact=True).click()
        self.seal()
        expect(self.page.get_by_text("想收回，随时到")).to_be_visible()

    def refuse(self) -> None:
        """Refuse, and wait for the one sentence."""
        self.page.get_by_role("button", name="不允许", exact=True).click()
        self.seal()
        expect(self.page.get_by_text("已告诉对方您不允许")).to_be_visible()

    def finish(self) -> None:
        """Back to where one came from."""
        self.page.get_by_role("button", name="完成").click()

    def take_back(self) -> None:
        """Revoke the newest consent."""
        self.place("授权")
        self.page.locator("a.item").first.click()
        self.page.get_by_role("button", name="不再允许").click()
        self.seal()
        expect(self.page.get_by_text("从现在起看不到您的档案了")).to_be_visible()


class DoctorAtDesk:
    """A doctor with the desk page."""

    def __init__(self, browser: Browser, platform: Platform, **options: Any) -> None:
        self.platform = platform
        self.window = window(browser, options.pop("size", DESKTOP), **options)
        self.page = self.window.page
        self.page.goto(f"{platform.url}/doctor/")

    def log_in(self) -> None:
        """With the key file."""
        self.page.locator("input[type=file]").set_input_files(self.platform.doctor)
        self.page.locator("[name=passphrase]").fill(self.platform.passphrase)
        self.page.get_by_role("button", name="登录").click()
        self.page.locator(".desk").wait_for()

    def find(self, number: str) -> None:
        """By ID number."""
        self.page.locator("#find").fill(number)
        self.page.get_by_role("button", name="查找", exact=True).click()

    def ask(self) -> None:
        """Three clicks from the patient."""
        self.page.get_by_role("button", name="申请调阅").click()
        self.page.get_by_role("button", name="门诊常用").click()
        self.page.get_by_role("button", name="发送申请").click()
        expect(self.page.get_by_text("等待患者答复…")).to_be_visible()

    def section(self, name: str) -> None:
        """A part of the record, read to its end."""
        self.page.get_by_role("tab", name=name).click()
        expect(self.page.locator(".el-progress")).to_have_count(0)

    def save_proof(self, path: Path) -> dict[str, Any]:
        """The bundle of the record that is selected."""
        with self.page.expect_download() as saved:
            self.page.get_by_role("button", name="下载证明包").click()
        saved.value.save_as(path)
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return document
