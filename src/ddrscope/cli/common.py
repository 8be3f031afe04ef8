"""What all commands share: options, progress bars, the summary for machines."""

from __future__ import annotations

import ctypes
import json
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ddrscope.errors import InputError, escaped, printable
from ddrscope.features import precision as run_precision
from ddrscope.io.files import without_nan
from ddrscope.networks import Network

# What numpy and scikit-learn take.
Seed = Annotated[
    int, typer.Option("--seed", help="Seed of every random number.", show_default=True, min=0, max=(1 << 32) - 1)
]
Device = Annotated[str, typer.Option("--device", help="auto (a GPU where there is one), cpu, cuda, cuda:1, mps ...")]
Precision = Annotated[
    str, typer.Option("--precision", help="float32, bfloat16, or auto: bfloat16 where it is faster here.")
]
Threads = Annotated[int, typer.Option("--threads", help="Processor threads; 0: all.", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a summary for machines on stdout.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|ADDRESS",
        help="Share the work between workers on Ray, each of --threads threads (default 1): on this machine, or at a head's address.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run; start if there is none.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run left in the output.")]
GlobalResidual = Annotated[
    bool | None,
    typer.Option(
        "--global-residual/--no-global-residual",
        help="Whether the network adds its enlarged input to its output, where its file does not tell. Default: measured.",
    ),
]

AllowTorchscript = Annotated[
    bool,
    typer.Option(
        "--allow-torchscript", help="Read TorchScript archives, which hold programs: only from those you trust."
    ),
]
PhotoFrom = Annotated[
    str,
    typer.Option(
        "--photo-from",
        metavar="NAME|FOLDER|EXIF",
        help="What images of one photograph share: their whole name (each is a photograph of its own), their folder, or camera and time in "
        "EXIF; prefix: the name up to a double underscore.",
    ),
]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def use_threads(count: int) -> int:
    """Let PyTorch use ``count`` threads (0: all that OMP_NUM_THREADS or the machine gives) and return their number."""
    if count:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def resolve_precision(precision: str, device: str, begun: Path | None) -> Literal["float32", "bfloat16"]:
    """The precision of the whole run: ``auto`` is that of the run to go on with, or what is faster here.

    ``begun`` is the folder or the manifest of the run to go on with.
    Timed anew, a busy or another machine might settle it otherwise, and half of the numbers would be of the one, half of the other.
    """
    return run_precision.resolve_precision(precision, torch.device(device), begun)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for what comes next, where it is glibc.

    Tensors of tens of megabytes are otherwise given back to the system and handed out anew, page by page and blank, for every layer.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if adjust:
        # Of malloc.h: nothing is mapped by itself, and up to 2 GiB at the end of the heap are kept.
        for parameter, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1)):
            adjust(parameter, value)


def say(text: str) -> None:
    """A line for people, on stderr: stdout belongs to --json and to pipes."""
    print(escaped(text), file=sys.stderr)


def say_notes(network: Network) -> None:
    """What is to be known of a network that was loaded, such as which of a file's weights were taken."""
    for note in network.notes:
        say(f"{network.name}: {note}")


def show(text: str) -> None:
    """A line on stdout: what was asked for, where it is not JSON."""
    print(escaped(text))


def print_json(value: Any) -> None:
    """The machine-readable summary, on stdout."""
    print(json.dumps(without_nan(value), allow_nan=False))


class Interrupts:
    """Remembers Ctrl-C: compiled code that Python calls back may swallow a KeyboardInterrupt on its way up."""

    seen = False

    @classmethod
    def watch(cls) -> None:
        """From now on, raise KeyboardInterrupt at Ctrl-C as Python does, and remember it."""

        def remember(*_: object) -> None:
            cls.seen = True
            raise KeyboardInterrupt

        cls.seen = False
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, remember)

    @classmethod
    def check(cls) -> None:
        """Raise KeyboardInterrupt again if one was seen."""
        if cls.seen:
            raise KeyboardInterrupt


class TerminalProgress:
    """Draws a bar for each task on a terminal, nothing in a pipe; stops the work where a Ctrl-C was swallowed."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.task: TaskID | None = None

    def start(self, task: str, total: int) -> None:
        Interrupts.check()
        self._close()
        self.task = self.bars.add_task(printable(task), total=total or None)

    def advance(self, count: int = 1) -> None:
        Interrupts.check()
        if self.task is not None:
            self.bars.advance(self.task, count)

    def _close(self) -> None:
        if self.task is not None:
            done = self.bars.tasks[-1]
            self.bars.update(self.task, total=done.completed or 1, completed=done.completed or 1)


@contextmanager
def progress() -> Iterator[TerminalProgress]:
    """Progress bars with time left on stderr while the block runs."""
    console = Console(stderr=True)
    Interrupts.watch()
    columns = (
        # Names of files are no markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        yield TerminalProgress(bars)


def split_words(values: list[str] | None) -> list[str]:
    """The values of a list option that was repeated, or given once with its values quoted and separated by spaces.

    Spaces around a plus sign do not separate: ``blur:2 + noise:10`` is one degradation.
    """
    return [word for value in values or [] for word in re.split(r"(?<!\+)\s+(?!\+)", value.strip())]


def named_values(option: str, texts: list[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a dictionary; raises `InputError` for one that is not of that form or a name given twice."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(
                f"{option} {text!r} is not of the form NAME=VALUE: write for instance {option} phone=photos/phone"
            )
        if name in values:
            raise InputError(f"{option} names {name!r} twice: give each its own name")
        values[name] = value
    return values
