"""A t-SNE plane that can place new points."""

from __future__ import annotations

import numpy as np
from openTSNE import TSNE
from openTSNE.initialization import pca as pca_initialization

from ddrscope.errors import InputError


class TsneMap:
    """A t-SNE plane of N points: openTSNE with its defaults and exact neighbours, Barnes-Hut below 10,000 points.

    The same seed, points and library versions give the same plane when `threads` is 1; several threads may change the
    last digits, and with them the plane. The start is the first two principal components plus a small jitter drawn
    from `seed`. Perplexity is lowered to (N - 1) / 3, the most that N points support, when that is less than asked:
    `perplexity_` is what was used and `adapted_` says so in words (else empty). Points that all coincide stay in one
    spot.

    Raises InputError for fewer than 5 points.
    """

    MIN_POINTS = 5

    def __init__(self, seed: int = 0, perplexity: float = 30, threads: int = 1) -> None:
        self.seed = seed
        self.perplexity = perplexity
        self.threads = threads

    def fit(self, points: np.ndarray) -> TsneMap:
        """Maps (N, d) points, usually PCA scores, to `embedding_` (N, 2), the box around it centred on the origin."""
        count = len(points)
        if count < self.MIN_POINTS:
            raise InputError(
                f"t-SNE needs at least {self.MIN_POINTS} points, here are {count}: add images or degradations"
            )
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
        # openTSNE's transform first moves its map to this centre; being there already keeps old and new together.
        self._map -= (self._map.max(axis=0) + self._map.min(axis=0)) / 2
        self.embedding_ = np.array(self._map)
        return self

    def transform(self, points: np.ndarray, on_grid: bool = False) -> np.ndarray:
        """Places (M, d) new points on the fitted plane, each by itself, without moving the old ones; returns (M, 2).

        With `many` what pushes a point away is read off a grid over the plane, computed once, as openTSNE does of its own accord from
        10,000 points at a time on: many times as fast, and nearly the same place.
        """
        if self._unit == 0:
            return np.zeros((len(points), 2))
        if not on_grid:
            # A grid that was computed before would still bound where points may go.
            self._map.interp_coeffs = self._map.box_x_lower_bounds = self._map.box_y_lower_bounds = None
        self._map.gradient_descent_params |= {
            "negative_gradient_method": "fft" if on_grid else "auto",
            "n_jobs": self.threads,
        }
        # 5 is openTSNE's default for new points.
        return np.array(self._map.transform(self._scaled(points), perplexity=min(5.0, self.perplexity_)))

    def _scaled(self, points: np.ndarray) -> np.ndarray:
        # t-SNE does not depend on scale, its numerics do. The start needs two columns even if the points lie on a line.
        missing = max(0, 2 - points.shape[1])
        return np.pad(points / self._unit, ((0, 0), (0, missing)))
