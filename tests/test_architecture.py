"""The house as docs/architecture.md describes it: which room may import which, and how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ddrscope"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")
ORDER = re.findall(r"^\| `(\w+)(?:\.py|/)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
LINES = 400


def imported_rooms(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and room of every import of ddrscope that happens when a module of `package` is imported."""
    for node in run_on_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            start = package[: len(package) - node.level + 1] if node.level else ()
            target = (*start, *(node.module or "").split(".")) if node.module else start
            # `from ddrscope import images` names its rooms only after the word import.
            targets = [(*target, alias.name) for alias in node.names]
        for top, *inner in targets:
            if top == "ddrscope" and inner:
                yield node.lineno, inner[0]


def run_on_import(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports outside functions and outside `if TYPE_CHECKING`, whatever class, `if` or `try` they stand in."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        children = list(node.orelse)
    for child in children:
        yield from run_on_import(child)


def test_the_table_names_every_room() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(ORDER) == sorted(rooms - {"__init__", "__main__"})


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    room = inside.parts[0].removesuffix(".py")
    allowed = set(ORDER[: ORDER.index(room) + 1]) if room in ORDER else set()
    package = ("ddrscope", *inside.parts[:-1])
    wrong = [f"line {line}: {other}" for line, other in imported_rooms(path.read_text(), package) if other not in allowed]
    assert not wrong, f"{inside} may import {', '.join(sorted(allowed)) or 'no room'} only, but imports {'; '.join(wrong)}"


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import ddrscope.report.page", ["report"]),
        ("from ddrscope import cli, images", ["cli", "images"]),
        ("from ddrscope.report import write_report", ["report"]),
        ("from ..report import page\nfrom .. import store", ["report", "store"]),
        ("from . import grams\nfrom .layers import x", ["analysis", "analysis"]),
        ("try:\n    import ddrscope.cli\nexcept ImportError:\n    pass", ["cli"]),
        ("class A:\n    from ddrscope.cli import app", ["cli"]),
        ("def f():\n    from ddrscope.report import page", []),
        ("if TYPE_CHECKING:\n    import ddrscope.cli\nelse:\n    import ddrscope.store", ["store"]),
        ("import numpy\nfrom collections import abc", []),
    ],
)
def test_every_way_to_import_is_seen(source: str, rooms: list[str]) -> None:
    assert [room for _, room in imported_rooms(source, ("ddrscope", "analysis"))] == rooms


def test_no_source_file_is_too_long() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > LINES} == {}
