"""Which blocks of the frozen trunk, trained or not, tell what damage a small patch has, and by which statistics.

    python tools/choose_guide.py HR OUT.csv

HR holds the folders of `tools/prepare_photos.py`: ridge regression is fitted to patches of train and gallery and judged on those of
test, val and snapshots. OUT.csv receives, for each depth, the share of variance (R2) of the damage's parameters that is explained.
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

from ddrscope.networks import DegradationGuide, Network, SRResNet, load_network, random_twin
from ddrscope.training import PhotoPairs, Recipe
from ddrscope.training.guidance import known_damage
from ddrscope.training.recipes import MIXED_DAMAGE

BLOCKS, PATCH, BATCH = (1, 2, 4, 8, 16), 24, 32
FIT_BATCHES, TEST_BATCHES = 200, 40
PARAMETERS = ("blur along", "blur across", "angle, cosine", "angle, sine", "noise", "jpeg", "is jpeg")


def main(hr: Path, out: Path) -> None:
    fit = patches(PhotoPairs([hr / "train", hr / "gallery"], 4, PATCH), FIT_BATCHES, 0)
    test = patches(PhotoPairs([hr / "test", hr / "val", hr / "snapshots"], 4, PATCH), TEST_BATCHES, 1)
    trained = load_network("srgan-wgr")
    rows = []
    for blocks in BLOCKS:
        for name, network in (("srgan-wgr", trained), ("untrained", random_twin(trained))):
            told, told_test = statistics(network, blocks, fit[0]), statistics(network, blocks, test[0])
            third = told.shape[1] // 3
            for words, count in (("mean and spread", third), ("and differences of neighbours", 3 * third)):
                model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11))).fit(told[:, :count], fit[1])
                shares = r2_score(test[1], model.predict(told_test[:, :count]), multioutput="raw_values")
                row = {"trunk": name, "blocks": blocks, "statistics": words, "mean": shares.mean()}
                rows.append(row | dict(zip(PARAMETERS, shares, strict=True)))
                print({key: value for key, value in rows[-1].items() if key in ("trunk", "blocks", "statistics", "mean")}, flush=True)
    pd.DataFrame(rows).round(3).to_csv(out, index=False)


def patches(photos: PhotoPairs, count: int, seed: int) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Small patches (N, 3, H, W) and the truth of their damage (N, 7)."""
    damage = Recipe(damage=MIXED_DAMAGE).drawn()
    made = [photos.patches(step, seed, BATCH, PATCH, damage) for step in range(count)]
    return torch.cat([one.small for one in made]), torch.cat([known_damage(one.pipelines)[:, :, 0, 0] for one in made]).numpy()


def statistics(network: Network, blocks: int, small: torch.Tensor) -> NDArray[np.float32]:
    assert isinstance(network.module, SRResNet)
    guide = DegradationGuide.cut_from(network.module, blocks)
    return torch.cat([guide(part).mean((2, 3)) for part in small.split(64)]).numpy()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
