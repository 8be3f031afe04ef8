"""Train networks on clean images, blur, noise and both, and rank them by SRGA, without ground truth.

    python -m experiments.specialists.run HR OUT

HR holds the folders of `make photos`. OUT keeps the trainings in ``KIND-SEED/`` and the scores; finished ones are not repeated. Tables:

- ``scores.csv``: a row for each network and set.
- ``rankings.csv``: the four networks of each seed ranked on each family of sets.
- ``rises.csv``: Spearman correlation of score and level.
- ``correlations.csv``: Spearman correlation of score and PSNR.
- ``comparisons.csv``: paired differences of the kinds over seeds.
- ``residual.csv``: noise-trained against clean-trained network, with and without global residual, seed 0.
"""

from __future__ import annotations

import dataclasses
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from ddrscope.generalization import GeneralizationResult, generalize
from ddrscope.generalization.score import estimate
from ddrscope.images import bundled_photos
from ddrscope.networks import Network, load_network
from ddrscope.training import PhotoPairs, Training, make_recipe

DEGRADATIONS: dict[str, tuple[str, ...]] = {
    "clean": (),
    "blur": ("blur:0..4",),
    "noise": ("noise:0..20",),
    "both": ("blur:0..4+noise:0..20",),
}
SEEDS = (0, 1, 2)
# The maximum for the held-out photographs.
PATCHES = 625
FAMILIES: dict[str, tuple[str, ...]] = {
    "blur, trained range": ("blur:1", "blur:2", "blur:3", "blur:4"),
    "blur, beyond": ("blur:5", "blur:6", "blur:7", "blur:8"),
    "noise, trained range": ("noise:5", "noise:10", "noise:15", "noise:20"),
    "noise, beyond": ("noise:25", "noise:30", "noise:35", "noise:40"),
    "blur and noise": ("blur:2+noise:10", "blur:2+noise:20", "blur:4+noise:10", "blur:4+noise:20"),
}
SETS = tuple(text for texts in FAMILIES.values() for text in texts)
# Kinds trained also without global residual, seed 0: does the residual determine the score of noise?
WITHOUT_RESIDUAL = ("clean", "noise")


def main(hr: Path, out: Path) -> None:
    names = network_names()
    tasks = [(name, True) for name in names] + [(f"{kind}-0", False) for kind in WITHOUT_RESIDUAL]
    joblib.Parallel(joblib.cpu_count())(joblib.delayed(train)(name, residual, hr, out) for name, residual in tasks)
    networks = load_all(out)
    images = [hr / "test", hr / "val", hr / "snapshots", bundled_photos()]
    result = score(networks, images, out / "scores")
    result.to_frame().round(5).to_csv(out / "scores.csv", index=False)
    pd.DataFrame(rises(result, names)).round(4).to_csv(out / "rises.csv", index=False)
    pd.DataFrame(rankings(result)).round(4).to_csv(out / "rankings.csv", index=False)
    pd.DataFrame(comparisons(result)).round(4).to_csv(out / "comparisons.csv", index=False)
    correlations = {name: correlation.to_json() for name, correlation in result.psnr_correlations.items()}
    pd.DataFrame(correlations).T.round(4).to_csv(out / "correlations.csv", index_label="network")
    without = [load(out, f"{kind}-0", False) for kind in WITHOUT_RESIDUAL]
    result_without = score(without, images, out / "scores-without-residual")
    pd.DataFrame(residuals(result, result_without)).round(4).to_csv(out / "residual.csv", index=False)


def network_names() -> list[str]:
    return [f"{kind}-{seed}" for seed in SEEDS for kind in DEGRADATIONS]


def load_all(out: Path) -> list[Network]:
    """The trained networks, named by kind and seed."""
    return [load(out, name, True) for name in network_names()]


def load(out: Path, name: str, residual: bool) -> Network:
    return dataclasses.replace(
        load_network(str(folder(out, name, residual) / "pixel" / "weights.safetensors")), name=name
    )


def folder(out: Path, name: str, residual: bool) -> Path:
    return out / name if residual else out / "without-residual" / name


