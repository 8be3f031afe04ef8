"""The commands, imported when they are called: `ddrscope --help` does not wait for PyTorch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from ddrscope.cli.common import DEBUG
from ddrscope.cli.completion import COMPLETERS
from ddrscope.io.paths import expand_path
from ddrscope.version import version_line

# Each is a module of this package with a function `command`, or with an `app` of several commands.
COMMANDS = {
    "analyze": "Do a network's features cluster by degradation or content?",
    "features": "Write a network's features to a file for other tools.",
    "map": "Map up to millions of points: measures, t-SNE plane, page.",
    "degrade": "Degrade images and write them as PNG.",
    "generalize": "Score networks on your images, without ground truth (SRGA).",
    "identify": "Identify degradations in images: type, level, location.",
    "filter": "Keep or reject images by what is identified in them.",
    "match": "Find the degradation of your images, to train with.",
    "compare": "Do two sets of images differ in degradation, and how?",
    "watch": "Since when have the images of a stream changed?",
    "fit-identifier": "Fit an identifier to your photographs or labelled images.",
    "upscale": "Upscale images, and say how they were degraded.",
    "train": "Train an SRResNet on photographs, and an SRGAN from it.",
    "study": "Test the paper's claims C1 to C6, from training to verdict.",
    "serve": "Serve pages for the browser: identify, upscale, compare.",
    "models": "List networks, show one, list its layers, export it.",
}


class LazyGroup(TyperGroup):
    """A group that imports the module of a command when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = load_command(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import the command, or the group of commands, called ``name``."""
    module = importlib.import_module(f"ddrscope.cli.{name.replace('-', '_')}")
    app: typer.Typer | None = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, epilog=DEBUG)(module.command)
    for registered in app.registered_commands:
        if registered.callback:
            _prepare(registered.callback)
    command: TyperCommand | TyperGroup = typer.main.get_command(app)  # type: ignore[assignment]
    return command


def _prepare(function: Callable[..., Any]) -> None:
    """Complete the declarations of a command's parameters by what is the same in all commands.

    Paths expand ``~`` and variables, which the shell leaves as they are in ``--out=~/x``. Networks and degradations
    are completed by the shell.
    """
    # Kept as objects: Typer would evaluate the annotations again.
    function.__annotations__ = get_type_hints(function, include_extras=True)
    for name, annotation in function.__annotations__.items():
        for parameter in getattr(annotation, "__metadata__", ()):
            if _holds_path(annotation):
                parameter.parser = expand_path
            if name in COMPLETERS:
                parameter.autocompletion = COMPLETERS[name]


def _holds_path(annotation: Any) -> bool:
    return annotation is Path or any(map(_holds_path, get_args(annotation)))


app = typer.Typer(
    name="ddrscope",
    cls=LazyGroup,
    help="See what an image-restoration network knows about the degradation of its input, and put it to work.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=DEBUG,
)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and the commit, and exit.")) -> None:
    if version:
        print(version_line())
        raise typer.Exit
