"""`ddrscope serve` as a visitor meets it: the real server in a process of its own, a real browser, real images."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from ddrscope.analysis import AnalysisResult
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.generalization import generalize
from ddrscope.images import bundled_photos, read_image
from ddrscope.io.files import write_json
from ddrscope.networks import load_network
from ddrscope.upscaling import map_embeddings
from ddrscope.webapp.request_filter import kept_bytes

if importlib.util.find_spec("gradio") is None and not os.environ.get("CI"):
    pytest.skip("gradio is not installed: pip install 'ddrscope[web]'", allow_module_level=True)

TABS = ("Examine an image", "Compare networks", "Degrade an image")
# A name that would run, were it read as HTML.
HOSTILE = '"><img src=x onerror=alert(1)>.png'
LIMIT = 300_000
CHANGED = "([where, before]) => document.querySelector(`#${where} img`)?.src && document.querySelector(`#${where} img`).src !== before"
# Inputs and buttons that a screen reader has no name for, and images without a text.
NAMELESS = """() => [...document.querySelectorAll('input, button, select, textarea, img')].filter(one => one.offsetParent).filter(one =>
  one.tagName === 'IMG' ? !one.hasAttribute('alt')
  : !(one.labels?.length || one.getAttribute('aria-label') || one.getAttribute('aria-labelledby') || one.title
      || one.innerText?.trim() || one.querySelector('img[alt]:not([alt=""])')))
  .map(one => one.outerHTML.slice(0, 200))"""
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
    temporary = folder / "tmp"
    for one in (temporary, folder / "look", folder / "scores"):
        one.mkdir()
    # What `save` writes, but for the page and its figures, which take longer than all of this.
    small_result.write(folder / "look")
    scores = generalize(
        [load_network("srresnet-wgr")], degradations=["blur:4"], patches=24, patch=64, components=10, resamples=50
    )
    write_json(folder / "scores" / "generalization.json", scores.to_json())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [
        "serve",
        "--port",
        str(port),
        "--results",
        "look",
        "--results",
        "scores",
        "--max-megabytes",
        str(LIMIT / 1e6),
        "--max-megapixels",
        "0.3",
    ]
    environment = os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", GUARD, folder / "talked", *words],
            cwd=folder,
            env=environment,
            stdout=errors,
            stderr=errors,
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
        tab = self.page.get_by_role("tab", name=TABS[number])
        if not tab.is_visible():  # in a narrow window tabs lie in a menu
            self.page.locator(".overflow-menu > button").click()
            tab = self.page.locator(".overflow-dropdown").get_by_text(TABS[number])
        tab.click()

    def upload(self, where: str, path: Path) -> None:
        self.page.locator(f"#{where} input[type=file]").set_input_files(path)

    def image(self, where: str, nth: int = 0) -> Locator:
        return self.page.locator(f"#{where} img").nth(nth)

    def wait(self, where: str, nth: int = 0) -> None:
        """Until an image has come; those below the window's edge are not rendered yet."""
        self.image(where, nth).wait_for(state="attached")

    def source(self, where: str) -> str:
        return self.image(where).get_attribute("src") or ""

    def complaint(self) -> str:
        """What the page complains of, which is then put away."""
        toast = self.page.get_by_test_id("toast-text").first
        toast.wait_for()
        text = toast.inner_text()
        self.page.get_by_test_id("toast-close").first.click()
        expect(self.page.get_by_test_id("toast-text")).to_have_count(0)
        return text

    def quiet(self) -> bool:
        return self.console == [] and self.requests == [] and self.dialogs == []


def visit(context: BrowserContext, served: Served) -> Visit:
    one = Visit(context.new_page())
    one.page.on("console", lambda message: one.console.append(message.text) if message.type == "error" else None)
    one.page.on("pageerror", lambda error: one.console.append(str(error)))
    one.page.on("dialog", lambda dialog: (one.dialogs.append(dialog.message), dialog.dismiss()))
    ours = (served.url, "data:", "blob:")
    one.page.on("request", lambda request: None if request.url.startswith(ours) else one.requests.append(request.url))
    one.page.set_default_timeout(120_000)
    one.page.goto(served.url)
    one.page.get_by_role("tab", name=TABS[0]).wait_for()
    return one


@pytest.fixture
def visitor(browser: Browser, served: Served) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield visit(context, served)
    context.close()


def image(path: Path, degradation: str, side: int = 128, photo: str = "coffee__1") -> Path:
    pixels = parse_degradation(degradation).apply(read_image(bundled_photos() / f"{photo}.png").pixels[:side, :side])
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(path)
    return path


