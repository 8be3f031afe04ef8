"""Blur width, noise and quality of any degradation, measured on test charts: the same for both sides of a comparison."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Degrade = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]
SIDE = 256
# Grey values of the two sides of the edge, and of the flat chart.
DARK, LIGHT, GREY = 0.25, 0.75, 0.5


def blur_width(degrade: Degrade, rng: np.random.Generator) -> float:
    """The standard deviation of the line spread of a vertical and of a horizontal edge, in LR pixels; the mean of both."""
    return float(np.mean([_edge_width(degrade, rng, axis) for axis in (0, 1)]))


def noise_level(degrade: Degrade, rng: np.random.Generator) -> float:
    """The standard deviation of luma on a flat grey chart, in units of 255."""
    made = degrade(np.full((SIDE, SIDE, 3), GREY, np.float32), rng)
    luma = 255 * made @ np.array([0.299, 0.587, 0.114], np.float32)
    return float(luma[4:-4, 4:-4].std())


def _edge_width(degrade: Degrade, rng: np.random.Generator, axis: int) -> float:
    chart = np.full((SIDE, SIDE, 3), DARK, np.float32)
    chart[:, SIDE // 2 :] = LIGHT
    made = degrade(np.ascontiguousarray(chart.swapaxes(0, 1) if axis else chart), rng)
    profile = (made.swapaxes(0, 1) if axis else made).mean((0, 2))
    spread = np.abs(np.diff(profile))
    # Noise far from the edge would count with the square of its distance.
    middle = len(spread) / 2 - 0.5
    places = np.arange(len(spread)) - middle
    near = np.abs(places) < len(spread) / 4
    weights = np.where(near, np.maximum(spread - np.median(spread), 0), 0)
    center = np.average(places, weights=weights)
    return float(np.sqrt(np.average((places - center) ** 2, weights=weights)))


def overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The intersection of two ranges over their union; 1 for two points at one place."""
    inner = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    outer = max(first[1], second[1]) - min(first[0], second[0])
    return inner / outer if outer > 0 else 1.0
