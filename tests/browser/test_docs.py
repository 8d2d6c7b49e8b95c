"""The interface description as somebody sees it who has no network but ours."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Platform

pytestmark = pytest.mark.browser


def test_the_description_shows_every_noun_and_asks_nobody_else(platform: Platform, chromium: Browser) -> None:
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{platform.url}/api/v1/docs")
    for noun in ("consents", "receipts", "mirror"):
        expect(page.locator(f"#operations-tag-{noun}")).to_be_visible(timeout=60_000)
    elsewhere = [url for url in asked if not url.startswith((platform.url, "data:"))]
    assert elsewhere == []
    page.close()
