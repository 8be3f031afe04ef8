"""Python on the pages: it parses, the names of this package exist, and calls of them fit the signatures."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scripts.docs.printed_commands import PAGES

pytestmark = pytest.mark.docs

# What the pages describe and the package does not have: the example of CONTRIBUTING.md.
ABSENT = {"ddrscope.networks.SRCNN"}


@dataclass(frozen=True)
class Instance:
    """What is known of a variable: its class."""

    of: type


def python_blocks(page: Path) -> Iterator[str]:
    """The fenced blocks of Python on a page, but for those that doctest runs."""
    for fence in re.finditer(r"^ *```python\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        if not fence[1].lstrip().startswith(">>>"):
            yield dedent(fence[1])


class Checker(ast.NodeVisitor):
    """Follows names of this package through the code of one page, and collects what does not fit."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.wrong: list[str] = []

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.partition(".")[0] == "ddrscope":
                module = importlib.import_module(alias.name)
                self.names[alias.asname or "ddrscope"] = module if alias.asname else importlib.import_module("ddrscope")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").partition(".")[0] == "ddrscope":
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                self.names[alias.asname or alias.name] = self.attribute(module, alias.name)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.resolve(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = value

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.names[node.name] = None
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        self.resolve(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.resolve(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.resolve(node)

    def resolve(self, node: ast.expr) -> Any:
        """The object, or the `Instance`, that an expression gives; None for what is not of this package."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            return self.attribute(self.resolve(node.value), node.attr)
        if isinstance(node, ast.Call):
            function = self.resolve(node.func)
            for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                self.resolve(value)
            return self.called(function, node)
        for child in ast.iter_child_nodes(node):
            self.visit(child)
        return None

    def attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Instance):
            fields = {key for kind in owner.of.__mro__ for key in getattr(kind, "__annotations__", {})}
            if not hasattr(owner.of, name):
                if name not in fields:
                    self.missing(owner.of.__name__, name)
                return None
            value = getattr(owner.of, name)
            bound = isinstance(inspect.getattr_static(owner.of, name), classmethod | staticmethod)
            return value if bound else (owner, value) if inspect.isfunction(value) else None
        if inspect.ismodule(owner) or inspect.isclass(owner):
            if hasattr(owner, name):
                return getattr(owner, name)
            self.missing(owner.__name__, name)
        return None

    def missing(self, owner: str, name: str) -> None:
        if f"{owner}.{name}" not in ABSENT:
            self.wrong.append(f"{owner} has no {name}")

    def called(self, function: Any, call: ast.Call) -> Any:
        first = ()
        if isinstance(function, tuple):
            first, function = (function[0],), function[1]
        if not callable(function) or not str(getattr(function, "__module__", "")).startswith("ddrscope"):
            return None
        unpacked = any(isinstance(value, ast.Starred) for value in call.args) or any(k.arg is None for k in call.keywords)
        signature = inspect.signature(function)
        keywords = {keyword.arg: keyword for keyword in call.keywords if keyword.arg}
        try:
            (signature.bind_partial if unpacked else signature.bind)(*first, *call.args, **keywords)
        except TypeError as error:
            self.wrong.append(f"line {call.lineno}: {ast.unparse(call.func)}: {error}")
        given = function if inspect.isclass(function) else _return_type(function)
        return Instance(given) if inspect.isclass(given) and given.__module__.startswith("ddrscope") else None


def _return_type(function: Any) -> Any:
    try:
        return typing.get_type_hints(function).get("return")
    except NameError:  # of a name imported for type checking only
        return None


def check(blocks: list[str]) -> list[str]:
    checker = Checker()
    for block in blocks:
        checker.visit(ast.parse(block))
    return checker.wrong


WITH_PYTHON = [page for page in PAGES if any(python_blocks(page))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: "-".join(page.parts[-2:]))
def test_python_on_a_page_fits_the_package(page: Path) -> None:
    assert check(list(python_blocks(page))) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import ddrscope\nddrscope.analyse('x')", "no analyse"),
        ("from ddrscope import analyse", "no analyse"),
        ("import ddrscope as d\nd.load_network('x', colour='red')", "unexpected keyword argument 'colour'"),
        ("from ddrscope import load_network\nload_network()", "missing a required argument"),
        ("import ddrscope\nresult = ddrscope.analyze('x')", ""),
        ("import ddrscope\nresult = ddrscope.analyze('x')\nresult.to_frame(1, 2)", "too many positional arguments"),
        ("import ddrscope\nprint(ddrscope.analyze('x').no_such_table)", "no no_such_table"),
        ("import pandas\npandas.nothing()", ""),
    ],
)
def test_what_does_not_fit_is_found(code: str, reason: str) -> None:
    wrong = check([code])
    assert len(wrong) == bool(reason) and reason in "".join(wrong)
