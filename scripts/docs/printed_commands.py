"""Extracts the commands that the pages and the help texts print. The tests parse them; `scripts.docs.run_commands` runs them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import typer

from ddrscope.cli.app import COMMANDS, app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "experiments").rglob("*.md")),
]


def blocks(text: str) -> Iterator[str]:
    """The lines of indented blocks and of fenced blocks in shell or without a language. Continued lines are joined."""
    text = re.sub(r"\\\n\s*", " ", text)
    for fence in re.finditer(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        if fence[1] in ("", "bash", "sh", "console"):
            yield from (line.strip() for line in fence[2].splitlines())
    without = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (line.strip() for line in without.splitlines() if line.startswith("    "))


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a shell line, split at pipes, redirections and other operators."""
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
    """The commands that begin with ``first``, as words, each with the name of its page, in reading order."""
    commands = []
    for page in PAGES:
        for line in blocks(page.read_text(encoding="utf-8")):
            if re.match(r"[\w./'$-]+ ", line + " ") and first in line:
                name = f"{page.parent.name}/README.md" if "experiments" in page.parts else page.name
                commands += [(name, words) for words in simple_commands(line) if words and words[0] == first]
    return commands


def helped() -> list[tuple[str, list[str]]]:
    """The examples in the help texts of the commands, as `printed` gives them."""
    commands = []
    group = typer.main.get_command(app)
    for name in COMMANDS:
        text = group.get_command(group.make_context("ddrscope", [name]), name).help or ""  # type: ignore[attr-defined]
        for line in text.splitlines():
            if line.strip().startswith("ddrscope "):
                commands += [
                    (f"{name} --help", words)
                    for words in simple_commands(line.strip())
                    if words and words[0] == "ddrscope"
                ]
    return commands
