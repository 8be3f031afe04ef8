"""SRGA: the distance between the distributions of a network's features on two sets (arXiv 2205.07019)."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ddrscope.embedding.pca import pca_scores
from ddrscope.errors import InputError
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.generalized_gaussian import GeneralizedGaussian, fit_by_moments, kl_divergence

COMPONENTS = 300
# Coefficients beyond this number of standard deviations are dropped, as in the paper.
OUTLIER_SIGMA = 5.0
# Added before the logarithm, so that equal distributions score 0.
MIN_KL = 1e-5
MIN_PHOTOS = 3


@dataclass(frozen=True, eq=False)
class SetCoefficients:
    """The principal component scores of a set, summed by photograph.

    Args:
        photos: Names of the photographs.
        sums: Sums by photograph (photographs, 4) over the coefficients that are no outliers: their number, x, x^2 and
            |x - mean|.
        components: Number of principal components.
        values: The coefficients that are no outliers, for the histogram. None if only the sums were kept.
    """

    photos: tuple[str, ...]
    sums: NDArray[np.float64]
    components: int
    values: NDArray[np.float32] | None = None

    def fit(self, weights: NDArray[np.float64] | None = None) -> GeneralizedGaussian:
        """Fit the generalized Gaussian of the coefficients.

        Args:
            weights: Weights of the photographs (R, photographs), for R fits. Default: one fit in which all weigh 1.
        """
        weights = np.ones(len(self.photos)) if weights is None else weights
        count, _, square, deviation = np.moveaxis(weights @ self.sums, -1, 0)
        return fit_by_moments(square / count, deviation / count)


def set_coefficients(
    gram: NDArray[np.float64], photos: NDArray[np.str_], components: int = COMPONENTS
) -> SetCoefficients:
    """The principal component scores of a set, on the components of the set itself.

    Args:
        gram: Centred Gram matrix (N, N) of the features of the patches.
        photos: The photograph of each patch (N,).
        components: Number of principal components, fewer than N since centring takes one.

    Raises:
        InputError: There are too few patches, or the features do not vary.
    """
    if len(gram) <= components:
        raise InputError(f"{len(gram)} patches are too few for {components} components: give at least {components + 1}")
    if np.trace(gram) <= 0:
        raise InputError("its features do not vary from patch to patch, so nothing can be fitted")
    scores = pca_scores(gram, components)
    kept = np.abs(scores - scores.mean()) <= OUTLIER_SIGMA * scores.std()
    mean = scores[kept].mean()
    names, member = np.unique(photos, return_inverse=True)
    by_patch = np.stack(
        [kept.sum(1), (scores * kept).sum(1), (scores**2 * kept).sum(1), (np.abs(scores - mean) * kept).sum(1)], axis=1
    )
    sums = np.zeros((len(names), by_patch.shape[1]))
    np.add.at(sums, member, by_patch)
    return SetCoefficients(tuple(map(str, names)), sums, components, scores[kept].astype(np.float32))


def floor_score(gram: NDArray[np.float64], photos: NDArray[np.str_], components: int = COMPONENTS) -> float:
    """The score between two disjoint halves of a set; scores up to here are no difference.

    Args:
        gram: Centred Gram matrix (N, N) of the features of the patches.
        photos: The photograph of each patch (N,). Each half gets every other patch of each photograph.
        components: Number of principal components; N / 2 - 1 if that is less.
    """
    order = np.argsort(photos, kind="stable")
    fits = []
    for rows in (np.sort(order[::2]), np.sort(order[1::2])):
        half = gram[np.ix_(rows, rows)]
        half = half - half.mean(0) - half.mean(1)[:, None] + half.mean()
        fits.append(set_coefficients(half, photos[rows], min(components, len(gram) // 2 - 1)).fit())
    return float(srga(*fits))


def srga(reference: GeneralizedGaussian, test: GeneralizedGaussian) -> NDArray[np.float64]:
    """The score log10(KL(reference || test) + 1e-5) + 5: 0 for equal distributions, larger the more they differ."""
    return np.log10(kl_divergence(reference, test) + MIN_KL) + 5


def resampled_scores(
    reference: SetCoefficients, test: SetCoefficients, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Scores under random weights of the photographs; the principal components stay those of the whole sets.

    A photograph has the same weights in every set and for every network, so that differences of scores are paired.

    Args:
        reference: Coefficients of the reference set.
        test: Coefficients of the other set.
        resamples: Number of resamples R.
        seed: Seed of the weights.

    Returns:
        The scores (R,). NaN if a set has fewer than 3 photographs: reweighting one of them changes nothing, which
        would look like certainty.

    Source: the Bayesian bootstrap, Rubin 1981.
    """
    if min(len(reference.photos), len(test.photos)) < MIN_PHOTOS:
        return np.full(resamples, np.nan)
    return srga(*(each.fit(_weights(each.photos, resamples, seed)) for each in (reference, test)))


def estimate(value: float, resamples: NDArray[np.float64]) -> Estimate:
    """A value with the middle 95 % of its resamples (R,) as its interval."""
    low, high = np.quantile(resamples, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def _weights(photos: tuple[str, ...], resamples: int, seed: int) -> NDArray[np.float64]:
    """Exponential weights (R, photographs): uniform over all weightings once they are normalized."""
    return np.stack(
        [np.random.default_rng([seed, crc32(photo.encode())]).exponential(size=resamples) for photo in photos], axis=1
    )
