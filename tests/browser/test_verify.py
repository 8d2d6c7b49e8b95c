"""Anybody checks a proof bundle on their own device, without log-in and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from core import keyfile, verify
from core.hexes import to_bytes
from core.verify import words
from core.vocabulary import category_code
from offchain.client import GateClient, resident
from tests.browser.conftest import Platform
from tests.browser.people import DESKTOP, PHONE, TABLET, Watched, shot, window
from tests.browser.test_screens import sideways, violations

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(900)]
SIZES = {360: PHONE, 768: TABLET, 1440: DESKTOP}
SHOWN = {"true": True, "false": False, None: None}


@pytest.fixture
def phone(chromium: Browser, platform: Platform) -> Iterator[Watched]:
    watched = opened(chromium, platform, PHONE)
    yield watched
    watched.close()


def opened(chromium: Browser, platform: Platform, size: tuple[int, int], locale: str = "zh-CN", dark: bool = False) -> Watched:
    watched = window(chromium, size, locale=locale, dark=dark)
    watched.page.goto(f"{platform.url}/verify/", wait_until="networkidle")
    return watched


def documents(platform: Platform) -> tuple[Any, Any]:
    bundle = platform.home / "demo" / "bundle.json"
    return json.loads(bundle.read_text("utf-8")), json.loads((platform.home / "checkpoint.json").read_text("utf-8"))


def give(page: Page, folder: Path, bundle: Any, checkpoint: Any = None) -> None:
    given = {"bundle.json": bundle} | ({} if checkpoint is None else {"checkpoint.json": checkpoint})
    for name, document in given.items():
        (folder / name).write_text(json.dumps(document), "utf-8")
    page.locator("[name=bundle]").set_input_files([folder / name for name in given])


def seen(page: Page) -> tuple[int, dict[str, bool | None]]:
    """Exit code and lines as the page shows them."""
    verdict = page.locator("[data-exit]")
    verdict.wait_for()
    lines = page.locator("[data-code]").all()
    marks = {str(line.get_attribute("data-code")): SHOWN[line.get_attribute("data-ok")] for line in lines}
    return int(str(verdict.get_attribute("data-exit"))), marks


def said(report: verify.Report) -> tuple[int, dict[str, bool | None]]:
    return report.exit_code, {line.code: line.ok for line in report.lines if line.code in words.TEXTS}


def test_accepts_the_demos_bundle_with_its_checkpoint(phone: Watched, platform: Platform, tmp_path: Path) -> None:
    bundle, checkpoint = documents(platform)
    give(phone.page, tmp_path, bundle, checkpoint)
    expect(phone.page.get_by_role("heading", name="全部成立")).to_be_visible()
    assert seen(phone.page) == said(verify.verify(bundle, checkpoint))


def test_says_what_is_missing_without_a_checkpoint_and_takes_it_afterwards(
    phone: Watched, platform: Platform, tmp_path: Path
) -> None:
    bundle, checkpoint = documents(platform)
    give(phone.page, tmp_path, bundle)
    expect(phone.page.get_by_text("要一份检查点文件")).to_be_visible()
    assert seen(phone.page) == said(verify.verify(bundle))
    (tmp_path / "later.json").write_text(json.dumps(checkpoint), "utf-8")
    phone.page.locator("[name=checkpoint]").set_input_files(tmp_path / "later.json")
    expect(phone.page.locator('[data-exit="0"]')).to_be_visible()


def test_a_residents_own_reading(phone: Watched, platform: Platform, tmp_path: Path) -> None:
    """No consent and no credential in it: other lines are shown, and the page says the same as the program."""
    bundle, _ = documents(platform)
    asked = bundle["decision"]["request"]
    files = [json.loads(p.read_text("utf-8")) for p in (platform.home / "demo" / "keys").glob("resident-*.json")]
    key = keyfile.unlock(next(f for f in files if f["keyid"] == f"subject:{asked['subject']}"), platform.passphrase)
    gate = re.search(r'"@target-uri": (http://[^/]+)/', bundle["request"]["base"])
    assert gate
    subject, record, schema = (to_bytes(asked[name]) for name in ("subject", "record", "schema"))
    with GateClient(gate[1], resident(subject, key.private)) as client:
        own = client.complete(client.read_own(subject, record, schema, category_code(asked["category"])).bundle)
    assert own["decision"]["reason"] == "self"
    give(phone.page, tmp_path, own)
    code, lines = seen(phone.page)
    assert (code, lines) == said(verify.verify(own))
    assert code == 3
    assert lines["consent"] is None


def tampered(bundle: Any, how: str) -> Any:
    """A bundle with one thing changed."""
    made = json.loads(json.dumps(bundle))
    values = made["record"]["disclosure"]["values"]
    if how == "content":
        values[next(iter(values))] = "改过"
    elif how == "consent":
        made["consent"]["artefact"]["scope"]["period"]["end"] += 86_400
    elif how == "reader":
        made["decision"]["request"]["requester"] = "0x" + "ab" * 32
    elif how == "receipt":
        made["receipt"]["json"] = made["receipt"]["json"].replace('"TREAT"', '"HRESCH"')
    else:
        proof = made["ledger"]["proofs"][0]["account"]
        proof[0] = proof[0][:-2] + ("00" if proof[0][-2:] != "00" else "01")
    return made


@pytest.mark.parametrize("how", ["content", "consent", "reader", "receipt", "ledger"])
def test_refuses_a_tampered_one(phone: Watched, platform: Platform, tmp_path: Path, how: str) -> None:
    bundle, checkpoint = documents(platform)
    false = tampered(bundle, how)
    give(phone.page, tmp_path, false, checkpoint)
    expect(phone.page.get_by_role("heading", name="不成立", exact=False).first).to_be_visible()
    report = verify.verify(false, checkpoint)
    assert report.exit_code == 1
    assert seen(phone.page) == said(report)


def test_something_else_is_no_bundle(phone: Watched, tmp_path: Path) -> None:
    (tmp_path / "photo.json").write_bytes(b"\xff\xd8\xff\xe0 no JSON at all")
    phone.page.locator("[name=bundle]").set_input_files(tmp_path / "photo.json")
    expect(phone.page.get_by_role("heading", name="这不是证明包")).to_be_visible()


def test_works_without_a_network_and_asks_nobody(phone: Watched, platform: Platform, tmp_path: Path) -> None:
    bundle, checkpoint = documents(platform)
    phone.context.set_offline(True)
    before = len(phone.sent)
    give(phone.page, tmp_path, bundle, checkpoint)
    expect(phone.page.locator('[data-exit="0"]')).to_be_visible()
    assert len(phone.sent) == before
    phone.context.set_offline(False)
    blocked = phone.page.evaluate("fetch('/api/v1/health').then(() => 'sent', () => 'refused')")
    assert blocked == "refused", "the page's own policy lets nothing out, network or not"


LOOKS = [(360, "zh-CN", False), (768, "zh-CN", False), (1440, "zh-CN", False), (360, "en", False), (1440, "zh-CN", True)]


@pytest.mark.parametrize(("width", "locale", "dark"), LOOKS)
def test_screens(chromium: Browser, platform: Platform, tmp_path: Path, width: int, locale: str, dark: bool) -> None:
    watched = opened(chromium, platform, SIZES[width], locale, dark)
    page, name = watched.page, "-".join([str(width), *(["en"] if locale == "en" else []), *(["dark"] if dark else [])])
    bundle, checkpoint = documents(platform)
    shot(page, f"verify-start-{name}")
    for look, given in {"holds": bundle, "false": tampered(bundle, "content")}.items():
        give(page, tmp_path, given, checkpoint)
        page.locator(f'[data-exit="{0 if look == "holds" else 1}"]').wait_for()
        shot(page, f"verify-{look}-{name}")
        assert sideways(page) <= 0
        assert violations(page) == []
    page.emulate_media(media="print")
    shot(page, f"verify-print-{name}")
    watched.close()
