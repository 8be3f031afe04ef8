"""Compare layers and poolings as descriptors of distortions, by cross-validation over photographs.

    python -m experiments.identification.choose_descriptor HR OUT [NETWORK]

HR holds the folders of `make photos`; only those for fitting are used, not the test photographs. Writes OUT/descriptors.csv.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ddrscope.degradations.distortions import DISTORTIONS
from ddrscope.identification import Descriptor
from ddrscope.identification.evaluation import STRONG, sample_estimate
from ddrscope.identification.labelled_images import DistortionSampler, LabelledImage
from ddrscope.identification.tiles import TILE
from ddrscope.networks import load_network
from ddrscope.results.vocabulary import CLEAN
from experiments.identification.describe import FIT_FOLDERS, describe_by_photo

LAYERS = ("body.0", "body.7", "body.15")
# All other poolings are parts of these.
POOLINGS = ("moments", "correlation", "autocorrelation", "local_spread")
TYPES = {distortion.name: distortion.group for distortion in DISTORTIONS}
FOLDS = 4
# Principal components of a single pooling, and of each of several.
COMPONENTS_SINGLE, COMPONENTS_EACH = 512, 256
CHOSEN = ("correlation", "autocorrelation", "local_spread")


def make_descriptor(name: str) -> Descriptor:
    return Descriptor(load_network(name), dict.fromkeys(LAYERS, POOLINGS), "float32")


def fit_samples(hr: Path) -> list[LabelledImage]:
    """One region of every photograph for each type and level, sorted by photograph."""
    samples = [sample for folder in FIT_FOLDERS for sample in DistortionSampler([hr / folder], TILE).every_level()]
    return sorted(samples, key=lambda sample: sample.photo)


def cross_validate(samples: list[LabelledImage], parts: list[NDArray[np.float32]]) -> dict[str, str]:
    """Cross-validated accuracies of a linear discriminant with 95 % intervals.

    Args:
        samples: N samples.
        parts: descriptors (N, w); PCA is applied to each separately.
    """
    photos = np.array([sample.photo for sample in samples])
    types = np.array([next(iter(sample.levels), CLEAN) for sample in samples])
    strong = np.array([max(sample.levels.values(), default=0) >= STRONG for sample in samples])
    edges = np.cumsum([0, *(part.shape[1] for part in parts)])
    reductions = []
    for index, (start, stop) in enumerate(pairwise(edges.tolist())):
        components = min(COMPONENTS_SINGLE if len(parts) == 1 else COMPONENTS_EACH, stop - start)
        pca = PCA(components, svd_solver="randomized", random_state=0)
        reductions.append((str(index), make_pipeline(StandardScaler(), pca), slice(start, stop)))
    model = make_pipeline(ColumnTransformer(reductions), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    rows = np.concatenate(parts, axis=1)
    predicted = cross_val_predict(model, rows, types, groups=photos, cv=GroupKFold(FOLDS))
    groups = np.vectorize({CLEAN: CLEAN, **TYPES}.get)
    accuracies = {}
    for name, hits in {"type": predicted == types, "group": groups(predicted) == groups(types)}.items():
        for ending, among in {"": np.ones(len(types), bool), "_strong": strong}.items():
            estimate = sample_estimate(partial(_mean_of, hits), photos, among)
            accuracies[f"{name}_accuracy{ending}"] = f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
    return accuracies


def _mean_of(hits: NDArray[np.bool_], rows: NDArray[np.bool_]) -> float:
    return float(hits[rows].mean())


def main(hr: Path, out: Path, network: str) -> None:
    samples = fit_samples(hr)
    table = describe_by_photo(partial(make_descriptor, network), samples, out / "candidates" / network, network)
    widths = make_descriptor(network).widths()
    columns = np.split(table.descriptors, np.cumsum(widths)[:-1], axis=1)
    parts = dict(zip(product(LAYERS, POOLINGS), columns, strict=True))
    several = [[(layer, pooling) for pooling in CHOSEN] for layer in LAYERS]
    rows = []
    for keys in [*([key] for key in parts), *several, [(layer, pooling) for layer in LAYERS for pooling in CHOSEN]]:
        accuracies = cross_validate(samples, [parts[key] for key in keys])
        layers, poolings = (" + ".join(dict.fromkeys(names)) for names in zip(*keys, strict=True))
        size = sum(parts[key].shape[1] for key in keys)
        rows.append({"layer": layers, "pooling": poolings, "size": size} | accuracies)
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(out / "descriptors.csv", index=False)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "srgan-wgr")
