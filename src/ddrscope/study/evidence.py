"""What the claims are judged by: one table of measures of every network, layer, view and checkpoint."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.analysis import Analysis, AnalysisResult, AnalysisSettings
from ddrscope.networks import Network, load_network
from ddrscope.progress import Progress
from ddrscope.study.settings import BUNDLED, CLASSIFIER, DEGRADATIONS, LEVELS, Job, StudySettings
from ddrscope.study.trainings import read_snapshots

STAGES = ("pixel", "adversarial")


@dataclass(frozen=True)
class Evidence:
    """The tables a study rests on.

    ``layers``: a row for each network (and control), layer and view, with the measures of `analysis.json` and the columns ``network``,
    ``control``, ``seed`` (``bundled`` or a number) and ``last`` (whether it is the last HR layer). ``checkpoints``: the same for
    the last HR layer of every kept step, with ``stage``, ``step`` and quality. ``paths``: a row for each network, view and family
    with Spearman's correlation and its interval, and the levels' centroids.
    """

    layers: pd.DataFrame
    checkpoints: pd.DataFrame
    paths: pd.DataFrame


def gather(
    settings: StudySettings, jobs: Sequence[Job], images: Path, folder: Path, threads: int, progress: Progress
) -> tuple[Evidence, dict[str, AnalysisResult]]:
    """Run the analyses that are not done yet in ``folder`` and put their measures together; returns the analyses too."""
    seeds = [(job.network(stage), job.weights(stage)) for job in jobs for stage in STAGES]
    series = {}
    for job in jobs:
        for stage in STAGES:
            # The folder's name is a name, whatever it holds of brackets and stars.
            series[job.network(stage)] = glob.escape(str(job.folder / stage / "snapshots")) + "/step-*.safetensors"
    paths = tuple(
        [*DEGRADATIONS[:1], *(f"{family}:{level:g}" for family, levels in LEVELS.items() for level in levels)]
    )
    common: dict[str, Any] = {"images": (str(images),), "crop": settings.crop, "content": "photo"}
    # A score of levels of all crops would take an hour.
    first_crops = {"images": tuple(map(str, sorted(images.glob("*__1.png"))))}
    plans: dict[str, Callable[[], tuple[AnalysisSettings, dict[str, Network]]]] = {
        "networks": lambda: (AnalysisSettings(BUNDLED, tsne_seeds=settings.tsne_seeds, **common), {}),
        "classifier": lambda: (AnalysisSettings((CLASSIFIER,), tsne_seeds=settings.tsne_seeds, **common), {}),
        "levels": lambda: (
            AnalysisSettings(BUNDLED, degradations=paths, layers=(), tsne_seeds=1, **common | first_crops),
            {},
        ),
        "seeds": lambda: (
            AnalysisSettings(tuple(name for name, _ in seeds), tsne_seeds=1, **common),
            {name: replace(load_network(path), name=name) for name, path in seeds},
        ),
        "checkpoints": lambda: (AnalysisSettings((), series=series, tsne_seeds=1, **common), {}),
    }
    results = {}
    for name, plan in plans.items():
        if not (folder / name / "analysis.json").exists():
            parts = folder / name / "parts"
            parts.mkdir(parents=True, exist_ok=True)
            asked, named = plan()
            Analysis(asked, parts, threads, progress, named).run().save(folder / name)
            for part in parts.iterdir():
                part.unlink()
            parts.rmdir()
        results[name] = AnalysisResult.load(folder / name)
    layers = pd.concat([_layers(results[name]) for name in ("networks", "classifier", "seeds")], ignore_index=True)
    return Evidence(layers, _checkpoints(results["checkpoints"], jobs), _paths(results["levels"])), results


def _layers(result: AnalysisResult) -> pd.DataFrame:
    rows = []
    for entry in [*result.data["networks"], *result.data["controls"]]:
        network = entry.get("network", entry["name"])
        head = {"network": network, "control": entry.get("kind", ""), "seed": _seed(network)}
        for row in entry["layers"]:
            measures = {key: value for key, value in row.items() if key != "paths"}
            rows.append(head | measures | {"last": row["layer"] == entry["layers"][-1]["layer"]})
    return pd.DataFrame(rows)


def _checkpoints(result: AnalysisResult, jobs: Sequence[Job]) -> pd.DataFrame:
    quality = {(job.network(row["stage"]), row["step"]): row for job in jobs for row in read_snapshots(job)}
    rows = []
    for series in result.data["series"]:
        for checkpoint in series["checkpoints"]:
            step = int(checkpoint["label"].removeprefix("step-"))
            known = {key: value for key, value in quality[series["name"], step].items() if key != "path"}
            for row in checkpoint["layers"]:
                measures = {key: value for key, value in row.items() if key != "paths"}
                rows.append({"network": series["name"], "seed": _seed(series["name"])} | known | measures)
    return pd.DataFrame(rows)


def _paths(result: AnalysisResult) -> pd.DataFrame:
    rows = []
    for entry in [*result.data["networks"], *result.data["controls"]]:
        head = {"network": entry.get("network", entry["name"]), "control": entry.get("kind", "")}
        for row in entry["layers"]:
            for path in row.get("paths", []):
                rows.append(head | {"layer": row["layer"], "view": row["view"], "n": row["n"]} | path)
    return pd.DataFrame(rows)


def _seed(network: str) -> str:
    return network.split(" seed ")[1] if " seed " in network else "bundled"


def final_psnr(jobs: Sequence[Job]) -> dict[str, float]:
    """PSNR-Y of the averaged weights of every stage on the validation photographs, by the network's name."""
    return {
        job.network(row["stage"]): row["psnr"] for job in jobs for row in read_snapshots(job) if row["step"] is None
    }