def test_an_image_is_examined(visitor: Visit, tmp_path: Path) -> None:
    visitor.upload("examine-upload", image(tmp_path / HOSTILE, "noise:40"))
    verdict = visitor.page.locator("#examine-verdict")
    expect(verdict).to_contain_text("Group: noise", timeout=60_000)
    assert re.search(
        r"probability of \d+%.*Level \d\.\d of 5 \(80 % interval .*Novelty [01]\.\d\d", verdict.inner_text(), re.S
    )
    visitor.wait("examine-where")
    visitor.wait("examine-near", 5)
    assert "noise" in visitor.page.locator("#examine-near").inner_text()
    visitor.wait("examine-slider", 1)
    visitor.page.locator("#examine-slider").scroll_into_view_if_needed()
    expect(visitor.image("examine-slider", 1)).to_be_visible()
    sizes = visitor.page.eval_on_selector_all(
        "#examine-slider img", "all => all.map(one => [one.naturalWidth, one.naturalHeight])"
    )
    assert sizes == [[512, 512], [512, 512]]
    with visitor.page.expect_download() as saved:
        visitor.page.locator("#examine-map").get_by_role("button", name="Download").click()
    with Image.open(saved.value.path()) as figure:
        assert min(figure.size) > 400
    assert visitor.page.locator("img[src=x]").count() == 0
    assert visitor.quiet(), visitor


def test_a_place_is_chosen_by_keyboard_and_enlarged(visitor: Visit, tmp_path: Path) -> None:
    visitor.upload("examine-upload", image(tmp_path / "wide.png", "blur:2", side=192))
    visitor.wait("examine-slider", 1)
    before = visitor.source("examine-slider")
    visitor.page.locator("#examine-across input[type=range]").focus()
    visitor.page.keyboard.press("End")
    visitor.page.get_by_role("button", name="Enlarge this part").press("Enter")
    visitor.page.wait_for_function(CHANGED, arg=["examine-slider", before])
    before = visitor.source("examine-slider")
    visitor.image("examine-shown").click(position={"x": 10, "y": 10})
    visitor.page.wait_for_function(CHANGED, arg=["examine-slider", before])
    assert int(visitor.page.locator("#examine-across input[type=range]").input_value()) < 10
    # The divider moves by keyboard too.
    visitor.page.locator("#examine-divide input[type=range]").focus()
    line = visitor.page.locator("#examine-slider").get_by_test_id("slider")
    middle = line.locator(".inner").bounding_box()
    visitor.page.keyboard.press("Home")
    moved = "x => document.querySelector('[data-testid=slider] .inner').getBoundingClientRect().x < x - 50"
    visitor.page.wait_for_function(moved, arg=middle["x"])
    assert visitor.quiet(), visitor


def test_an_example_is_examined(visitor: Visit) -> None:
    chosen = visitor.page.locator("#examine-examples").get_by_role("button", name="Thumbnail 3 of 6")
    assert chosen.locator("img").get_attribute("alt") == "chelsea, jpeg:12"
    chosen.press("Enter")
    expect(visitor.page.locator("#examine-verdict")).to_contain_text("jpeg", timeout=60_000)
    visitor.wait("examine-slider", 1)
    assert visitor.quiet(), visitor


def test_results_are_shown(visitor: Visit) -> None:
    visitor.tab(1)
    choice = visitor.page.get_by_role("combobox", name="Result")
    choice.click()
    visitor.page.get_by_role("option", name="look").click()
    visitor.wait("compare-figure-3")
    assert "srresnet-wgr" in visitor.page.locator("#compare-summary").inner_text()
    table = visitor.page.locator("#compare-table")
    expect(table).to_contain_text("degradation share of the variance")
    expect(table).to_contain_text("conv_last:input")
    choice.click()
    visitor.page.get_by_role("option", name="scores").click()
    expect(visitor.page.locator("#compare-summary")).to_contain_text("Place 1: srresnet-wgr")
    expect(visitor.page.locator("#compare-figure-1")).to_be_visible()
    expect(visitor.page.locator("#compare-figure-2")).not_to_be_visible()
    with visitor.page.expect_download() as saved:
        visitor.page.locator("#compare-figure-0").get_by_role("button", name="Download").click()
    with Image.open(saved.value.path()) as figure:
        assert min(figure.size) > 300
    assert visitor.quiet(), visitor


