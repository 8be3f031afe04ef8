"""The zero-mean generalized Gaussian: fitted by moments, and how far one lies from another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

# The shapes that are fitted; 2 is the Gaussian, 1 the Laplacian.
SHAPES = (0.2, 10.0)
# Between so many shapes the fit interpolates: an error of 1e-9.
_STEPS = 100_000


@dataclass(frozen=True)
class GeneralizedGaussian:
    """Density proportional to ``exp(-(|x| / alpha) ** shape)``, of standard deviation ``sigma``; both may be arrays of one shape."""

    sigma: NDArray[np.float64]
    shape: NDArray[np.float64]

    @property
    def log_alpha(self) -> NDArray[np.float64]:
        return np.log(self.sigma) + (gammaln(1 / self.shape) - gammaln(3 / self.shape)) / 2

    def density(self, x: ArrayLike) -> NDArray[np.float64]:
        """The density at ``x``."""
        log_peak = np.log(self.shape / 2) - self.log_alpha - gammaln(1 / self.shape)
        return np.exp(log_peak - (np.abs(x) / np.exp(self.log_alpha)) ** self.shape)


def fit_by_moments(mean_square: ArrayLike, mean_deviation: ArrayLike) -> GeneralizedGaussian:
    """The generalized Gaussian with E[x^2] = ``mean_square`` and E|x - mean| = ``mean_deviation``; shapes end at `SHAPES`.

    NaN where a mean square is 0: what does not vary has no such density. Source: Mallat 1989; Sharifi and Leon-Garcia 1995.
    """
    square, deviation = np.asarray(mean_square, float), np.asarray(mean_deviation, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(square) - 2 * np.log(deviation)
        sigma = np.where(square > 0, np.sqrt(square), np.nan)
    shapes, ratios = _ratio_table()
    # The ratio falls as the shape rises.
    return GeneralizedGaussian(sigma, np.where(square > 0, np.interp(-ratio, -ratios, shapes), np.nan))


def kl_divergence(one: GeneralizedGaussian, other: GeneralizedGaussian) -> NDArray[np.float64]:
    """The Kullback-Leibler divergence of ``other`` from ``one``, KL(one || other), in nats, at least 0.

    Source: Do and Vetterli 2002, equation 25.
    """
    difference = one.log_alpha - other.log_alpha
    heights = np.log(one.shape / other.shape) - difference + gammaln(1 / other.shape) - gammaln(1 / one.shape)
    tails = other.shape * difference + gammaln((other.shape + 1) / one.shape) - gammaln(1 / one.shape)
    same = (one.sigma == other.sigma) & (one.shape == other.shape)
    # Nearly equal densities give rounding instead of 0.
    return np.where(same, 0.0, np.maximum(heights + np.exp(tails) - 1 / one.shape, 0.0))


@cache
def _ratio_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapes and the logarithm of E[x^2] / E|x|^2 that belongs to each."""
    shapes = np.geomspace(*SHAPES, _STEPS)
    return shapes, gammaln(1 / shapes) + gammaln(3 / shapes) - 2 * gammaln(2 / shapes)
