"""The commands put together."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from ddrscope.cli.completion import SEVERAL, TAKE_SEVERAL, stand_in
from ddrscope.errors import InputError
from ddrscope.io.paths import expand_path
from ddrscope.version import version_line

# Each is a module of this package with a function `command`, or an `app` of several.
COMMANDS = {
    "analyze": "Do a network's features gather by degradation or by content?",
    "features": "Write a network's features to a file for other tools.",
    "map": "Map up to millions of points: measures, a plane, a page.",
    "degrade": "Degrade images and write them as PNG.",
    "generalize": "Score networks on your images, without the truth (SRGA).",
    "identify": "Name the degradation in images: type, level, novelty, where.",
    "fit-identifier": "Fit an identifier to your photographs, distortions, labels.",
    "upscale": "Enlarge images, and say what was wrong with them.",
    "train": "Train an SRResNet on photographs, and make an SRGAN of it.",
    "study": "Test the paper's claims C1 to C6, from training to verdict.",
    "serve": "Pages in the browser: what is wrong, compare, degradation.",
    "models": "Networks that go by name; what is known of one; its layers.",
}


class Commands(TyperGroup):
    """Imports a command's module when it is called: `ddrscope --help` need not wait for PyTorch."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if ctx.resilient_parsing and cmd_name in COMMANDS:
            # A word is completed: nothing is run.
            return stand_in(cmd_name, COMMANDS[cmd_name])
        if cmd_name in COMMANDS and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _read(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _read(name: str) -> TyperGroup | TyperCommand:
    module = importlib.import_module(f"ddrscope.cli.{name.replace('-', '_')}")
    if hasattr(module, "app"):
        for registered in module.app.registered_commands:
            _expand_paths(registered.callback)
        return typer.main.get_command(module.app)  # type: ignore[return-value]
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    _expand_paths(module.command)
    alone.command(name)(module.command)
    return typer.main.get_command(alone)  # type: ignore[return-value]


def _expand_paths(function: Callable[..., None]) -> None:
    """Let every option of the type `Path` expand ``~`` and variables: the shell does not in ``--out=~/x``, a list or a TOML file."""
    # Kept as objects: Typer would read them from their texts once more.
    function.__annotations__ = get_type_hints(function, include_extras=True)
    for annotation in function.__annotations__.values():
        if _takes_path(annotation):
            for option in annotation.__metadata__:
                option.parser = expand_path


def _takes_path(annotation: Any) -> bool:
    return annotation is Path or any(map(_takes_path, get_args(annotation)))


app = typer.Typer(
    name="ddrscope",
    cls=Commands,
    help="See what an image-restoration network knows about the degradation in its input, and put it to work.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Every command takes --debug: show where an error comes from.",
)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and the commit, and exit.")) -> None:
    if version:
        print(version_line())
        raise typer.Exit


def repeat_options(words: Sequence[str]) -> list[str]:
    """`analyze N --degrade a b` as `analyze N --degrade a --degrade b`, the one form the option parser knows."""
    if not words or words[0] not in TAKE_SEVERAL:
        return list(words)
    repeated: list[str] = []
    option: str | None = ""
    values = 0
    for word in [*words, None]:
        if word is None or (word.startswith("-") and not _is_number(word)):
            if option and not values:
                raise InputError(f"{words[0]}: {option} needs a value (see ddrscope {words[0]} --help)")
            option, values = (word, 0) if word in SEVERAL else ("", 0)
            if word is not None and not option:
                repeated.append(word)
        elif option:
            repeated += [option, word]
            values += 1
        else:
            repeated.append(word)
    return repeated


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
