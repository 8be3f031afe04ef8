"""What the shell offers on Tab, read from the source of the commands: importing them would wait for PyTorch at every press."""

from __future__ import annotations

import ast
import functools
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

PACKAGE = Path(__file__).parents[1]
# Options of `TAKE_SEVERAL` that take several words, as in `--degrade clean blur:4 noise:20`.
SEVERAL = ("--degrade", "--images", "--layers", "--results", "--set", "--series", "--view")
TAKE_SEVERAL = ("analyze", "generalize", "serve")


def stand_in(name: str, about: str) -> Any:
    """A command with the options and arguments of the real one, which does nothing but complete them."""
    tree = _parse("cli", f"{name.replace('-', '_')}.py")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    app = typer.Typer(add_completion=False, rich_markup_mode=None, help=about)
    if "command" in functions:
        app.command(name, help=about)(_function(functions["command"]))
    for function in functions.values():
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "app.command":
                given = decorator.args[0] if decorator.args else None
                own = given.value if isinstance(given, ast.Constant) else function.name
                app.command(str(own), help=ast.get_docstring(function))(_function(function))
    return typer.main.get_command(app)


def network_names() -> list[str]:
    """As `ddrscope.networks.network_names`."""
    names = sorted(path.stem for path in (PACKAGE / "data" / "zoo").glob("*.safetensors"))
    assigned = _assignments("networks", "zoo.py")
    for table in ("PRETRAINED", "CLASSIFIERS"):
        value = assigned[table]
        assert isinstance(value, ast.Dict)
        names += [str(ast.literal_eval(key)) for key in value.keys if key]
    return names


def degradation_names() -> list[str]:
    """The names of `ddrscope.degradations.list_degradations`, and ``clean``."""
    names = ["clean"]
    for file in sorted((PACKAGE / "degradations").glob("*.py")):
        for node in _parse("degradations", file.name).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(one) == "register" for one in node.decorator_list):
                names += [str(ast.literal_eval(value)) for name, value in _named(node.body) if name == "family"]
    return sorted(names)


def complete_network(incomplete: str) -> list[str]:
    """Names of networks; where a word belongs to the option before it, what that option takes."""
    option = _open_option()
    if option:
        return complete_degradation(incomplete) if option == "--degrade" else []
    return [name for name in network_names() if name.startswith(incomplete)]


def complete_degradation(incomplete: str) -> list[str]:
    """Degradations up to their level, the last of a pipeline like ``blur:2+noise:10``."""
    before, plus, last = incomplete.rpartition("+")
    found = [name if name == "clean" else f"{name}:" for name in degradation_names() if name.startswith(last)]
    return [before + plus + name for name in found]


def join_split_words() -> None:
    """Bash cuts ``blur:4`` into three words; put them together again where bash's words are in the environment.

    What is cut off before the word to complete is left out: bash replaces only what follows the last colon.
    """
    words, at = os.environ.get("COMP_WORDS", "").split(), int(os.environ.get("COMP_CWORD", "0"))
    joined: list[str] = []
    for word in words[:at]:
        if joined and (word == ":" or joined[-1].endswith(":")):
            joined[-1] += word
        else:
            joined.append(word)
    if joined and joined[-1].endswith(":"):
        joined.pop()
    os.environ |= {"COMP_WORDS": "\n".join([*joined, *words[at:]]), "COMP_CWORD": str(len(joined))}


def _open_option() -> str | None:
    """The option that takes several words and is the last before the word to complete, if there is one."""
    if "COMP_WORDS" in os.environ:
        words = os.environ["COMP_WORDS"].split()[: int(os.environ.get("COMP_CWORD", "0"))]
    else:
        words = os.environ.get("_TYPER_COMPLETE_ARGS", "").split()
    if len(words) < 2 or words[1] not in TAKE_SEVERAL:
        return None
    last = next((word for word in reversed(words) if word.startswith("-")), None)
    return last if last in SEVERAL else None


def _function(node: ast.FunctionDef) -> Callable[..., None]:
    """A function with the parameters of ``node``, as far as they matter here."""

    def nothing(**_: Any) -> None:
        pass

    parameters = [_parameter(argument) for argument in node.args.args]
    # What typer reads of a function.
    nothing.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    nothing.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return nothing


def _parameter(argument: ast.arg) -> inspect.Parameter:
    annotation = argument.annotation
    if isinstance(annotation, ast.Attribute):
        annotation = _assignments("cli", "common.py")[annotation.attr]
    assert isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple)
    kind, call = annotation.slice.elts
    assert isinstance(call, ast.Call)
    kinds = ast.unparse(kind)
    names = [value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    metavar = next((ast.literal_eval(one.value) for one in call.keywords if one.arg == "metavar"), "")
    completer = None
    if "NETWORK" in metavar or "--network" in names:
        completer = complete_network
    elif "--degrade" in names:
        completer = complete_degradation
    build = typer.Option if ast.unparse(call.func) == "typer.Option" else typer.Argument
    info = build(*names, autocompletion=completer)
    base: Any = bool if "bool" in kinds else list[str] if kinds.startswith("list[") else str
    return inspect.Parameter(
        argument.arg, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[base | None, info]
    )


@functools.cache
def _parse(*parts: str) -> ast.Module:
    return ast.parse(PACKAGE.joinpath(*parts).read_text(encoding="utf-8"))


@functools.cache
def _assignments(*parts: str) -> dict[str, ast.expr]:
    return dict(_named(_parse(*parts).body))


def _named(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """The names assigned in ``body``, with their values."""
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value
