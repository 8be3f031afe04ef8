"""Imports point down: every import counts, lazy ones and those for type checking too. And no file is too long."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ddrscope"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py")
# Each may import those before it. docs/architecture.md says what is in them.
LAYERS = (
    "errors", "progress", "version", "io", "images", "degradations", "metrics", "embedding", "layers", "networks",
    "features", "batch", "results", "viz", "extraction", "maps", "analysis", "training", "study", "identification", "filtering",
    "comparison", "matching", "generalization", "upscaling", "webapp", "cli",
)  # fmt: skip
# Imports that are still to be turned round.
UPWARD: set[tuple[str, str]] = set()
MAX_LINES = 300


def imported_packages(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and package of every import of ddrscope in a module of `package`, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            target = (*start, *(node.module or "").split(".")) if node.module else start
            # `from ddrscope import images` names its packages only after the word import.
            targets = [(*target, alias.name) for alias in node.names]
        else:
            continue
        for top, *inner in targets:
            # The version that is written when the package is built is no layer.
            if top == "ddrscope" and inner and inner[0] != "_version":
                yield node.lineno, inner[0]


def test_the_layers_are_the_packages() -> None:
    packages = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(LAYERS) == sorted(packages - {"__init__", "__main__", "_version"})


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    inside = path.relative_to(PACKAGE)
    name = inside.parts[0].removesuffix(".py")
    allowed = set(LAYERS[: LAYERS.index(name) + 1]) if name in LAYERS else set(LAYERS)
    # Written by setuptools-scm.
    allowed.add("_version")
    found = imported_packages(path.read_text(), ("ddrscope", *inside.parts[:-1]))
    wrong = [f"line {line}: {other}" for line, other in found if other not in allowed and (name, other) not in UPWARD]
    assert not wrong, f"{inside} imports from packages above it: {'; '.join(wrong)}"


@pytest.mark.parametrize(
    ("source", "packages"),
    [
        ("import ddrscope.viz.analysis_page", ["viz"]),
        ("from ddrscope import cli, images", ["cli", "images"]),
        ("from ddrscope.viz import write_report", ["viz"]),
        ("from ..viz import page\nfrom .. import io", ["viz", "io"]),
        ("from . import grams\nfrom .layers import x", ["analysis", "analysis"]),
        ("try:\n    import ddrscope.cli\nexcept ImportError:\n    pass", ["cli"]),
        ("class A:\n    from ddrscope.cli import app", ["cli"]),
        ("def f():\n    from ddrscope.viz import page", ["viz"]),
        ("if TYPE_CHECKING:\n    import ddrscope.cli\nelse:\n    import ddrscope.io.files", ["cli", "io"]),
        ("import numpy\nfrom collections import abc", []),
    ],
)
def test_every_way_to_import_is_seen(source: str, packages: list[str]) -> None:
    assert [name for _, name in imported_packages(source, ("ddrscope", "analysis"))] == packages


def imported_modules(path: Path, names: set[str]) -> Iterator[str]:
    """The modules of ddrscope, of `names`, that a module imports, wherever the import stands."""
    package = ("ddrscope", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*start, *(node.module or "").split("."))).rstrip(".")
            for target in {f"{origin}.{alias.name}" for alias in node.names} | {origin}:
                # A package imports its own modules to export them.
                if target in names and not (".".join(package) == target and path.name != "__init__.py"):
                    yield target


def test_no_module_is_in_a_circle_of_imports() -> None:
    modules = {".".join(("ddrscope", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in MODULES}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    graph = {name: set(imported_modules(path, set(modules))) - {name} for name, path in modules.items()}
    # Raises CycleError, which names the circle.
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules)


def test_no_source_file_is_too_long() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}
