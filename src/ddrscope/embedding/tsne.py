"""A t-SNE plane that new points can be placed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from openTSNE import TSNE
from openTSNE.initialization import pca as pca_initialization

from ddrscope.errors import InputError

# openTSNE's default for new points.
_NEW_POINT_PERPLEXITY = 5.0


class TsneMap:
    """A t-SNE plane of N points: openTSNE with its defaults and exact neighbours, Barnes-Hut below 10,000 points.

    The same seed, points and library versions give the same plane if ``threads`` is 1. Several threads may change the
    last digits, and with them the plane. The optimization starts from the first two principal components with a small
    jitter. Points that all coincide stay at the origin.

    Args:
        seed: Seed of the jitter.
        perplexity: Perplexity, lowered to (N - 1) / 3 if that is less.
        threads: Processor threads.

    Attributes:
        embedding_: Positions (N, 2); the centre of their bounding box is the origin.
        perplexity_: The perplexity that was used.
        adapted_: Why it is not the perplexity that was given; else empty.
    """

    MIN_POINTS = 5

    def __init__(self, seed: int = 0, perplexity: float = 30, threads: int = 1) -> None:
        self.seed = seed
        self.perplexity = perplexity
        self.threads = threads

    def fit(self, points: np.ndarray) -> TsneMap:
        """Fit the plane to points (N, d), usually PCA scores.

        Raises:
            InputError: There are fewer than 5 points.
        """
        count = len(points)
        if count < self.MIN_POINTS:
            raise InputError(f"t-SNE needs at least {self.MIN_POINTS} points, not {count}: add images or degradations")
        self.perplexity_ = min(float(self.perplexity), (count - 1) / 3)
        self.adapted_ = ""
        if self.perplexity_ < self.perplexity:
            self.adapted_ = f"perplexity {self.perplexity_:.3g} instead of {self.perplexity:g}: only {count} points"

        self._unit = np.ptp(points, axis=0).max(initial=0)
        if self._unit == 0:
            self.embedding_ = np.zeros((count, 2))
            return self
        scaled = self._scaled(points)
        tsne = TSNE(perplexity=self.perplexity_, neighbors="exact", n_jobs=self.threads, random_state=self.seed)
        self._map = tsne.fit(scaled, initialization=pca_initialization(scaled, random_state=self.seed))
        # openTSNE centres its map before it places new points, which would move them against the fitted ones.
        self._map -= (self._map.max(axis=0) + self._map.min(axis=0)) / 2
        self.embedding_ = np.array(self._map)
        return self

    def transform(self, points: np.ndarray, on_grid: bool = False) -> NDArray[np.float64]:
        """Place new points on the plane, each by itself, without moving the fitted ones.

        Args:
            points: Points (M, d).
            on_grid: Read the repulsion off a grid over the plane, which is computed once: much faster for many points,
                and nearly the same positions. openTSNE does this by default for 10,000 points at a time.

        Returns:
            Positions (M, 2).
        """
        if self._unit == 0:
            return np.zeros((len(points), 2))
        if not on_grid:
            # The limits of an earlier grid would bound the positions.
            self._map.interp_coeffs = self._map.box_x_lower_bounds = self._map.box_y_lower_bounds = None
        self._map.gradient_descent_params |= {
            "negative_gradient_method": "fft" if on_grid else "auto",
            "n_jobs": self.threads,
        }
        perplexity = min(_NEW_POINT_PERPLEXITY, self.perplexity_)
        return np.array(self._map.transform(self._scaled(points), perplexity=perplexity))

    def _scaled(self, points: np.ndarray) -> np.ndarray:
        # t-SNE does not depend on the scale, its numerics do. The initialization needs two columns.
        missing = max(0, 2 - points.shape[1])
        return np.pad(points / self._unit, ((0, 0), (0, missing)))
