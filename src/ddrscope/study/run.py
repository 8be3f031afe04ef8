"""`ddrscope.run_study`: from trainings to verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddrscope.batch.inputs import image_inputs
from ddrscope.features.threads import torch_threads
from ddrscope.io.files import sha256
from ddrscope.io.manifest import manifest
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks.zoo import bundled_path
from ddrscope.progress import NullProgress, Progress
from ddrscope.study.claims import judge_claims
from ddrscope.study.crops import write_crops
from ddrscope.study.evidence import make_evidence, run_analyses
from ddrscope.study.result import OUTPUTS, StudyResult
from ddrscope.study.settings import BUNDLED, Job, StudySettings, make_jobs
from ddrscope.study.trainings import keep_matched, read_training, run_trainings


def run_study(
    images: str | Path,
    val: str | Path,
    test: str | Path,
    out: str | Path,
    *,
    recipe: str = "pilot",
    changes: Mapping[str, Any] | None = None,
    seeds: int = 3,
    crops: int = 4,
    crop: int = 128,
    photos: int | None = None,
    tsne_seeds: int = 3,
    photo_from: str = "prefix",
    resume: bool = False,
    overwrite: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> StudyResult:
    """Test claims C1 to C6 of arXiv 2108.00406: train networks, analyse them and the bundled ones, judge the claims.

    Trains an SRResNet, and an SRGAN from it, for each seed, with and without global residual. The rules of the verdicts
    are fixed in advance (`ddrscope.study.CLAIMS`).

    Args:
        images: Clean photographs to train on: a folder, glob or list.
        val: Clean photographs for validation, by which the quality of networks is matched.
        test: Clean photographs to analyse, in none of the others; the bundled photographs are added.
        out: Folder of the result. Its folders ``trainings``, ``images`` and ``analyses`` keep what is done.
        recipe: The recipe of the trainings: a bundled name or a TOML file.
        changes: Values that replace those of the recipe, by key; keys of stages are dotted, as ``pixel.steps``.
        seeds: Trainings of each kind.
        crops: Crops of each photograph, without overlap.
        crop: Side of a crop in HR pixels.
        photos: Analyse only so many photographs.
        tsne_seeds: Number of t-SNE planes of each layer of the bundled networks, 1 to 20.
        photo_from: How the test images are assigned to photographs; see `ddrscope.analyze`.
        resume: Continue the interrupted study in ``out``; start if there is none.
        overwrite: Replace what an earlier study left in ``out``.
        threads: Processor threads, and trainings at the same time; 0 takes all.
        progress: Receives progress updates.

    Returns:
        The result, saved in ``out``.

    Raises:
        InputError: A parameter is wrong, or a photograph cannot be read or is too small.
        RunConflictError: ``out`` holds another run, or another process works there.
    """
    settings = StudySettings(
        str(images),
        str(val),
        str(test),
        recipe,
        dict(changes or {}),
        seeds,
        crops,
        crop,
        photos,
        tsne_seeds,
        photo_from,
    )
    folder = expand_path(out)
    jobs = make_jobs(settings, folder / "trainings")
    identity = settings.to_dict() | {"bundled": {name: sha256(bundled_path(name)) for name in BUNDLED}}
    inputs = {name: image_inputs([getattr(settings, name)]) for name in ("images", "val", "test")}
    progress = progress or NullProgress()
    with (
        torch_threads(threads) as count,
        RunDirectory(folder, identity, OUTPUTS, inputs=inputs, resume=resume, overwrite=overwrite) as directory,
    ):
        result = _run(settings, jobs, folder, count, progress, identity)
        progress.start("report", 0)
        result.save(folder)
        directory.finish()
    return result


def _run(
    settings: StudySettings,
    jobs: Sequence[Job],
    folder: Path,
    threads: int,
    progress: Progress,
    identity: dict[str, Any],
) -> StudyResult:
    images = folder / "images"
    photos = write_crops(settings.test, images, settings.crops, settings.crop, settings.photos, settings.photo_from)
    run_trainings(jobs, settings, threads, progress)
    keep_matched(jobs)
    analyses = run_analyses(settings, jobs, images, folder / "analyses", threads, progress)
    evidence = make_evidence(analyses, jobs)
    return StudyResult(
        claims=judge_claims(evidence),
        photos=photos,
        crops=settings.crops,
        trainings=tuple(map(read_training, jobs)),
        settings=settings.to_dict(),
        manifest=manifest(identity),
        evidence=evidence,
        embeddings={name: analyses[name].embedding for name in ("networks", "classifier")},
    )
