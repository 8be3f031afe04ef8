from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from hypothesis import settings

# Each example is bounded by the guard below; on a busy machine the first one imports much.
settings.register_profile("attacks", deadline=None)
settings.load_profile("attacks")


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A pipe that nobody writes to, a device without end: what waits for them is stopped, and fails."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError("still waiting")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(600)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
