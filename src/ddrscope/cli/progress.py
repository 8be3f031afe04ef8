"""Progress bars on the terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ddrscope.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class TerminalProgress:
    """A `ddrscope.progress.Progress` that draws one bar per task.

    Args:
        bars: Draws the bars.
        interrupted: Set by Ctrl-C; the next call then raises KeyboardInterrupt.
    """

    def __init__(self, bars: Bars, interrupted: threading.Event) -> None:
        self.bars = bars
        self.interrupted = interrupted
        self.task: TaskID | None = None

    def start(self, task: str, total: int) -> None:
        self._check()
        if self.task is not None:
            done = self.bars.tasks[-1].completed or 1
            self.bars.update(self.task, total=done, completed=done)
        self.task = self.bars.add_task(printable(task), total=total or None)

    def advance(self, count: int = 1) -> None:
        self._check()
        if self.task is not None:
            self.bars.advance(self.task, count)

    def _check(self) -> None:
        if self.interrupted.is_set():
            raise KeyboardInterrupt


@contextmanager
def progress() -> Iterator[TerminalProgress]:
    """Draw progress bars on stderr while the block runs; nothing is drawn into a pipe."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        # File names must not be read as markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bars,
        _recorded_interrupts() as interrupted,
    ):
        yield TerminalProgress(bars, interrupted)


@contextmanager
def _recorded_interrupts() -> Iterator[threading.Event]:
    """Set an event at Ctrl-C, besides raising KeyboardInterrupt, which compiled code that calls Python may swallow."""
    interrupted = threading.Event()

    def record(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.signal(signal.SIGINT, record)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        raise KeyboardInterrupt
