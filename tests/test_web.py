"""`ddrscope serve` as a visitor meets it: the real server in a process of its own, a real browser, real pictures."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from ddrscope.analysis import AnalysisResult
from ddrscope.cli.app import repeat_options
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.generalization import generalize
from ddrscope.images import bundled_photos, read_picture
from ddrscope.networks import load_network
from ddrscope.restoration import map_embeddings

if importlib.util.find_spec("gradio") is None and not os.environ.get("CI"):
    pytest.skip("gradio is not installed: pip install 'ddrscope[web]'", allow_module_level=True)

TABS = ("What is wrong with my picture", "Compare networks", "Damage it yourself")
# A name that would run, were it read as HTML.
HOSTILE = '"><img src=x onerror=alert(1)>.png'
LIMIT = 300_000
# The command in a process that notes down whom it talks to, and may talk to itself only.
GUARD = """
import socket, sys
log, words = sys.argv[1], sys.argv[2:]
def guarded(real):
    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            print(address, file=open(log, "a"))
            raise OSError("no network here")
        return real(self, address)
    return connect
socket.socket.connect, socket.socket.connect_ex = guarded(socket.socket.connect), guarded(socket.socket.connect_ex)
from ddrscope.cli import main
main(words)
"""


@dataclass
class Served:
    """The server's address, where it keeps files, whom it tried to talk to, and its process."""

    url: str
    temporary: Path
    talked: Path
    errors: Path
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def served(small_result: AnalysisResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    small_result.save(folder / "look")
    sets = ["blur:2", "blur:4"]
    generalize([load_network("srresnet-wgr")], degradations=sets, patches=48, patch=64, components=20, resamples=50).save(folder / "scores")
    temporary = folder / "tmp"
    temporary.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["serve", "--port", str(port), "--results", "look", "scores", "--max-megabytes", str(LIMIT / 1e6), "--max-megapixels", "0.3"]
    environment = os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", GUARD, folder / "talked", *words], cwd=folder, env=environment, stdout=errors, stderr=errors
        )
    one = Served(f"http://127.0.0.1:{port}/", temporary, folder / "talked", folder / "errors", process)
    try:
        while "serving at" not in one.errors.read_text():
            assert process.poll() is None, one.errors.read_text()
            time.sleep(0.2)
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@dataclass
class Visit:
    """A page as one visitor sees it, and what it says, asks of others, and does that it must not."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def tab(self, number: int) -> None:
        self.page.get_by_role("tab", name=TABS[number]).click()

    def upload(self, where: str, path: Path) -> None:
        self.page.locator(f"#{where} input[type=file]").set_input_files(path)

    def image(self, where: str, nth: int = 0) -> Locator:
        return self.page.locator(f"#{where} img").nth(nth)

    def source(self, where: str) -> str:
        return self.image(where).get_attribute("src") or ""

    def complaint(self) -> str:
        """What the page complains of, which is then put away."""
        toast = self.page.locator(".toast-body").first
        toast.wait_for()
        text = toast.inner_text()
        toast.get_by_role("button").click()
        return text

    def quiet(self) -> bool:
        return self.console == [] and self.requests == [] and self.dialogs == []


def visit(context: BrowserContext, served: Served) -> Visit:
    one = Visit(context.new_page())
    one.page.on("console", lambda message: one.console.append(message.text) if message.type in ("error", "warning") else None)
    one.page.on("pageerror", lambda error: one.console.append(str(error)))
    one.page.on("dialog", lambda dialog: (one.dialogs.append(dialog.message), dialog.dismiss()))
    ours = (served.url, "data:", "blob:")
    one.page.on("request", lambda request: None if request.url.startswith(ours) else one.requests.append(request.url))
    one.page.set_default_timeout(60_000)
    one.page.goto(served.url)
    one.page.get_by_role("tab", name=TABS[0]).wait_for()
    return one


@pytest.fixture
def visitor(browser: Browser, served: Served) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield visit(context, served)
    context.close()


def picture(path: Path, damage: str, side: int = 128, photo: str = "coffee__1") -> Path:
    pixels = parse_degradation(damage).apply(read_picture(bundled_photos() / f"{photo}.png").pixels[:side, :side])
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(path)
    return path


def test_a_picture_is_looked_at(visitor: Visit, tmp_path: Path) -> None:
    visitor.upload("examine-upload", picture(tmp_path / HOSTILE, "noise:40"))
    verdict = visitor.page.locator("#examine-verdict")
    expect(verdict).to_contain_text("Group: noise", timeout=60_000)
    assert re.search(r"probability of \d+%.*Level \d\.\d of 5 \(80 % interval .*Novelty [01]\.\d\d", verdict.inner_text(), re.S)
    visitor.image("examine-where").wait_for()
    visitor.image("examine-near", 5).wait_for()
    assert "noise" in visitor.page.locator("#examine-near").inner_text()
    visitor.image("examine-slider", 1).wait_for()
    sizes = visitor.page.eval_on_selector_all("#examine-slider img", "all => all.map(one => [one.naturalWidth, one.naturalHeight])")
    assert sizes == [[512, 512], [512, 512]]
    with visitor.page.expect_download() as saved:
        visitor.page.locator("#examine-map").get_by_role("button", name="Download").click()
    assert min(Image.open(saved.value.path()).size) > 400
    before = visitor.source("examine-slider")
    across = visitor.page.locator("#examine-across input[type=range]")
    across.focus()
    visitor.page.keyboard.press("End")
    visitor.page.get_by_role("button", name="Enlarge this place").click()
    # The picture is no larger than the place: the same again.
    expect(visitor.page.locator("#examine-slider .progress-text")).to_have_count(0)
    assert visitor.source("examine-slider") == before
    assert visitor.page.locator("img[src=x]").count() == 0
    assert visitor.quiet(), visitor
