"""The site builds strictly and needs no network; commands and options on its pages exist."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from ddrscope.cli.app import COMMANDS, app
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.networks import network_names
from ddrscope.training import RECIPES
from scripts.docs.printed_commands import PAGES, helped, printed
from scripts.docs.reference import public_names

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[2]

# What a page needs to be shown, as against where its links lead.
FETCHED = {
    "script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "iframe": ("src",), "video": ("src",),
    "object": ("data",), "use": ("href",),
}  # fmt: skip
FETCHED_LINKS = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest")
BUILT_ALONE = "experiments/claims/results/report.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs")
    built = subprocess.run(
        [sys.executable, "-m", "scripts.docs.build", str(out)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return out / "site"


class Fetches(HTMLParser):
    """Collects the addresses that a page fetches to be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and set(given.get("rel", "").split()) & set(FETCHED_LINKS):
            self.found.append(given.get("href", ""))
        self.found += [given[name] for name in FETCHED.get(tag, ()) if name in given]
        self.found += re.findall(r"url\(([^)]*)\)", given.get("style", ""))


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.relative_to(site).as_posix() != BUILT_ALONE]
    assert len(pages) > 30
    for page in pages:
        reader = Fetches()
        reader.feed(page.read_text(encoding="utf-8"))
        assert reader.found
        for address in reader.found:
            assert not re.match(r"['\"]?(https?:)?//", address.strip()), f"{page.relative_to(site)} fetches {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_the_search_works_without_a_server_and_a_network(site: Path, browser: Browser) -> None:
    page = browser.new_context(offline=True).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").press_sequentially("degradation", delay=30)
    page.wait_for_selector(".md-search-result__item", timeout=30_000)
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


def test_the_public_api_is_in_the_reference(site: Path) -> None:
    text = (site / "api/ddrscope.html").read_text(encoding="utf-8")
    shown = set(re.findall(r'id="ddrscope\.(?:\w+\.)*(\w+)"', text))
    assert set(public_names()) <= shown


def test_examples_in_python_print_what_the_pages_say() -> None:
    pages = [page for page in PAGES if ">>> " in page.read_text(encoding="utf-8")]
    assert pages
    for page in pages:
        assert not doctest.testfile(str(page), module_relative=False).failed, page.name


def _command(name: str) -> Any:
    group: Any = typer.main.get_command(app)
    return group.get_command(group.make_context("ddrscope", [name]), name)


PRINTED = printed("ddrscope") + helped()


@pytest.mark.parametrize(("page", "words"), PRINTED, ids=[f"{page}-{' '.join(words)[:60]}" for page, words in PRINTED])
def test_a_printed_command_can_be_typed(page: str, words: list[str]) -> None:
    given = words[1:]
    if given in (["--version"], ["--install-completion"]):
        return
    group: Any = typer.main.get_command(app)
    assert given[0] in COMMANDS or given[0].startswith("-"), f"{page}: there is no command {given[0]}"
    context = group.make_context("ddrscope", list(given))
    command, rest = group.get_command(context, given[0]), given[1:]
    name = given[0]
    if hasattr(command, "commands"):
        assert rest[0] in command.commands, f"{page}: {name} has no {rest[0]}"
        name, command, rest = f"{name} {rest[0]}", command.commands[rest[0]], rest[1:]
    if "--help" in rest:
        return
    # An unknown option, a missing argument, a value of the wrong kind raise.
    values = command.make_context(name, rest, parent=context).params
    texts = values.get("degradations") or values.get("degradation") or ()
    for text in [texts] if isinstance(texts, str) else texts:
        parse_degradation(text)
    networks = values.get("networks") or ([values["network"]] if values.get("network") else [])
    # `fit-identifier` also takes the network of the bundled identifier.
    for network in (each for each in networks if (name, each) != ("fit-identifier", "compact")):
        assert re.search(r"[./:]", network) or network in network_names() or network.isupper(), (
            f"{page}: no network is called {network}"
        )
    if name == "train":
        assert values["recipe"] in RECIPES or values["recipe"].endswith(".toml")


def test_a_command_that_is_wrong_is_seen() -> None:
    wrong = (
        "analyse",
        "analyze --no-such-option",
        "analyze srresnet-wrg",
        "degrade x --degrade blurr:3 --out y",
        "identify",
    )
    for line in wrong:
        with pytest.raises((AssertionError, InputError, typer.TyperException)):
            test_a_printed_command_can_be_typed("here", ["ddrscope", *line.split()])


def test_options_that_are_named_among_the_words_exist() -> None:
    for page in PAGES:
        for code in re.findall(r"(?<!`)`(ddrscope [^`\n]+)`", page.read_text(encoding="utf-8")):
            given = code.split()[1:]
            if given[0].startswith("-") or given[0].isupper():
                continue
            assert given[0] in COMMANDS, f"{page.name}: `{code}`"
            command = _command(given[0])
            if hasattr(command, "commands") and len(given) > 1:
                command = command.commands[given[1].split("|")[0]]
            options = {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            } | {"--help"}
            assert not [word for word in given if word.startswith("--") and word not in options], (
                f"{page.name}: `{code}`"
            )


def test_targets_extras_and_tools_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for page, words in printed("make"):
        assert words[1] in targets, f"{page}: make {words[1]}"
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"`make ([a-z-]+)`", text):
            assert target in targets, f"{page.name}: make {target}"
        for name in re.findall(r"\.?\[([a-z,]+)\]'", text):
            assert set(name.split(",")) <= extras.keys(), f"{page.name}: [{name}]"
        for tool in re.findall(r"(?:scripts|experiments|benchmarks|examples|fuzz|tests|tools)/[a-z][\w/]*\.py", text):
            assert (ROOT / tool).exists(), f"{page.name}: {tool}"
