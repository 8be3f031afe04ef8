"""Which blocks of the frozen trunk, trained or not, tell what damage a small patch has, and by which statistics.

    python tools/choose_guide.py HR OUT.csv

HR holds the folders of `tools/prepare_photos.py`: ridge regression is fitted to patches of train and gallery and judged on those of
test, val and snapshots. OUT.csv receives, for each depth and size of patch, the share of variance (R2) of the damage's parameters that is
explained.
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

from ddrscope.networks import DegradationGuide, Network, SRResNet, load_network, reinitialized_copy
from ddrscope.networks.architectures.guided import local_statistics
from ddrscope.training import PhotoPairs, Recipe
from ddrscope.training.guidance import known_degradations
from ddrscope.training.recipes import MIXED_DEGRADATIONS

BLOCKS, BATCH = (1, 2, 4, 8, 16), 32
# LR pixels a side of what the guide is shown: a training patch, and the same with its margin, as much as is around a cell in use.
SIDES = (24, 40)
FIT_BATCHES, TEST_BATCHES = 200, 40
PARAMETERS = ("blur along", "blur across", "angle, cosine", "angle, sine", "noise", "jpeg", "is jpeg")


def main(hr: Path, out: Path) -> None:
    largest = max(SIDES)
    fit = patches(PhotoPairs([hr / "train", hr / "gallery"], 4, largest), FIT_BATCHES, 0)
    test = patches(PhotoPairs([hr / "test", hr / "val", hr / "snapshots"], 4, largest), TEST_BATCHES, 1)
    trained = load_network("srgan-wgr")
    rows = []
    for name, network in (("srgan-wgr", trained), ("untrained", reinitialized_copy(trained))):
        for side in SIDES:
            told, told_test = (statistics(network, middle(part[0], side)) for part in (fit, test))
            for blocks in BLOCKS:
                third = told[blocks].shape[1] // 3
                for words, count in (("mean and spread", third), ("and differences of neighbours", 3 * third)):
                    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11))).fit(
                        told[blocks][:, :count], fit[1]
                    )
                    shares = r2_score(test[1], model.predict(told_test[blocks][:, :count]), multioutput="raw_values")
                    row = {"trunk": name, "pixels": side, "blocks": blocks, "statistics": words, "mean": shares.mean()}
                    rows.append(row | dict(zip(PARAMETERS, shares, strict=True)))
                    print(row, flush=True)
    pd.DataFrame(rows).round(3).to_csv(out, index=False)


def patches(photos: PhotoPairs, count: int, seed: int) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Small patches (N, 3, H, W) and the truth of their damage (N, 7)."""
    damage = Recipe(degradations=MIXED_DEGRADATIONS).drawn()
    made = [photos.patches(step, seed, BATCH, max(SIDES), damage) for step in range(count)]
    return torch.cat([one.small for one in made]), torch.cat(
        [known_degradations(one.pipelines)[:, :, 0, 0] for one in made]
    ).numpy()


def middle(small: torch.Tensor, side: int) -> torch.Tensor:
    first = (small.shape[-1] - side) // 2
    return small[:, :, first : first + side, first : first + side]


@torch.inference_mode()
def statistics(network: Network, small: torch.Tensor) -> dict[int, NDArray[np.float32]]:
    """After so many blocks what a guide of them says of each patch, (N, 6 * channels)."""
    assert isinstance(network.module, SRResNet)
    guide = DegradationGuide.cut_from(network.module, max(BLOCKS))
    said: dict[int, list[torch.Tensor]] = {blocks: [] for blocks in BLOCKS}
    for part in small.split(64):
        features = guide.lrelu(guide.conv_first(part))
        for depth, block in enumerate(guide.body, 1):
            features = block(features)
            if depth in said:
                said[depth].append(local_statistics(features).mean((2, 3)))
    return {depth: torch.cat(parts).numpy() for depth, parts in said.items()}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
