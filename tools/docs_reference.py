"""The pages of the docs site that are made of the code: the commands from their own help, the rooms from their docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import typer

from ddrscope.cli.app import COMMANDS, app
from docs_pages import outside_code

# Rooms whose names users call, in the order of the house.
ROOMS = (
    "images", "degradations", "networks", "features", "reduction", "separability", "export", "analysis", "training", "study",
    "identification", "generalization", "restoration", "mapping", "report", "web", "fidelity", "shards", "store", "cluster", "progress",
    "errors", "version",
)  # fmt: skip


def commands() -> Iterator[tuple[str, Any]]:
    """Each command's words, as ``models list``, and the command within its context."""
    group: Any = typer.main.get_command(app)
    context = group.make_context("ddrscope", ["analyze"])
    for name in COMMANDS:
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context)
        for sub, subcommand in getattr(command, "commands", {None: command}).items():
            yield (f"{name} {sub}", type(context)(subcommand, info_name=sub, parent=inner)) if sub else (name, inner)


def command_page() -> str:
    """The command reference in Markdown."""
    parts = [
        "# Commands\n\nMade of what `ddrscope COMMAND --help` prints. Options of several words may be given as `--degrade clean blur:4` "
        "or one by one. Every command takes `--debug`, which shows where an error comes from, and exits with 0 (done), 1 (failed), "
        "2 (bad usage or input) or 130 (interrupted: what was finished is kept)."
    ]
    for words, context in commands():
        command = context.command
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"## ddrscope {words}\n\n```text\nddrscope {words} {usage}\n```\n\n{_help(command.help or '')}")
        records = [
            (parameter.param_type_name, parameter.get_help_record(context)) for parameter in command.get_params(context)
        ]
        for kind, title in (("argument", "Argument"), ("option", "Option")):
            shown = [record for of, record in records if of == kind and record]
            rows = [f"| `{_row(name)}` | {_markup_free(_row(text))} |" for name, text in shown]
            if rows:
                parts.append("\n".join([f"| {title} | |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _help(text: str) -> str:
    """A command's help as Markdown: its blocks and examples become code, what looks like markup in the rest becomes text."""
    parts = []
    for paragraph in text.strip().split("\n\n"):
        verbatim, _, block = paragraph.partition("\b\n")
        if not verbatim and block:
            first, _, examples = block.partition("\n")
            language, shown = ("bash", examples) if first.startswith("Example") else ("text", block)
            parts.append(f"```{language}\n{dedent(shown).rstrip()}\n```")
        else:
            parts.append(_markup_free(paragraph))
    return "\n\n".join(parts)


def _markup_free(text: str) -> str:
    return outside_code(lambda part: re.sub(r"([<>*_\[\]])", r"\\\1", part), text)


def _row(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def room_pages(source: Path) -> dict[str, str]:
    """A page of directives for each room; ``source`` is the package's folder."""
    pages = {}
    for room in ROOMS:
        names = exported(source / room / "__init__.py") if (source / room).is_dir() else []
        # A function in a file of its own name is hidden by it.
        hidden = [name for name in names if (source / room / f"{name}.py").exists()]
        members = "".join(f"\n        - {name}" for name in names if name not in hidden)
        options = f"\n    options:\n      members:{members}" if members else ""
        alone = "".join(
            f"\n::: ddrscope.{room}.{name}.{name}\n    options:\n      show_root_heading: true\n" for name in hidden
        )
        pages[f"api/{room}.md"] = f"# ddrscope.{room}\n\n::: ddrscope.{room}{options}\n{alone}"
    return pages


def exported(init: Path) -> list[str]:
    """What a room's ``__all__`` names."""
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            return list(ast.literal_eval(node.value))
    return []
