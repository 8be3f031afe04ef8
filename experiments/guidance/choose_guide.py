"""Which blocks of the frozen trunk, trained or not, and which statistics predict the degradation of a small patch?

    python -m experiments.guidance.choose_guide HR OUT.csv

HR holds the folders of `make photos`: ridge regression is fitted to patches of train and gallery and evaluated on patches of test, val
and snapshots. OUT.csv receives the explained variance (R2) of the parameters of the degradation, for each depth and patch size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ddrscope.degradations import Pipeline
from ddrscope.networks import DegradationGuide, Network, SRResNet, load_network, reinitialized_copy
from ddrscope.networks.architectures.guided import local_statistics
from ddrscope.training import PhotoPairs, Recipe
from ddrscope.training.guidance import degradation_parameters
from ddrscope.training.recipes import MIXED_DEGRADATIONS

BLOCKS, BATCH = (1, 2, 4, 8, 16), 32
# Side of the guide's input in LR pixels: a training patch, and a training patch with its margin.
SIDES = (24, 40)
FIT_BATCHES, TEST_BATCHES = 200, 40
PARAMETERS = ("blur along", "blur across", "angle, cosine", "angle, sine", "noise", "jpeg", "is jpeg")


def main(hr: Path, out: Path) -> None:
    largest = max(SIDES)
    fit, fit_truth = patches(PhotoPairs([hr / "train", hr / "gallery"], 4, largest), FIT_BATCHES, 0)
    test, test_truth = patches(PhotoPairs([hr / "test", hr / "val", hr / "snapshots"], 4, largest), TEST_BATCHES, 1)
    trained = load_network("srgan-wgr")
    rows = []
    for name, network in (("srgan-wgr", trained), ("untrained", reinitialized_copy(trained))):
        for side in SIDES:
            fit_features, test_features = (statistics(network, middle(part, side)) for part in (fit, test))
            for blocks in BLOCKS:
                third = fit_features[blocks].shape[1] // 3
                for title, count in (("mean and spread", third), ("and differences of neighbours", 3 * third)):
                    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
                    model.fit(fit_features[blocks][:, :count], fit_truth)
                    predicted = model.predict(test_features[blocks][:, :count])
                    shares = r2_score(test_truth, predicted, multioutput="raw_values")
                    row = {"trunk": name, "pixels": side, "blocks": blocks, "statistics": title, "mean": shares.mean()}
                    rows.append(row | dict(zip(PARAMETERS, shares, strict=True)))
                    print(row, flush=True)
    pd.DataFrame(rows).round(3).to_csv(out, index=False)


def patches(photos: PhotoPairs, count: int, seed: int) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """LR patches (N, 3, H, W) and the parameters of their degradation (N, 7)."""
    degradations = Recipe(degradations=MIXED_DEGRADATIONS).distributions()
    batches = [photos.patches(step, seed, BATCH, max(SIDES), degradations) for step in range(count)]
    truth = torch.cat(
        [
            degradation_parameters([each for each in batch.pipelines if isinstance(each, Pipeline)])[:, :, 0, 0]
            for batch in batches
        ]
    )
    return torch.cat([batch.small for batch in batches]), truth.numpy()


def middle(small: torch.Tensor, side: int) -> torch.Tensor:
    first = (small.shape[-1] - side) // 2
    return small[:, :, first : first + side, first : first + side]


@torch.inference_mode()
def statistics(network: Network, small: torch.Tensor) -> dict[int, NDArray[np.float32]]:
    """The statistics of each patch (N, 6 * channels) after the number of blocks that is the key."""
    assert isinstance(network.module, SRResNet)
    guide = DegradationGuide.cut_from(network.module, max(BLOCKS))
    collected: dict[int, list[torch.Tensor]] = {blocks: [] for blocks in BLOCKS}
    for part in small.split(64):
        features = guide.lrelu(guide.conv_first(part))
        for depth, block in enumerate(guide.body, 1):
            features = block(features)
            if depth in collected:
                collected[depth].append(local_statistics(features).mean((2, 3)))
    return {depth: torch.cat(parts).numpy() for depth, parts in collected.items()}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
