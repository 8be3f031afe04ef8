"""How long work tells what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what is being done; the command line draws bars from it."""

    def start(self, task: str, total: int) -> None: ...
    def advance(self, count: int = 1) -> None: ...


class NullProgress:
    """A `Progress` that says nothing."""

    def start(self, task: str, total: int) -> None:
        pass

    def advance(self, count: int = 1) -> None:
        pass
