"""SRGA: how far the principal coefficients of a set's features lie from those of a reference set (arXiv 2205.07019)."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ddrscope.embedding.pca import GramPCA
from ddrscope.errors import InputError
from ddrscope.generalization.gaussian import GeneralizedGaussian, fit_by_moments, kl_divergence

COMPONENTS = 300
# Coefficients beyond so many standard deviations are dropped.
OUTLIER = 5.0
# Added before the logarithm, so that equal sets score 0.
SMALLEST_KL = 1e-5


@dataclass(frozen=True)
class SetCoefficients:
    """The coefficients of one set of patches: of each photograph the sums that the fit needs.

    ``sums`` (photographs, 4): the number of coefficients kept, and the sums of x, x^2 and |x - mean| over them. ``values`` are the kept
    coefficients, for the histogram; None where only the sums were kept.
    """

    photos: tuple[str, ...]
    sums: NDArray[np.float64]
    components: int
    values: NDArray[np.float32] | None = None

    def fit(self, weights: NDArray[np.float64] | None = None) -> GeneralizedGaussian:
        """The generalized Gaussian of all coefficients, or, for ``weights`` (R, photographs), of each of R resamples."""
        count, _, square, deviation = np.moveaxis(
            (np.ones(len(self.photos)) if weights is None else weights) @ self.sums, -1, 0
        )
        return fit_by_moments(square / count, deviation / count)


def set_coefficients(
    gram: NDArray[np.float64], photos: NDArray[np.str_], components: int = COMPONENTS
) -> SetCoefficients:
    """The coefficients of a set from the centred Gram matrix (N, N) of its patches' features, whose photographs are ``photos`` (N,).

    The principal components are those of the set itself. Raises `InputError` for fewer than ``components`` + 1 patches (centring takes
    one), and for features that do not vary.
    """
    if len(gram) <= components:
        raise InputError(f"{len(gram)} patches are too few for {components} components: give at least {components + 1}")
    if np.trace(gram) <= 0:
        raise InputError("its features do not vary from patch to patch: nothing can be fitted")
    scores = GramPCA(components).fit_gram(gram).scores_
    kept = np.abs(scores - scores.mean()) <= OUTLIER * scores.std()
    mean = scores[kept].mean()
    names, member = np.unique(photos, return_inverse=True)
    by_patch = np.stack(
        [kept.sum(1), (scores * kept).sum(1), (scores**2 * kept).sum(1), (np.abs(scores - mean) * kept).sum(1)], axis=1
    )
    sums = np.zeros((len(names), by_patch.shape[1]))
    np.add.at(sums, member, by_patch)
    return SetCoefficients(tuple(map(str, names)), sums, components, scores[kept].astype(np.float32))


def floor_score(gram: NDArray[np.float64], photos: NDArray[np.str_], components: int = COMPONENTS) -> float:
    """The score between two disjoint halves of one set, with as many components as they allow: what counts as no difference."""
    # By turns within each photograph, so that both halves show the same.
    order = np.argsort(photos, kind="stable")
    halves = []
    for rows in (np.sort(order[::2]), np.sort(order[1::2])):
        part = gram[np.ix_(rows, rows)]
        part = part - part.mean(0) - part.mean(1)[:, None] + part.mean()
        halves.append(set_coefficients(part, photos[rows], min(components, len(gram) // 2 - 1)))
    return float(srga(*(half.fit() for half in halves)))


def srga(reference: GeneralizedGaussian, test: GeneralizedGaussian) -> NDArray[np.float64]:
    """The score log10(KL(reference || test) + 1e-5) + 5: 0 for the very same coefficients, larger the further they lie apart."""
    return np.log10(kl_divergence(reference, test) + SMALLEST_KL) + 5


def resampled(reference: SetCoefficients, test: SetCoefficients, resamples: int, seed: int) -> NDArray[np.float64]:
    """The scores (R,) under ``resamples`` reweightings of the photographs; the components stay those of the whole sets.

    The weights belong to photograph and seed, so that a photograph in both sets weighs the same in both, and the scores of different
    networks can be compared resample by resample. NaN for a set of fewer than 3 photographs: reweighting one changes nothing, which is
    no certainty. Source: the Bayesian bootstrap, Rubin 1981.
    """
    if min(len(reference.photos), len(test.photos)) < 3:
        return np.full(resamples, np.nan)
    return srga(*(one.fit(_weights(one.photos, resamples, seed)) for one in (reference, test)))


def interval(scores: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of resampled scores."""
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)


def _weights(photos: tuple[str, ...], resamples: int, seed: int) -> NDArray[np.float64]:
    """Exponential weights (R, photographs): once normalized, uniform over all weightings."""
    return np.stack(
        [np.random.default_rng([seed, crc32(photo.encode())]).exponential(size=resamples) for photo in photos], axis=1
    )
