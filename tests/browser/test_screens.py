"""Pictures of the main screens in three widths, both languages, large and dark; and what axe-core says of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Platform
from tests.browser.people import DESKTOP, PASSPHRASE, PHONE, TABLET, DoctorAtDesk, ResidentAtPhone, shot

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PLACES = {"home": "", "records": "records", "consents": "consents", "readers": "readers", "mine": "mine"}
FURTHER = {
    "allow": "consents/new",
    "notices": "notices",
    "lost-open": "mine/lost",
    "change": "mine/change",
    "known": "mine/institutions",
    "code": "code",
}
BEFORE = {"start": "start", "enrol": "enrol", "import": "import", "lost-closed": "lost"}
LEAST_TARGET = 44


@pytest.fixture(scope="module")
def backup(chromium: Browser, platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's account, to be opened in many windows."""
    path = tmp_path_factory.mktemp("phone") / "backup.json"
    resident = ResidentAtPhone(chromium, platform)
    resident.open_account(next(platform.newcomers), path)
    resident.window.close()
    return path


def violations(page: Page) -> list[str]:
    """Serious and critical findings of axe-core, with where they are."""
    page.evaluate(AXE.read_text("utf-8"))
    found: Any = page.evaluate("axe.run({resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
    grave = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    return [f"{v['id']}: {n['html'][:160]}" for v in grave for n in v["nodes"][:3]]


def sideways(page: Page) -> int:
    """How many pixels the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


LOOKS = [
    (PHONE, "zh-CN", False, False),
    (PHONE, "zh-CN", True, False),
    (PHONE, "zh-CN", False, True),
    (PHONE, "en", False, False),
    (TABLET, "zh-CN", False, False),
    (DESKTOP, "en", False, False),
]


@pytest.mark.parametrize(("size", "locale", "large", "dark"), LOOKS)
def test_resident_screens(
    chromium: Browser, platform: Platform, backup: Path, size: tuple[int, int], locale: str, large: bool, dark: bool
) -> None:
    resident = ResidentAtPhone(chromium, platform, size=size, locale=locale, dark=dark)
    page = resident.page
    name = "-".join(filter(None, [str(size[0]), locale[:2], "large" if large else "", "dark" if dark else ""]))
    found = looked_at(page, BEFORE, name) if not large else []
    page.evaluate(
        "([file, large]) => { localStorage['healthtrust.resident.key'] = file; localStorage['healthtrust.large'] = large }",
        [backup.read_text("utf-8"), str(large).lower()],
    )
    page.evaluate("location.hash = '#/'")
    page.reload()
    page.locator("[name=passphrase]").fill(PASSPHRASE)
    page.keyboard.press("Enter")
    page.locator(".van-tabbar").wait_for()
    assert found + looked_at(page, PLACES | (FURTHER if size == PHONE else {}), name) == []
    resident.window.close()


def looked_at(page: Page, places: dict[str, str], name: str) -> list[str]:
    """What is wrong with these pages, each kept as a picture."""
    found: list[str] = []
    for place, path in places.items():
        page.evaluate("path => location.hash = '#/' + path", path)
        page.wait_for_function("path => location.hash === '#/' + path && !document.querySelector('.van-skeleton')", arg=path)
        shot(page, f"resident-{place}-{name}")
        found += [f"{place}: {v}" for v in violations(page)]
        found += [f"{place} scrolls sideways"] if sideways(page) > 0 else []
        found += [f"{place}: a small target: {t}" for t in _small_targets(page)] if name.startswith("360") else []
    return found


def _small_targets(page: Page) -> list[str]:
    """Things to tap that a thumb would miss."""
    found: list[str] = page.evaluate(
        """least => [...document.querySelectorAll('a, button, [role=checkbox], [role=radio], [role=tab]')]
            .map(e => [e, e.getBoundingClientRect()])
            .filter(([e, r]) => r.width && r.height < least)
            .map(([e, r]) => Math.round(r.height) + ' ' + e.outerHTML.slice(0, 120))""",
        LEAST_TARGET,
    )
    return found


@pytest.mark.parametrize(("size", "locale", "dark"), [(DESKTOP, "zh-CN", False), (DESKTOP, "en", True), (TABLET, "zh-CN", False)])
def test_doctor_screens(chromium: Browser, platform: Platform, size: tuple[int, int], locale: str, dark: bool) -> None:
    doctor = DoctorAtDesk(chromium, platform, size=size, locale=locale, dark=dark)
    page = doctor.page
    name = f"{size[0]}-{locale[:2]}{'-dark' if dark else ''}"
    shot(page, f"doctor-login-{name}")
    assert violations(page) == []
    page.locator("input[type=file]").set_input_files(platform.doctor)
    page.locator("[name=passphrase]").fill(platform.passphrase)
    page.keyboard.press("Enter")
    page.locator(".desk").wait_for()
    shot(page, f"doctor-desk-{name}")
    assert violations(page) == []
    assert sideways(page) <= 0
    doctor.window.close()
