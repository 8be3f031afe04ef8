"""The same work on many machines: pieces of it go to workers on Ray, what they make comes back as bytes, in any order.

Nothing here knows what the pieces are. A worker that dies is replaced, and its piece made again, by Ray Data; the process that gives
the command keeps what comes back on its own disk, so a run that dies is resumed like any other.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from typing import Any, Protocol

import torch

from ddrscope.errors import InputError, printable

# A piece of work and what is made of it.
Worker = Callable[[Any], bytes]


class Task(Protocol):
    """What a worker must be told, small enough to send; `open` loads what the work needs, once in each worker."""

    def open(self) -> Worker:
        """Load what the work needs and return what does it."""
        ...


def run_locally(worker: Worker, pieces: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, bytes]]:
    """Each piece's number and what is made of it, one after the other in this process."""
    for number, piece in pieces:
        yield number, worker(piece)


def run_on_cluster(
    task: Task, pieces: Sequence[tuple[int, Any]], address: str, threads: int = 1
) -> Iterator[tuple[int, bytes]]:
    """The same by as many workers of ``threads`` processor threads as the cluster at ``address`` has room for.

    ``address`` is ``local`` (a cluster of this machine's cores, for the time of the run) or what `ray.init` takes, as ``auto`` or
    ``ray://head:10001``. Workers must find ddrscope and the images where this process does: by the same paths, or by URI.
    Raises `InputError` where Ray is not installed or no cluster answers.
    """
    if not pieces:
        return
    # Nothing is sent anywhere: Ray reports its usage unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise InputError("--cluster needs Ray: pip install 'ddrscope[cluster]'") from None
    _check_address(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == "local":
            # Said by name: with no address Ray joins a cluster that already runs on this machine.
            ray.init(address="local", num_cpus=len(os.sched_getaffinity(0)), include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError) as error:
        raise _unreachable(address, error) from None
    try:
        results = _results(task, pieces, threads)
        while True:
            # Ray tells of its nodes on stdout, which belongs to --json; between two results it is the caller's again.
            with redirect_stdout(sys.stderr):
                result = next(results, None)
            if result is None:
                break
            yield result
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raise `InputError` at once where nothing listens: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, error) from None


def _unreachable(address: str, error: Exception) -> InputError:
    said = printable(str(error))[:200]
    return InputError(f"--cluster {address}: {said}: give local, or the address of a running head")


def _results(task: Task, pieces: Sequence[tuple[int, Any]], threads: int) -> Iterator[tuple[int, bytes]]:
    import ray
    from ray.exceptions import RayTaskError

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    room = int(ray.cluster_resources().get("CPU", 0)) // threads
    if room < 1:
        raise InputError(f"the cluster has no room for a worker of {threads} threads: give fewer --threads")
    rows = [{"number": number, "piece": pickle.dumps(piece)} for number, piece in pieces]
    # A block for each piece: it is what is sent, lost and made again.
    made = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _OnRay,
        fn_constructor_args=(task, threads),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=min(room, len(rows))),
        num_cpus=threads,
    )
    try:
        for row in made.iter_rows():
            yield int(row["number"]), bytes(row["content"])
    except RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from None
        raise


class _OnRay:
    """A worker in its own process, which keeps what it loaded from piece to piece."""

    def __init__(self, task: Task, threads: int) -> None:
        torch.set_num_threads(threads)
        self.work = task.open()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        made = [self.work(pickle.loads(piece)) for piece in batch["piece"]]  # of this run's own making
        return {"number": batch["number"], "content": np.array(made, dtype=object)}
