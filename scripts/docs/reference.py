"""The pages of the documentation site that are generated: the commands from their help, the Python API from its docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import typer

import ddrscope
from ddrscope.cli.app import COMMANDS, app
from scripts.docs.pages import outside_code

# Modules without ``__all__`` that belong to the public API.
MODULES = ("progress",)


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
        "# Commands\n\nGenerated from `ddrscope COMMAND --help`. Every command accepts `--debug`, which shows the traceback of an error. "
        "The exit status is 0 (done), 1 (failed), 2 (bad usage or input) or 130 (interrupted; finished work is kept)."
    ]
    for words, context in commands():
        command = context.command
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"## ddrscope {words}\n\n```text\nddrscope {words} {usage}\n```\n\n{_help(command.help or '')}")
        records = [
            (parameter.param_type_name, parameter.get_help_record(context)) for parameter in command.get_params(context)
        ]
        for kind, title in (("argument", "Argument"), ("option", "Option")):
            rows = [
                f"| `{_cell(record[0])}` | {_escape(_cell(record[1]))} |"
                for record_kind, record in records
                if record_kind == kind and record
            ]
            if rows:
                parts.append("\n".join([f"| {title} | |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _help(text: str) -> str:
    """A command's help as Markdown: its blocks and examples become code, characters of markup are escaped in the rest."""
    parts = []
    for paragraph in text.strip().split("\n\n"):
        verbatim, _, block = paragraph.partition("\b\n")
        if not verbatim and block:
            first, _, examples = block.partition("\n")
            language, code = ("bash", examples) if first.startswith("Example") else ("text", block)
            parts.append(f"```{language}\n{dedent(code).rstrip()}\n```")
        else:
            parts.append(_escape(paragraph))
    return "\n\n".join(parts)


def _escape(text: str) -> str:
    return outside_code(lambda part: re.sub(r"([<>*_\[\]])", r"\\\1", part), text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def api_pages(source: Path) -> dict[str, str]:
    """A page of mkdocstrings directives for the public API and for each package that declares ``__all__``.

    Args:
        source: the folder of the package ddrscope.
    """
    pages = {"api/ddrscope.md": "# ddrscope\n" + "".join(_directive(_origin(name), name) for name in public_names())}
    for name in packages(source):
        exported = _exported(source / name / "__init__.py") if (source / name).is_dir() else []
        # A function in a module of its own name is hidden by the module.
        hidden = [member for member in exported if (source / name / f"{member}.py").exists()]
        members = "".join(f"\n        - {member}" for member in exported if member not in hidden)
        options = f"\n    options:\n      members:{members}" if members else ""
        alone = "".join(_directive(f"ddrscope.{name}.{member}", member) for member in hidden)
        pages[f"api/{name}.md"] = f"# ddrscope.{name}\n\n::: ddrscope.{name}{options}\n{alone}"
    return pages


def public_names() -> list[str]:
    """The functions and classes that ``import ddrscope`` gives: functions, then results and other classes, then exceptions."""
    names = [name for name in dir(ddrscope) if not name.startswith("_")]
    return sorted(names, key=lambda name: (isinstance(getattr(ddrscope, name), type), name.endswith("Error")))


def packages(source: Path) -> list[str]:
    """Packages that declare ``__all__``, and `MODULES`."""
    found = [init.parent.name for init in source.glob("*/__init__.py") if _exported(init)]
    return sorted([*found, *MODULES])


def _origin(name: str) -> str:
    return str(getattr(ddrscope, name).__module__)


def _directive(module: str, name: str) -> str:
    return f"\n::: {module}.{name}\n    options:\n      show_root_heading: true\n      show_root_full_path: false\n"


def _exported(init: Path) -> list[str]:
    """The names in the ``__all__`` of a module, or in the stub of a package that imports its members lazily."""
    stub = init.with_suffix(".pyi")
    if stub.exists():
        imports = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
        return sorted(alias.name for node in imports for alias in node.names)
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            return list(ast.literal_eval(node.value))
    return []
