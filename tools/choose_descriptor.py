"""Compare layers and poolings as descriptors of damage, on photographs held out of the fit by turns.

    python tools/choose_descriptor.py HR OUT [NETWORK]

HR holds the folders of `tools/prepare_photos.py`; its photographs to fit to are used, test is not touched. Writes OUT/descriptors.csv.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ddrscope.degradations.distortions import DISTORTIONS
from ddrscope.identification import Descriptor
from ddrscope.identification.evaluation import STRONG, jackknife
from ddrscope.identification.identifier import CLEAN
from ddrscope.identification.samples import Distorter, Sample
from ddrscope.identification.tiles import TILE
from ddrscope.networks import load_network
from described import FIT_FOLDERS, describe_by_photo

LAYERS = ("body.0", "body.7", "body.15")
# Every other pooling is part of these.
POOLINGS = ("moments", "correlation", "autocorrelation", "local_spread")
TYPES = {distortion.name: distortion.group for distortion in DISTORTIONS}
FOLDS, COMPONENTS = 7, 512


def make_descriptor(name: str) -> Descriptor:
    return Descriptor(load_network(name), dict.fromkeys(LAYERS, POOLINGS), "float32")


def column_sets(channels: int) -> dict[str, NDArray[np.int64]]:
    """The columns of one layer that each pooling consists of."""
    sizes = {"moments": 4 * channels, "percentiles": 5 * channels, "correlation": 2 * channels + channels * (channels - 1) // 2}
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    whole = {name: np.arange(starts[name], starts[name] + sizes[name]) for name in sizes}
    moments, correlation = whole["moments"], whole["correlation"]
    return {
        "mean": moments[:channels],
        "mean + std": moments[: 2 * channels],
        "moments": moments,
        "percentiles": whole["percentiles"],
        "correlation": correlation,
        "moments + correlation": np.concatenate([moments, correlation]),
        "all": np.arange(sum(sizes.values())),
    }


def fit_samples(hr: Path) -> list[Sample]:
    """One region of every photograph for each type and level, photograph by photograph."""
    found = [sample for folder in FIT_FOLDERS for sample in Distorter([hr / folder], TILE).every_level()]
    return sorted(found, key=lambda sample: sample.photo)


def judge(samples: list[Sample], rows: NDArray[np.float32]) -> dict[str, str]:
    """Accuracies over all photographs, each found by a linear discriminant fitted to others: the same for all, and quick."""
    photos = np.array([sample.photo for sample in samples])
    types = np.array([next(iter(sample.levels), CLEAN) for sample in samples])
    strong = np.array([max(sample.levels.values(), default=0) >= STRONG for sample in samples])
    reduction = PCA(min(COMPONENTS, rows.shape[1]), svd_solver="randomized", random_state=0)
    model = make_pipeline(StandardScaler(), reduction, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    said = cross_val_predict(model, rows, types, groups=photos, cv=GroupKFold(FOLDS))
    groups = np.vectorize({CLEAN: CLEAN, **TYPES}.get)
    measured = {}
    for name, hits in {"type": said == types, "group": groups(said) == groups(types)}.items():
        for ending, among in {"": np.ones(len(types), bool), "_strong": strong}.items():
            one = jackknife(partial(_mean_of, hits), photos, among)
            measured[f"{name}_accuracy{ending}"] = f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"
    return measured


def _mean_of(hits: NDArray[np.bool_], rows: NDArray[np.bool_]) -> float:
    return float(hits[rows].mean())


def main(hr: Path, out: Path, network: str) -> None:
    samples = fit_samples(hr)
    table = describe_by_photo(partial(make_descriptor, network), samples, out / "candidates" / network, network)
    width = table.descriptors.shape[1] // len(LAYERS)
    columns = column_sets(64)
    candidates = {(layer, name): index * width + chosen for index, layer in enumerate(LAYERS) for name, chosen in columns.items()}
    for name in ("moments", "moments + correlation"):
        for count in (2, len(LAYERS)):
            joined = " + ".join(LAYERS[:count])
            candidates[joined, name] = np.concatenate([candidates[layer, name] for layer in LAYERS[:count]])
    rows = []
    for (layer, name), chosen in candidates.items():
        said = judge(samples, table.descriptors[:, chosen])
        rows.append({"layer": layer, "pooling": name, "size": len(chosen)} | said)
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(out / "descriptors.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "srgan-wgr")
