"""The docs: the site builds strictly and asks nothing of the network; what its pages print can be typed."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from playwright.sync_api import Browser

from ddrscope.cli.app import COMMANDS, app
from ddrscope.degradations import list_degradations, parse_degradation
from ddrscope.errors import InputError
from ddrscope.networks import network_names
from ddrscope.training import RECIPES
from scripts.docs.printed_commands import PAGES, helped, printed

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


def test_the_search_finds_words_where_the_site_is_opened_as_files_without_a_network(
    site: Path, browser: Browser
) -> None:
    page = browser.new_context(offline=True).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").press_sequentially("jackknife", delay=30)
    page.wait_for_selector(".md-search-result__item", timeout=30_000)
    found = page.locator(".md-search-result__item").all_inner_texts()
    assert any("Reading the numbers" in text for text in found)
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


def test_notebooks_are_shown_with_their_outputs(site: Path) -> None:
    for name in ("my-checkpoint", "choosing", "archive", "training"):
        text = (site / f"tutorials/{name}.html").read_text(encoding="utf-8")
        assert f"{name}_files/" in text
    assert list((site / "tutorials").rglob("*.png"))


def test_every_exported_name_is_in_the_reference(site: Path) -> None:
    for room in (ROOT / "src/ddrscope").glob("*/__init__.py"):
        package = importlib.import_module(f"ddrscope.{room.parent.name}")
        names = getattr(package, "__all__", [])
        if names:
            text = (site / f"api/{room.parent.name}.html").read_text(encoding="utf-8")
            shown = set(re.findall(rf'id="ddrscope\.{room.parent.name}\.(?:\w+\.)?(\w+)"', text))
            # Tables and aliases of types have no docstring to show.
            given = {name: getattr(package, name) for name in names}
            assert (
                not {name for name, value in given.items() if inspect.isfunction(value) or inspect.isclass(value)}
                - shown
            )


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    text = (site / "commands.html").read_text(encoding="utf-8")
    for words in COMMANDS:
        command = _command(words)
        for name in getattr(command, "commands", ()):
            assert f"ddrscope {words} {name}" in text
        assert f"ddrscope {words}" in text
        assert all(
            option in text for parameter in command.params for option in parameter.opts if option.startswith("--")
        )


def test_examples_among_the_words_give_what_they_say() -> None:
    result = doctest.testfile(str(ROOT / "docs/reading.md"), module_relative=False)
    assert result.attempted > 10
    assert not result.failed


def test_the_lines_for_pandas_summarize_what_identify_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = {
        "group": ["noise", "noise", "blur", None],
        "level": [1.0, 3.0, 2.0, None],
        "error": [None, None, None, "broken"],
    }
    pd.DataFrame(rows).to_parquet("findings.parquet")
    text = (ROOT / "docs/how-to/identify-many.md").read_text(encoding="utf-8")
    *lines, last = re.findall(r"^```python\n(import pandas.*?)\n\n", text, re.MULTILINE | re.DOTALL)[0].splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    table = eval(last, names)
    assert table.loc["noise", "mean"] == 2 and table["count"].sum() == 3


# What can be typed.


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
    texts = values.get("degrade") or ()
    for text in [texts] if isinstance(texts, str) else texts:
        parse_degradation(text)
    networks = values.get("networks") or ([values["network"]] if values.get("network") else [])
    for network in networks:
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


def test_the_degradation_that_the_walk_through_adds_is_not_there_yet() -> None:
    families = re.findall(r'family = "(\w+)"', (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert families and not set(families) & {family.family for family in list_degradations()}


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