def test_an_image_is_degraded_and_moves_on_the_map(visitor: Visit) -> None:
    visitor.tab(2)
    text_shown = visitor.page.locator("#degrade-text")
    for family, text in (("blur", "blur:8"), ("noise", "blur:8+noise:50")):
        visitor.page.locator(f"#degrade-{family} input[type=range]").focus()
        visitor.page.keyboard.press("End")
        expect(text_shown).to_contain_text(f"64 x 64 pixels, each drawn as a square, {text}")
    trail = visitor.source("degrade-map")
    shown = visitor.source("degrade-shown")
    visitor.page.get_by_role("button", name="Start over").press("Enter")
    expect(text_shown).to_contain_text("square, clean")
    assert visitor.source("degrade-map") != trail and visitor.source("degrade-shown") != shown
    assert visitor.page.locator("#degrade-blur input[type=range]").input_value() == "0"
    assert visitor.quiet(), visitor


def test_what_is_no_image_or_too_large_gets_a_kind_line(visitor: Visit, served: Served, tmp_path: Path) -> None:
    broken = tmp_path / HOSTILE
    broken.write_bytes(image(tmp_path / "whole.png", "clean").read_bytes()[:2000])
    visitor.upload("examine-upload", broken)
    text = visitor.complaint()
    assert text.startswith("This image cannot be used: ") and "\n" not in text and "Traceback" not in text
    assert text in visitor.page.locator("#examine-verdict").inner_text()
    visitor.tab(2)
    visitor.upload("degrade-upload", broken)
    assert visitor.complaint() == text
    Image.new("L", (1000, 400)).save(tmp_path / "large.png")
    visitor.upload("degrade-upload", tmp_path / "large.png")
    assert "1000 x 400 pixels are more than the limit of 300000 pixels" in visitor.complaint()
    heavy = tmp_path / f"b{HOSTILE}"
    heavy.write_bytes(bytes(LIMIT + 1))
    visitor.tab(0)
    visitor.page.get_by_role("button", name="Enlarge this part").click()
    assert visitor.complaint() == text
    visitor.upload("examine-upload", heavy)
    assert "size" in visitor.complaint()
    assert visitor.page.locator("img[src=x]").count() == 0 and visitor.dialogs == [] and visitor.requests == []
    assert "Traceback" not in served.errors.read_text()


def test_two_visitors_do_not_see_each_other(browser: Browser, served: Served, visitor: Visit, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    other = visit(context, served)
    visitor.upload("examine-upload", image(tmp_path / "mine.png", "noise:40", photo="wine__1"))
    other.upload("examine-upload", image(tmp_path / "theirs.png", "blur:4", photo="flower__1"))
    for one, group in ((visitor, "noise"), (other, "blur")):
        one.wait("examine-slider", 1)
        expect(one.page.locator("#examine-verdict")).to_contain_text(f"Group: {group}")
    on_theirs = {image.get_attribute("src") for image in other.page.locator("img").all()}
    assert visitor.source("examine-examples") in on_theirs, "the same images have the same address"
    assert on_theirs.isdisjoint(visitor.source(f"examine-{where}") for where in ("shown", "where", "map", "slider"))
    # A page that is opened anew knows of no image.
    third = visit(context, served)
    assert third.page.locator("#examine-shown img").count() == 0
    third.page.get_by_role("button", name="Enlarge this part").click()
    assert "there is none yet" in third.complaint()
    context.close()
    assert visitor.quiet() and other.quiet() and third.quiet(), (visitor, other, third)


def test_a_narrow_window_needs_no_sideways_scrolling_and_every_input_has_a_name(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    one = visit(context, served)
    one.upload("examine-upload", image(tmp_path / "small.png", "jpeg:10", side=64))
    one.wait("examine-slider", 1)
    for number in range(len(TABS)):
        if number:
            one.tab(number)
        if number == 1:
            one.page.get_by_role("combobox", name="Result").click()
            one.page.get_by_role("option", name="look").click()
            one.wait("compare-figure-0")
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert one.page.evaluate(NAMELESS) == []
    context.close()
    assert one.quiet(), one


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("gradio_api/file=/etc/passwd", 403),
        ("gradio_api/file=../../etc/passwd", 403),
        ("gradio_api/file=http://example.org/a.png", 403),
        ("gradio_api/proxy=http://example.org/a.png", 404),
        ("gradio_api/runs", 404),
        ("gradio_api/info", 404),
        ("gradio_api/openapi.json", 404),
        ("monitoring", 404),
        ("docs", 404),
        ("", 200),
        ("config", 200),
    ],
)
def test_only_what_the_pages_need_is_answered(served: Served, path: str, code: int) -> None:
    assert ask(served, path) == code


