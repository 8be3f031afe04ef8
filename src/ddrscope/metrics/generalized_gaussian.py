"""The zero-mean generalized Gaussian distribution: fit by moments and Kullback-Leibler divergence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

# The range of the fitted shapes; 1 is the Laplacian, 2 the Gaussian.
SHAPES = (0.2, 10.0)
# Points of the table that the fit interpolates in: an error of 1e-9 in the shape.
_TABLE_SIZE = 100_000


@dataclass(frozen=True, eq=False)
class GeneralizedGaussian:
    """Distributions with density proportional to ``exp(-(|x| / alpha) ** shape)``.

    Args:
        sigma: Standard deviations. An array of any shape; one distribution for each element.
        shape: Exponents, as many as ``sigma``.
    """

    sigma: NDArray[np.float64]
    shape: NDArray[np.float64]

    @property
    def log_alpha(self) -> NDArray[np.float64]:
        """The logarithm of the scale ``alpha``."""
        return np.log(self.sigma) + (gammaln(1 / self.shape) - gammaln(3 / self.shape)) / 2

    def density(self, x: ArrayLike) -> NDArray[np.float64]:
        """The density at ``x``, which must broadcast with ``sigma``."""
        log_peak = np.log(self.shape / 2) - self.log_alpha - gammaln(1 / self.shape)
        return np.exp(log_peak - (np.abs(x) / np.exp(self.log_alpha)) ** self.shape)


def fit_by_moments(mean_square: ArrayLike, mean_deviation: ArrayLike) -> GeneralizedGaussian:
    """Fit a generalized Gaussian by its second moment and its mean absolute deviation.

    Args:
        mean_square: E[x^2].
        mean_deviation: E|x - mean|, of the same shape.

    Returns:
        The distributions. Shapes are limited to `SHAPES`. NaN where the second moment is 0, since a constant has no
        density.

    Source: Mallat 1989; Sharifi and Leon-Garcia 1995.
    """
    square, deviation = np.asarray(mean_square, float), np.asarray(mean_deviation, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(square) - 2 * np.log(deviation)
        sigma = np.where(square > 0, np.sqrt(square), np.nan)
    shapes, ratios = _ratio_table()
    # Negated, since the ratio falls as the shape rises and np.interp needs ascending values.
    return GeneralizedGaussian(sigma, np.where(square > 0, np.interp(-ratio, -ratios, shapes), np.nan))


def kl_divergence(p: GeneralizedGaussian, q: GeneralizedGaussian) -> NDArray[np.float64]:
    """The Kullback-Leibler divergence KL(p || q) in nats, 0 or more.

    Source: Do and Vetterli 2002, equation 25.
    """
    difference = p.log_alpha - q.log_alpha
    peaks = np.log(p.shape / q.shape) - difference + gammaln(1 / q.shape) - gammaln(1 / p.shape)
    tails = q.shape * difference + gammaln((q.shape + 1) / p.shape) - gammaln(1 / p.shape)
    equal = (p.sigma == q.sigma) & (p.shape == q.shape)
    # For nearly equal distributions rounding may give a value below 0.
    return np.where(equal, 0.0, np.maximum(peaks + np.exp(tails) - 1 / p.shape, 0.0))


@cache
def _ratio_table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapes and, for each, the logarithm of E[x^2] / (E|x|)^2."""
    shapes = np.geomspace(*SHAPES, _TABLE_SIZE)
    return shapes, gammaln(1 / shapes) + gammaln(3 / shapes) - 2 * gammaln(2 / shapes)
