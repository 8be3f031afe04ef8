"""The commands that the pages and the commands' own help print: to be parsed by the tests, and run by `tools/try_docs.py`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import typer

from ddrscope.cli.app import COMMANDS, app

ROOT = Path(__file__).parents[1]
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md")
PAGES = [*(ROOT / name for name in AT_THE_TOP), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> Iterator[str]:
    """The lines of fenced blocks of shell or of no language, and of indented blocks, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", text)
    for fence in re.finditer(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if fence[1] in ("", "bash", "sh", "console"):
            yield from (line.strip() for line in fence[2].splitlines())
    without = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (line.strip() for line in without.splitlines() if line.startswith("    "))


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a shell line, parted at pipes, redirections and the like."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    words: list[str] = []
    for word in reader:
        if set(word) <= set("();<>|&"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


def printed(first: str) -> list[tuple[str, list[str]]]:
    """The commands that begin with ``first``, as words, each with the name of its page, in the order in which they are read."""
    found = []
    for page in PAGES:
        for line in blocks(page.read_text(encoding="utf-8")):
            if re.match(r"[\w./'$-]+ ", line + " ") and first in line:
                found += [(page.name, words) for words in simple_commands(line) if words and words[0] == first]
    return found


def helped() -> list[tuple[str, list[str]]]:
    """The examples in the commands' own help."""
    found = []
    group = typer.main.get_command(app)
    for name in COMMANDS:
        text = group.get_command(group.make_context("ddrscope", [name]), name).help or ""  # type: ignore[attr-defined]
        for line in text.splitlines():
            if line.strip().startswith("ddrscope "):
                found += [
                    (f"{name} --help", words)
                    for words in simple_commands(line.strip())
                    if words and words[0] == "ddrscope"
                ]
    return found