def train(name: str, residual: bool, hr: Path, out: Path) -> None:
    """One network by the recipe ``pilot``, without its adversarial stage."""
    torch.set_num_threads(1)
    if (folder(out, name, residual) / "pixel" / "weights.safetensors").exists():
        return
    kind, seed = name.split("-")
    changes = {
        "seed": int(seed),
        "degradations": DEGRADATIONS[kind],
        "global_residual": residual,
        "precision": "float32",
        "adversarial.steps": 0,
    }
    recipe = make_recipe("pilot", changes)
    photos, validation = PhotoPairs(hr / "train", recipe.scale, recipe.patch), PhotoPairs(hr / "val", recipe.scale)
    Training(recipe, photos, validation, folder(out, name, residual)).run(lambda _: None)


def score(networks: list[Network], images: list[Path], out: Path) -> GeneralizationResult:
    """The scores of networks on `SETS`. An interrupted run in ``out`` is continued."""
    return generalize(networks, images, SETS, patches=PATCHES, out=out, resume=True, progress=PrintedProgress())


class PrintedProgress:
    """Prints a line when a job starts."""

    def start(self, name: str, total: int) -> None:
        print(name, flush=True)

    def advance(self, done: int = 1) -> None:
        pass


def rises(result: GeneralizationResult, names: list[str]) -> list[dict[str, Any]]:
    """Spearman correlation of score and level for each network, over all levels and over those beyond the trained range."""
    rows = []
    for name in names:
        for family in ("blur", "noise"):
            within, beyond = FAMILIES[f"{family}, trained range"], FAMILIES[f"{family}, beyond"]
            for levels, texts in (("all", within + beyond), ("beyond", beyond)):
                scores = [result.score(name, text).srga.value for text in texts]
                rise = spearmanr(range(len(scores)), scores).statistic
                rows.append({"network": name, "family": family, "levels": levels, "spearman": rise})
    return rows


def rankings(result: GeneralizationResult) -> list[dict[str, Any]]:
    """The networks of each seed ranked on each family of sets, and on all sets."""
    rows = []
    for family, texts in {**FAMILIES, "all": SETS}.items():
        for seed in SEEDS:
            rows += [
                {"family": family, "seed": seed} | row.to_json()
                for row in result.rank(texts, [f"{kind}-{seed}" for kind in DEGRADATIONS])
            ]
    return rows


def comparisons(result: GeneralizationResult) -> list[dict[str, Any]]:
    """Differences of any two kinds on each family: mean over seeds, its interval over photographs, minimum and maximum over seeds."""
    rows = []
    for family, texts in {**FAMILIES, "all": SETS}.items():
        draws = {
            kind: np.array(
                [np.mean([result.resampled[f"{kind}-{seed}", text] for text in texts], axis=0) for seed in SEEDS]
            )
            for kind in DEGRADATIONS
        }
        means = {
            kind: np.array(
                [np.mean([result.score(f"{kind}-{seed}", text).srga.value for text in texts]) for seed in SEEDS]
            )
            for kind in DEGRADATIONS
        }
        for one, other in combinations(DEGRADATIONS, 2):
            differences = means[one] - means[other]
            difference = estimate(differences.mean(), (draws[one] - draws[other]).mean(axis=0))
            row = {"family": family, "one": one, "other": other, "seeds": len(SEEDS)}
            row |= difference.to_columns("difference")
            row |= {
                "lowest_seed": differences.min(),
                "highest_seed": differences.max(),
            }
            rows.append(row)
    return rows


def residuals(with_residual: GeneralizationResult, without: GeneralizationResult) -> list[dict[str, Any]]:
    """Scores and PSNR of the clean-trained and the noise-trained network on each family; the difference with its 95 % interval."""
    rows = []
    for residual, result in ((True, with_residual), (False, without)):
        for family, texts in FAMILIES.items():
            draws = {
                kind: np.mean([result.resampled[f"{kind}-0", text] for text in texts], axis=0)
                for kind in WITHOUT_RESIDUAL
            }
            row: dict[str, Any] = {"global_residual": residual, "family": family}
            for kind in WITHOUT_RESIDUAL:
                row[f"{kind}_srga"] = np.mean([result.score(f"{kind}-0", text).srga.value for text in texts])
            for kind in WITHOUT_RESIDUAL:
                row[f"{kind}_psnr"] = np.mean([result.score(f"{kind}-0", text).psnr for text in texts])
            difference = estimate(row["noise_srga"] - row["clean_srga"], draws["noise"] - draws["clean"])
            row |= {
                "noise - clean": difference.value,
                "difference_low": difference.low,
                "difference_high": difference.high,
            }
            rows.append(row)
    return rows


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
