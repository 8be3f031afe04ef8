"""The evidence of a study: analyses of all networks and checkpoints, and their measures as tables."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.analysis import AnalysisResult, analyze
from ddrscope.networks import load_network
from ddrscope.progress import Progress
from ddrscope.results.layers import LayerMeasures
from ddrscope.results.study import Evidence
from ddrscope.study.settings import BUNDLED, CLASSIFIER, DEGRADATIONS, LEVELS, Job, StudySettings
from ddrscope.study.trainings import read_snapshots

STAGES = ("pixel", "adversarial")


def run_analyses(
    settings: StudySettings, jobs: Sequence[Job], images: Path, folder: Path, threads: int, progress: Progress
) -> dict[str, AnalysisResult]:
    """Run the analyses of a study, each in a folder of its own, where it is resumed.

    Args:
        settings: The settings of the study.
        jobs: Its trainings, finished.
        images: Folder of its crops.
        folder: Receives the folders of the analyses.
        threads: Processor threads.
        progress: Receives progress updates.

    Returns:
        The analyses ``networks`` and ``classifier`` (bundled), ``levels`` (bundled networks, many levels), ``seeds``
        (networks of this study) and ``checkpoints`` (their kept steps).
    """
    run = partial(analyze, crop=settings.crop, content="photo", resume=True, threads=threads, progress=progress)
    all_crops = str(images)
    # One crop of each photograph is enough for the many levels.
    first_crops = sorted(map(str, images.glob("*__1.png")))
    levels = [*DEGRADATIONS[:1], *(f"{family}:{level:g}" for family, all_of in LEVELS.items() for level in all_of)]
    return {
        "networks": run(BUNDLED, all_crops, tsne_seeds=settings.tsne_seeds, out=folder / "networks"),
        "classifier": run(CLASSIFIER, all_crops, tsne_seeds=settings.tsne_seeds, out=folder / "classifier"),
        "levels": run(BUNDLED, first_crops, levels, layers=(), tsne_seeds=1, out=folder / "levels"),
        "seeds": run(
            [replace(load_network(job.weights(stage)), name=job.network(stage)) for job, stage in _stages(jobs)],
            all_crops,
            tsne_seeds=1,
            out=folder / "seeds",
        ),
        "checkpoints": run(
            (),
            all_crops,
            checkpoints={job.network(stage): _snapshots(job, stage) for job, stage in _stages(jobs)},
            tsne_seeds=1,
            out=folder / "checkpoints",
        ),
    }


def make_evidence(analyses: Mapping[str, AnalysisResult], jobs: Sequence[Job]) -> Evidence:
    """The tables of a study from its analyses and trainings."""
    layers = [layer_table(analyses[name]) for name in ("networks", "classifier", "seeds")]
    return Evidence(
        layers=pd.concat(layers, ignore_index=True),
        checkpoints=_checkpoints(analyses["checkpoints"], jobs),
        paths=path_table(analyses["levels"]),
        psnr={job.network(row.stage): row.psnr for job in jobs for row in read_snapshots(job) if row.step is None},
    )


def _stages(jobs: Sequence[Job]) -> Iterator[tuple[Job, str]]:
    return ((job, stage) for job in jobs for stage in STAGES)


def _snapshots(job: Job, stage: str) -> str:
    # The name of the folder may contain characters of a glob.
    return glob.escape(str(job.folder / stage / "snapshots")) + "/step-*.safetensors"


def _entries(result: AnalysisResult) -> Iterator[tuple[str, str, tuple[LayerMeasures, ...]]]:
    """Network, control and layers of all entries of an analysis."""
    for entry in result.networks:
        yield entry.name, "", entry.layers
    for control in result.controls:
        yield control.network, control.kind, control.layers


def layer_table(result: AnalysisResult) -> pd.DataFrame:
    """The layers of an analysis, controls included, as in `Evidence.layers`."""
    rows = []
    for network, control, layers in _entries(result):
        head = {"network": network, "control": control, "seed": _seed(network)}
        rows += [head | _measures(layer) | {"last": layer.layer == layers[-1].layer} for layer in layers]
    return pd.DataFrame(rows)


def _checkpoints(result: AnalysisResult, jobs: Sequence[Job]) -> pd.DataFrame:
    quality = {(job.network(row.stage), row.step): row for job in jobs for row in read_snapshots(job)}
    rows = []
    for series in result.series:
        for checkpoint in series.checkpoints:
            snapshot = quality[series.name, int(checkpoint.label.removeprefix("step-"))]
            head = {"network": series.name, "seed": _seed(series.name)} | {
                key: getattr(snapshot, key) for key in ("stage", "step", "psnr", "psnr_bicubic")
            }
            rows += [head | _measures(layer) for layer in checkpoint.layers]
    return pd.DataFrame(rows)


def path_table(result: AnalysisResult) -> pd.DataFrame:
    """The paths of levels of an analysis, controls included, as in `Evidence.paths`."""
    rows = [
        {"network": network, "control": control, "layer": layer.layer, "view": layer.view, "n": layer.n}
        | path.to_json()
        for network, control, layers in _entries(result)
        for layer in layers
        for path in layer.paths or ()
    ]
    return pd.DataFrame(rows)


def _measures(layer: LayerMeasures) -> dict[str, Any]:
    values = layer.to_json()
    values.pop("paths", None)
    return values


def _seed(network: str) -> str:
    return network.split(" seed ")[1] if " seed " in network else "bundled"
