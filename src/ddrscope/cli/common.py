"""What all commands share: options, and what they print.

Importing a command must be cheap, since the shell waits for it at every Tab: this module and those of the commands
import PyTorch and the packages that compute only inside functions.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddrscope.cli.progress import progress as progress
from ddrscope.errors import InputError, escaped
from ddrscope.io.files import without_nan

if TYPE_CHECKING:
    from ddrscope.networks import Network

DEBUG = "Every command takes --debug: show where an error comes from."


def list_option(name: str, metavar: str, help: str) -> Any:
    """An option that takes several values: repeated, or given once, quoted, with spaces between the values.

    Options whose values may contain spaces, as paths, are declared by `typer.Option` and can only be repeated.

    Examples:
        >>> Layers = Annotated[list[str] | None, list_option("--layers", "L", "Layer names or globs.")]
    """
    return typer.Option(name, metavar=metavar, help=help, callback=_split)


def is_split(parameter: Any) -> bool:
    """Whether a parameter of a command was declared by `list_option`."""
    return getattr(parameter.callback, "__wrapped__", None) is _split


def _split(value: list[str] | None) -> list[str] | None:
    # Spaces around a plus sign do not separate: ``blur:2 + noise:10`` is one degradation.
    words = [word for text in value or [] for word in re.split(r"(?<!\+)\s+(?!\+)", text.strip())]
    if any(word.startswith("-") for word in words):
        raise typer.BadParameter("it needs a value")
    return words or None


# The range of seeds that numpy and scikit-learn take.
Seed = Annotated[
    int, typer.Option("--seed", help="Seed of every random number.", show_default=True, min=0, max=(1 << 32) - 1)
]
Device = Annotated[str, typer.Option("--device", help="auto (a GPU if there is one), cpu, cuda, cuda:1, mps ...")]
Precision = Annotated[
    str, typer.Option("--precision", help="float32, bfloat16, or auto: bfloat16 if it is faster on this machine.")
]
Threads = Annotated[int, typer.Option("--threads", help="Processor threads; 0: all.", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a machine-readable summary on stdout.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|ADDRESS",
        help="Distribute the work with Ray, on this machine or on the cluster whose head has this address. Each worker "
        "uses --threads threads (default 1).",
    ),
]
Tiles = Annotated[
    str, typer.Option("--tiles", metavar="N", help="Tiles of 128 x 128 pixels of each image, spread evenly; or all.")
]
IdentifierFile = Annotated[
    Path | None,
    typer.Option("--identifier", metavar="FILE", help="Of ddrscope fit-identifier. Default: a bundled one."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run; start if there is none.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run left in the output.")]
GlobalResidual = Annotated[
    bool | None,
    typer.Option(
        "--global-residual/--no-global-residual",
        help="Whether the network adds its enlarged input to its output, if the checkpoint does not say. Default: "
        "auto-detect.",
    ),
]
AllowTorchscript = Annotated[
    bool,
    typer.Option(
        "--allow-torchscript", help="Read TorchScript archives. They contain programs: allow only trusted sources."
    ),
]
PhotoFrom = Annotated[
    str,
    typer.Option(
        "--photo-from",
        metavar="PREFIX|NAME|FOLDER|EXIF",
        help="What the images of one photograph share: the file name up to a double underscore (prefix), the whole name "
        "(each image is a photograph of its own), the folder, or camera and time in EXIF.",
    ),
]


def named_values(option: str, texts: list[str], example: str = "phone=photos/phone") -> dict[str, str]:
    """`NAME=VALUE` texts as a dictionary; `InputError`, with the example, for another form or a name given twice."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(f"{option} {text!r} is not of the form NAME=VALUE, as in {option} {example}")
        if name in values:
            raise InputError(f"{option} names {name!r} twice: give each its own name")
        values[name] = value
    return values


def say(text: str) -> None:
    """Print a line for people on stderr: stdout is kept for results and --json."""
    print(escaped(text), file=sys.stderr)


def say_notes(network: Network) -> None:
    """Print the notes on a loaded network, such as which of a checkpoint's weights were taken."""
    for note in network.notes:
        say(f"{network.name}: {note}")


def show(text: str) -> None:
    """Print a line of the result on stdout."""
    print(escaped(text))


def print_json(value: Any) -> None:
    """Print the machine-readable summary on stdout."""
    print(json.dumps(without_nan(value), allow_nan=False))


def tile_limit(text: str) -> int | None:
    """The number that ``--tiles`` gives; None for all."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"`tiles`={text}: give a number from 1 on, or all")
    return int(text)
