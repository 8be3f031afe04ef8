"""The published recipe of SRGA, written plainly: all features of the whole network, scikit-learn's PCA, outliers dropped one by one."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gamma
from sklearn.decomposition import PCA

from ddrscope.generalization.patches import PatchSet
from ddrscope.networks import Network

BATCH, COMPONENTS = 16, 300
# Scale and shape of a generalized Gaussian.
Fit = tuple[float, float]


class Clock:
    """Adds the seconds since the last lap to one of several sums."""

    def __init__(self, sums: dict[str, float]) -> None:
        self.sums, self.last = sums, time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.sums[name] += now - self.last
        self.last = now


def plain_score(network: Network, sets: list[PatchSet], folder: Path) -> tuple[float, dict[str, float]]:
    """The score of two sets, and the seconds of each step. Features are saved in ``folder``."""
    seconds = dict.fromkeys(("network and saving", "loading", "PCA", "outliers", "fit"), 0.0)
    fits: list[Fit] = []
    for number, patch_set in enumerate(sets):
        clock = Clock(seconds)
        path = folder / f"{number}.npy"
        np.save(path, plain_features(network, patch_set.patches))
        clock.lap("network and saving")
        features = np.load(path)
        clock.lap("loading")
        values = PCA(COMPONENTS, random_state=0).fit_transform(features).ravel()
        del features
        clock.lap("PCA")
        values = np.array([value for value in values if abs(value - values.mean()) <= 5 * values.std()])
        clock.lap("outliers")
        fits.append(plain_fit(values))
        clock.lap("fit")
    return plain_srga(*fits), seconds


def plain_features(network: Network, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """The last HR layer (N, C*H*W) from whole forward passes."""
    assert network.last_hr_layer
    name = network.last_hr_layer.removesuffix(":input")
    features: list[NDArray[np.float32]] = []
    hook = network.module.get_submodule(name).register_forward_pre_hook(
        lambda _, inputs: features.append(inputs[0].flatten(1).numpy())
    )
    for batch in batches(patches):
        network(batch)
    hook.remove()
    return np.concatenate(features)


def plain_fit(values: NDArray[np.floating]) -> Fit:
    """Scale and shape of the zero-mean generalized Gaussian; the shape by search in a table."""
    square = float(np.square(values, dtype=np.float64).mean())
    deviation = float(np.abs(values - values.mean(dtype=np.float64)).mean())
    shapes = np.arange(0.2, 10, 1e-5)
    ratios = gamma(1 / shapes) * gamma(3 / shapes) / gamma(2 / shapes) ** 2
    shape = shapes[np.argmin(np.abs(ratios - square / deviation**2))]
    return float(np.sqrt(square * gamma(1 / shape) / gamma(3 / shape))), float(shape)


def plain_srga(reference: Fit, other: Fit) -> float:
    """log10(KL(reference || other) + 1e-5) + 5 of two generalized Gaussians."""
    (scale, shape), (other_scale, other_shape) = reference, other
    heights = np.log(shape * other_scale * gamma(1 / other_shape) / (other_shape * scale * gamma(1 / shape)))
    moments = (scale / other_scale) ** other_shape * gamma((other_shape + 1) / shape) / gamma(1 / shape)
    return float(np.log10(heights + moments - 1 / shape + 1e-5) + 5)


def without_outliers(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return values[np.abs(values - values.mean()) <= 5 * values.std()]


def batches(patches: NDArray[np.float32]) -> list[torch.Tensor]:
    return [
        torch.from_numpy(patches[start : start + BATCH]).permute(0, 3, 1, 2).contiguous()
        for start in range(0, len(patches), BATCH)
    ]
