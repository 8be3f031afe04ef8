"""Where the jobs of a run are done: in this process, or on a Ray cluster.

An executor knows nothing of what a job is. A job goes to a worker, which returns bytes; they come back with the number
of the job, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ddrscope.batch.jobs import NumberedJob, Task, Worker


class Executor(Protocol):
    """Does numbered jobs."""

    def run(self, jobs: Iterable[NumberedJob]) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the result of each job, in any order."""
        ...


@dataclass(frozen=True)
class LocalExecutor:
    """Does jobs one after the other in this process."""

    worker: Worker

    def run(self, jobs: Iterable[NumberedJob]) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the result of each job, in their order."""
        for number, job in jobs:
            yield number, self.worker(job)


def make_executor(task: Task, cluster: str | None, threads: int = 0, worker: Worker | None = None) -> Executor:
    """The executor that the parameters of a run ask for.

    Args:
        task: Describes the workers.
        cluster: None for this process; ``local`` for a Ray cluster of this machine's cores; else the address of a
            running cluster, as `ray.init` takes it.
        threads: Processor threads of each worker on a cluster; 0 is 1.
        worker: A worker of ``task`` that is open already, for this process.

    Raises:
        MissingDependencyError: ``cluster`` is given and Ray is not installed.
    """
    if cluster is None:
        return LocalExecutor(worker or task.open())
    from ddrscope.batch.ray_executor import RayExecutor

    return RayExecutor(task, cluster, threads or 1)
