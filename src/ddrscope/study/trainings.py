"""The trainings of a study: several at the same time, one thread each."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch

from ddrscope.io.files import read_json, write_json
from ddrscope.networks import load_network
from ddrscope.progress import Progress
from ddrscope.results.study import Snapshot, TrainingRecord
from ddrscope.study.settings import Job, StudySettings
from ddrscope.training import Evaluator, PhotoPairs, Training
from ddrscope.training import TrainingProgress as Step
from ddrscope.training.loop import VALIDATION_SIDE

# Pixel steps that take as long as one adversarial step, for the estimate of the time left.
ADVERSARIAL_COST = 5
SNAPSHOTS = "snapshots.json"

# In a worker process: the queue of the numbers of steps done.
_done: Any = None


def run_trainings(jobs: Sequence[Job], settings: StudySettings, threads: int, progress: Progress) -> None:
    """Run the trainings that are missing; an interrupted one continues from its checkpoint.

    Each writes ``snapshots.json``, with the quality of its kept steps on the validation photographs.

    Args:
        jobs: The trainings.
        settings: The settings of the study.
        threads: How many trainings run at the same time.
        progress: Receives progress updates.
    """
    missing = [job for job in jobs if not (job.folder / SNAPSHOTS).exists()]
    if not missing:
        return
    progress.start(f"trainings ({len(missing)} of {len(jobs)} to do)", sum(_cost(job) for job in missing))
    context = multiprocessing.get_context("spawn")
    done = context.SimpleQueue()
    with ProcessPoolExecutor(max(1, threads), context, _begin, (done,)) as pool:
        futures = {pool.submit(_train, job, settings) for job in missing}
        try:
            while futures:
                finished, futures = wait(futures, timeout=1, return_when=FIRST_EXCEPTION)
                while not done.empty():
                    progress.advance(done.get())
                for future in finished:
                    future.result()
        except BaseException:
            # The next run continues from their checkpoints.
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _cost(job: Job) -> int:
    return job.recipe.pixel.steps + ADVERSARIAL_COST * job.recipe.adversarial.steps


def _begin(done: Any) -> None:
    """Start a worker process, which puts the numbers of its steps into ``done``."""
    global _done
    _done = done
    torch.set_num_threads(1)


def _train(job: Job, settings: StudySettings) -> None:
    photos = PhotoPairs(settings.images, job.recipe.scale, job.recipe.patch)
    validation = PhotoPairs(settings.val, job.recipe.scale)
    training = Training(job.recipe, photos, validation, job.folder)
    _done.put(training.pixel.step + ADVERSARIAL_COST * training.stages[-1].step)
    keep = {
        stage.name: sorted([*job.kept_steps(stage.name), *job.tried_steps(stage.name)]) for stage in training.stages
    }

    def report(step: Step) -> None:
        _exit_without_study()
        _done.put(1 if step.stage == "pixel" else ADVERSARIAL_COST)

    training.run(report, keep)
    evaluator = Evaluator(validation)
    snapshots = []
    for stage in training.stages:
        files = [(step, stage.snapshot(step)) for step in keep[stage.name]] + [(None, stage.weights)]
        for step, path in files:
            _exit_without_study()
            quality = _quality(evaluator, path, step is None)
            snapshots.append(Snapshot(stage.name, step, str(path.relative_to(job.folder)), **quality))
    content = {
        "recipe": dataclasses.asdict(training.recipe),
        "seconds": [stage.seconds for stage in training.stages],
        "snapshots": [snapshot.to_json() for snapshot in snapshots],
    }
    write_json(job.folder / SNAPSHOTS, content)


def _exit_without_study() -> None:
    """Exit if the process of the study has ended; the next one continues from the checkpoint."""
    study = multiprocessing.parent_process()
    if study and not study.is_alive():
        # After an exception the worker would start the next training.
        os._exit(1)


def _quality(evaluator: Evaluator, path: Path, perceptual: bool) -> dict[str, float]:
    """The means over the validation photographs; LPIPS, which is slow, only if asked for."""
    rows = evaluator.validate(load_network(path).module, VALIDATION_SIDE, perceptual)
    names = ("psnr", "psnr_bicubic", *(("lpips", "lpips_bicubic") if perceptual else ()))
    return {name: sum(getattr(row, name) for row in rows) / len(rows) for name in names}


def keep_matched(jobs: Sequence[Job]) -> None:
    """Delete the tried steps with global residual but the one nearest in PSNR to the final network without.

    The choice is made by quality alone, before any analysis.
    """
    target = {job.recipe.seed: _final_psnr(job) for job in jobs if not job.recipe.global_residual}
    for job in jobs:
        tried = [row for row in read_snapshots(job) if row.stage == "pixel" and row.step in job.tried_steps("pixel")]
        if tried:
            nearest = min(tried, key=lambda row: abs(row.psnr - target[job.recipe.seed]))
            for row in tried:
                if row is not nearest:
                    (job.folder / row.path).unlink(missing_ok=True)


def _final_psnr(job: Job) -> float:
    return next(row.psnr for row in read_snapshots(job) if row.step is None and row.stage == "pixel")


def read_snapshots(job: Job) -> list[Snapshot]:
    """The kept weights of a finished training."""
    return list(map(Snapshot.from_json, read_json(job.folder / SNAPSHOTS)["snapshots"]))


def read_training(job: Job) -> TrainingRecord:
    """A finished training, with the quality at the end of each stage."""
    content = read_json(job.folder / SNAPSHOTS)
    final = tuple(snapshot for snapshot in read_snapshots(job) if snapshot.step is None)
    return TrainingRecord(job.name, content["recipe"], tuple(content["seconds"]), final)