def test_messages_from_elsewhere_and_large_ones_are_refused(served: Served) -> None:
    other = {"Host": "example.org:80"}
    assert ask(served, "", headers=other) == 403
    join, json_type = "gradio_api/queue/join", {"Content-Type": "application/json"}
    assert ask(served, join, b"{}", json_type | {"Origin": "http://example.org"}) == 403
    for path in ("/etc/passwd", "http://example.org/a.png", f"{served.temporary}/../look/analysis.json", 3):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [[{"deep": file}]], "fn_index": 0, "session_hash": "a"}).encode()
        assert ask(served, join, body, json_type) == 400
    assert ask(served, join, b"[" * 100_000, json_type) == 400
    # Refused by what they say of their length: nothing of them is read.
    assert announce(served, join, (1 << 20) + 2, json_type) == 413
    assert (
        announce(
            served, "gradio_api/upload", LIMIT + (1 << 16) + 1, {"Content-Type": "multipart/form-data; boundary=a"}
        )
        == 413
    )


def announce(served: Served, path: str, length: int, headers: dict[str, str]) -> int:
    """The answer to a message of ``length`` bytes before any of them is sent."""
    address = urllib.parse.urlsplit(served.url)
    with contextlib.closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)) as connection:
        connection.putrequest("POST", f"/{path}")
        for name, value in (headers | {"Content-Length": str(length)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


def ask(served: Served, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(served.url + path, body, headers or {}), timeout=30
        ) as answer:
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_the_server_talks_to_nobody_and_leaves_nothing_behind(served: Served) -> None:
    """The last one: it stops the server."""
    files = [file for file in served.temporary.rglob("*") if file.is_file()]
    assert files, "visitors' files lie there"
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(30) == 0
    assert not served.talked.exists() or served.talked.read_text() == ""
    assert not any(file.exists() for file in files) and not list(served.temporary.rglob("*.*"))
    assert served.errors.read_text().splitlines()[-1] == "stopped; visitors' images are deleted"


def test_known_images_lie_on_their_own_points() -> None:
    known = map_embeddings(load_network("blind-ddr"), ("clean", "noise:20"))
    for index in (0, 31):
        cells = known.embed(known.read(index))
        np.testing.assert_allclose(cells.mean(0), known.embeddings[index], atol=1e-6)
        np.testing.assert_allclose(known.project(cells).mean(0), known.plane.points[index], atol=1e-6)
        distances = np.sqrt(((known.embeddings - cells.mean(0)) ** 2).sum(1))
        assert known.nearest(cells.mean(0), 5) == sorted(range(len(distances)), key=distances.__getitem__)[:5]
        assert known.nearest(cells.mean(0), 1) == [index]


def test_what_is_kept_is_counted_while_some_of_it_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(bytes(1000))
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            for number in range(50):
                (tmp_path / str(number) / "inside").mkdir(parents=True)
                shutil.rmtree(tmp_path / str(number))

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        assert {kept_bytes(tmp_path) for _ in range(2000)} == {1000}
    finally:
        ended.set()
        other.join()


def test_an_image_too_small_for_the_map_is_refused_in_one_line() -> None:
    known = map_embeddings(load_network("blind-ddr"), ["clean"])
    small = parse_degradation("blur:2").apply(np.full((5, 9, 3), 0.5, np.float32), 0, known.network.scale)
    with pytest.raises(InputError, match="2 x 1 pixels are too few: blind-ddr takes 2 a side or more"):
        known.embed(small)


def test_without_gradio_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddrscope.cli.serve import command

    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match=r"pip install 'ddrscope\[web\]'"):
        command()


def test_a_folder_without_results_and_a_taken_port_are_told_at_the_start(tmp_path: Path) -> None:
    from ddrscope.webapp.compare import name_results
    from ddrscope.webapp.server import serving

    with pytest.raises(InputError, match="has no result"):
        name_results([tmp_path])
    (tmp_path / "generalization.json").write_text('{"networks": [], "scores": [], "ranking": [{}]}')
    with pytest.raises(InputError, match="holds no finished result"):
        name_results([tmp_path])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        unused: Any = None
        with (
            pytest.raises(InputError, match="choose another port"),
            serving(unused, {}, "127.0.0.1", taken.getsockname()[1]),
        ):
            pass
