"""The trainings of the study: those that are missing, several beside each other, one thread each."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

import torch

from ddrscope.io.files import write_json
from ddrscope.networks import load_network
from ddrscope.progress import Progress
from ddrscope.study.settings import Job, StudySettings
from ddrscope.training import Evaluator, PhotoPairs, Training
from ddrscope.training import Progress as Step
from ddrscope.training.loop import VALIDATION_SIDE

# An adversarial step costs about so many pixel steps: only for the time that is left.
ADVERSARIAL_COST = 5

# In a worker process: the queue on which the study hears of steps.
_done: Any = None


def run_trainings(jobs: Sequence[Job], settings: StudySettings, threads: int, progress: Progress) -> None:
    """Run what is missing of the trainings, ``threads`` at a time; a broken one goes on from its checkpoint.

    At the end each has ``snapshots.json``: the PSNR on the validation photographs at every kept step.
    """
    missing = [job for job in jobs if not (job.folder / "snapshots.json").exists()]
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
            # Workers end with their checkpoints; the next run takes them up.
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _cost(job: Job) -> int:
    return job.recipe.pixel.steps + ADVERSARIAL_COST * job.recipe.adversarial.steps


def _begin(done: Any) -> None:
    """Start a worker process, which tells ``done`` the steps it did."""
    global _done
    _done = done
    torch.set_num_threads(1)


def _train(job: Job, settings: StudySettings) -> None:
    photos = PhotoPairs(settings.images, job.recipe.scale, job.recipe.patch)
    validation = PhotoPairs(settings.val, job.recipe.scale)
    training = Training(job.recipe, photos, validation, job.folder)
    _done.put(training.pixel.step + ADVERSARIAL_COST * training.stages[-1].step)
    keep = {stage.name: sorted([*job.kept(stage.name), *job.tried(stage.name)]) for stage in training.stages}

    def report(step: Step) -> None:
        _end_with_the_study()
        _done.put(1 if step.stage == "pixel" else ADVERSARIAL_COST)

    training.run(report, keep)
    judge = Evaluator(validation)
    rows = []
    for stage in training.stages:
        files = [(step, stage.snapshot(step)) for step in keep[stage.name]] + [(None, stage.weights)]
        for step, path in files:
            _end_with_the_study()
            kept = {"stage": stage.name, "step": step, "path": str(path.relative_to(job.folder))}
            rows.append(kept | _quality(judge, path, step is None))
    recipe = dataclasses.asdict(training.recipe)
    write_json(
        job.folder / "snapshots.json",
        {"recipe": recipe, "seconds": [s.seconds for s in training.stages], "snapshots": rows},
    )


def _end_with_the_study() -> None:
    """Exit when the study that asked for this training is gone; the next one takes up the checkpoint."""
    study = multiprocessing.parent_process()
    if study and not study.is_alive():
        # Not by an exception: the pool's worker would go on with the next training.
        os._exit(1)


def _quality(judge: Evaluator, path: Path, perceptual: bool) -> dict[str, float]:
    """The means over the validation photographs, cropped as in the log; LPIPS, which costs most, where asked."""
    rows = judge.validate(load_network(path).module, VALIDATION_SIDE, perceptual)
    names = ("psnr", "psnr_bicubic", *(("lpips", "lpips_bicubic") if perceptual else ()))
    return {name: sum(getattr(row, name) for row in rows) / len(rows) for name in names}


def keep_matched(jobs: Sequence[Job]) -> None:
    """Of the steps tried with global residual keep the one nearest in PSNR to the final network without.

    By quality alone, before any analysis.
    """
    target = {job.recipe.seed: _final(job, "pixel") for job in jobs if not job.recipe.global_residual}
    for job in jobs:
        rows = [row for row in read_snapshots(job) if row["step"] in job.tried("pixel") and row["stage"] == "pixel"]
        if rows:
            nearest = min(rows, key=lambda row: abs(row["psnr"] - target[job.recipe.seed]))
            for row in rows:
                if row is not nearest:
                    (job.folder / row["path"]).unlink(missing_ok=True)


def _final(job: Job, stage: str) -> float:
    return next(row["psnr"] for row in read_snapshots(job) if row["step"] is None and row["stage"] == stage)


def read_snapshots(job: Job) -> list[dict[str, Any]]:
    """The kept weights of a training and their quality; ``step`` is None for the averaged weights at the end."""
    return json.loads((job.folder / "snapshots.json").read_text(encoding="utf-8"))["snapshots"]
