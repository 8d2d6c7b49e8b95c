"""The auditor's picture of who read what: readings as marks, the consent as a bar that ends where it was revoked."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Platform
from tests.browser.people import DESKTOP, PHONE, shot
from tests.browser.test_auditor import bundle, opened, search, search_until
from tests.browser.test_screens import sideways, violations

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(("size", "name"), [(PHONE, "360"), (DESKTOP, "1440")])
def test_who_read_what(chromium: Browser, platform: Platform, size: tuple[int, int], name: str) -> None:
    desk = opened(chromium, platform, size)
    page, proof = desk.page, bundle(platform)
    search_until(page, proof["record"]["id"], "refused")
    readings = page.locator(".readings")
    expect(readings.locator("circle.mark").first).to_be_visible()
    expect(readings.locator("path.refused").first).to_be_attached()
    expect(readings.locator("rect[data-end=revoked]").first).to_be_visible()
    expect(readings.get_by_text("李静（演示）").first).to_be_visible()
    rows = page.get_by_role("region", name="调阅一览").locator("tbody tr")
    expect(rows.filter(has_text="被拒绝").first).to_be_visible()
    shot(page, f"readings-record-{name}")
    search(page, proof["record"]["subject"])
    expect(readings.locator("rect[data-end=revoked]").first).to_be_visible()
    shot(page, f"readings-person-{name}")
    assert violations(page) == []
    assert sideways(page) <= 0
    desk.close()
