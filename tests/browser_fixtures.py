"""A real browser for tests of pages. Tests that use it carry the marker ``browser``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from ddrscope.analysis import AnalysisResult

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "Chromium is not installed: apt-get install chromium"
        # Continuous integration must not skip these tests.
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Browser, result: AnalysisResult, folder: Path, width: int) -> tuple[Any, dict[str, list[str]]]:
    """Opens the report of a result.

    Returns the page and lists of console messages, network requests and dialogs, all of which should stay empty.
    """
    from ddrscope.viz.analysis_page import report_html

    file = folder / "page.html"
    file.write_text(report_html(result), encoding="utf-8")
    seen: dict[str, list[str]] = {"console": [], "requests": [], "dialogs": []}
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(120_000)
    page.on("console", lambda message: seen["console"].append(message.text))
    page.on("pageerror", lambda error: seen["console"].append(str(error)))
    page.on("dialog", lambda dialog: (seen["dialogs"].append(dialog.message), dialog.dismiss()))
    local = ("file:", "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(local) else seen["requests"].append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("#map .scatterlayer .point")
    return page, seen
