"""The interface through which long work reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Shows the progress of one task at a time; the command line draws bars."""

    def start(self, task: str, total: int) -> None:
        """Start a task of ``total`` steps, which ends the one before; 0 if their number is unknown."""

    def advance(self, count: int = 1) -> None:
        """Report that ``count`` more steps are done."""


class NullProgress:
    """A `Progress` that shows nothing."""

    def start(self, task: str, total: int) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass
