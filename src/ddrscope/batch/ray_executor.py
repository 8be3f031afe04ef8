"""Jobs on a Ray cluster.

Ray Data replaces a worker that dies and does its jobs again. The results come back to the process that started the
run, which keeps them on its own disk, so that a run on a cluster is resumed like any other.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch

from ddrscope.batch.jobs import NumberedJob, Task
from ddrscope.errors import InputError, MissingDependencyError, printable

CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True)
class RayExecutor:
    """Does jobs in as many workers as a Ray cluster has room for.

    Workers must find ddrscope installed, and images by the same paths or by URI.

    Args:
        task: Describes the workers; each opens it once.
        address: ``local`` for a cluster of this machine's cores, which ends with the run; else what `ray.init` takes,
            such as ``auto`` or ``ray://head:10001``.
        threads: Processor threads of each worker.

    Raises:
        MissingDependencyError: Ray is not installed.
    """

    task: Task
    address: str
    threads: int = 1

    def __post_init__(self) -> None:
        # Ray reports its usage unless this is set.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            importlib.import_module("ray")
        except ImportError:
            raise MissingDependencyError("`cluster` needs Ray: pip install 'ddrscope[cluster]'") from None

    def run(self, jobs: Iterable[NumberedJob]) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the result of each job, in the order in which they are done.

        Raises:
            InputError: The cluster does not answer, or has no room for a worker; or a worker raised it.
        """
        import ray

        listed = list(jobs)
        if not listed:
            return
        # A thread of Ray writes messages about its nodes to stdout at any time; stdout belongs to the caller's output.
        with redirect_stdout(sys.stderr):
            self._connect()
            try:
                yield from self._results(listed)
            finally:
                ray.shutdown()

    def _connect(self) -> None:
        import ray

        self._check_address()
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if self.address == "local":
                # Named, since without an address Ray joins a cluster that already runs on this machine.
                ray.init(address="local", num_cpus=len(os.sched_getaffinity(0)), include_dashboard=False, **quiet)
            else:
                ray.init(address=self.address, **quiet)
        except (ConnectionError, ValueError) as error:
            raise self._unreachable(error) from None

    def _check_address(self) -> None:
        """Raise `InputError` at once if nothing listens at the address; Ray itself would wait for minutes."""
        host, colon, port = self.address.rpartition("://")[2].rpartition(":")
        if colon and port.isdecimal():
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_TIMEOUT_S).close()
            except (OSError, OverflowError) as error:
                raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> InputError:
        reason = printable(str(error))[:200]
        return InputError(f"`cluster`={self.address}: {reason}: give local, or the address of a running head")

    def _results(self, jobs: list[NumberedJob]) -> Iterator[tuple[int, bytes]]:
        import ray
        from ray.exceptions import RayTaskError

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        workers = int(ray.cluster_resources().get("CPU", 0)) // self.threads
        if workers < 1:
            raise InputError(f"the cluster has no room for a worker of {self.threads} threads: give fewer `threads`")
        rows = [{"number": number, "job": pickle.dumps(job)} for number, job in jobs]
        # A block for each job: blocks are what is sent, lost and done again.
        results = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _RayWorker,
            fn_constructor_args=(self.task, self.threads),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows))),
            num_cpus=self.threads,
        )
        try:
            for row in results.iter_rows():
                yield int(row["number"]), bytes(row["content"])
        except RayTaskError as error:
            if isinstance(error.cause, InputError):
                raise error.cause from None
            raise


class _RayWorker:
    """A worker in its own process, which keeps what it loaded from job to job."""

    def __init__(self, task: Task, threads: int) -> None:
        torch.set_num_threads(threads)
        self.work = task.open()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        # The pickles come from this run only.
        contents = [self.work(pickle.loads(job)) for job in batch["job"]]
        return {"number": batch["number"], "content": np.array(contents, dtype=object)}
