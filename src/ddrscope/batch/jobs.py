"""What an executor is given: numbered jobs, and the task that opens the worker that does them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Worker = Callable[[Any], bytes]
# The number of a job, and what the worker is called with.
NumberedJob = tuple[int, Any]


class Task(Protocol):
    """What a worker needs to know: a few values, small enough to send to another machine."""

    def open(self) -> Worker:
        """Load what the jobs need, such as a network, and return the worker."""
        ...
