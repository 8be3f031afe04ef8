"""Shares of the variance of features: of the degradation, of the content, of their interaction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddrscope.errors import InputError
from ddrscope.metrics.design import Design, cell_counts, encode
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife_estimate


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the total variance of the features, with 95 % intervals.

    Degradation, content and interaction share sum to 1. They are corrected for bias: in pure noise, degradation and
    content share are 0 on average, so estimates can be a little below 0.

    Args:
        degradation: Variance between degradations.
        content: Variance between images.
        interaction: The rest.
        photo: Variance between photographs, beyond the variance between the images of one photograph. It is 0 on
            average where crops of one photograph are no more alike than crops of different ones. NaN unless some
            photograph has two or more images.
    """

    degradation: Estimate
    content: Estimate
    interaction: Estimate
    photo: Estimate


def variance_shares(gram: np.ndarray, design: Design) -> VarianceShares:
    """Two-way analysis of variance of N images in k degradations, in the full feature space.

    With SS_T = SS_D + SS_C + SS_I and MS_I = SS_I / ((N-1)(k-1)), the degradation share is (SS_D - (k-1) MS_I) / SS_T,
    the content share (SS_C - (N-1) MS_I) / SS_T and the interaction share the rest. With SS_P the sum of squares
    between P photographs and MS_C = (SS_C - SS_P) / (N - P), the photograph share is (SS_P - (P-1) MS_C) / SS_T.

    Args:
        gram: Gram matrix of the features, shape (n, n) with n = N k; it need not be centred.
        design: The image, photograph and degradation of each row.

    Returns:
        The shares with delete-one-photograph jackknife intervals; NaN where the features do not vary.

    Raises:
        InputError: The design is not balanced: two or more images, each exactly once in each of two or more
            degradations.
    """
    values = _shares_and_replicates(gram, design.images, design.groups, design.photos)
    estimates = [jackknife_estimate(float(row[0]), row[1:]) for row in values]
    photos = len(np.unique(design.photos))
    if photos < 2 or photos == len(np.unique(design.images)):
        estimates[3] = Estimate(float("nan"))
    return VarianceShares(*estimates)


def _shares_and_replicates(
    gram: np.ndarray, images: np.ndarray, degradations: np.ndarray, photos: np.ndarray
) -> np.ndarray:
    """The four shares of all rows, then without each photograph: shape (4, 1 + P)."""
    _require_balance(images, degradations)
    order = np.lexsort((encode(degradations), encode(images)))
    k = len(np.unique(degradations))
    n_images = len(order) // k
    photo_of = encode(photos)[order[::k]]
    cells = gram[np.ix_(order, order)].reshape(n_images, k, n_images, k)

    # Leaving out a photograph removes its rows and columns, so sums over pairs of photographs are enough.
    by_photo = np.eye(photo_of.max() + 1)[photo_of].T
    pairs = by_photo @ cells.sum(axis=(1, 3)) @ by_photo.T
    pairs_same_degradation = by_photo @ np.einsum("pdqd->pq", cells) @ by_photo.T
    squares_of_images = by_photo @ np.einsum("pdpe->p", cells)
    squares = by_photo @ np.einsum("pdpd->p", cells)

    n = _leave_one_out(np.diag(by_photo.sum(axis=1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        of_mean = _leave_one_out(pairs) / (n * k)
        ss_total = _leave_one_out(np.diag(squares)) - of_mean
        ss_content = _leave_one_out(np.diag(squares_of_images)) / k - of_mean
        ss_degradation = _leave_one_out(pairs_same_degradation) / n - of_mean
        ms_interaction = (ss_total - ss_content - ss_degradation) / ((n - 1) * (k - 1))
        degradation = (ss_degradation - (k - 1) * ms_interaction) / ss_total
        content = (ss_content - (n - 1) * ms_interaction) / ss_total
        of_photos = np.diag(pairs.diagonal() / (by_photo.sum(axis=1) * k))
        count = len(by_photo) - np.arange(len(by_photo) + 1).clip(0, 1)
        ss_photo = _leave_one_out(of_photos) - of_mean
        ms_crops = (ss_content - ss_photo) / (n - count)
        photo = (ss_photo - (count - 1) * ms_crops) / ss_total
    return np.stack([degradation, content, 1 - degradation - content, photo])


def _leave_one_out(pairs: np.ndarray) -> np.ndarray:
    """Sum of a symmetric (P, P) matrix, then the sums without each row and column: (1 + P,)."""
    total = pairs.sum()
    return np.append(total, total - 2 * pairs.sum(axis=0) + pairs.diagonal())


def _require_balance(images: np.ndarray, degradations: np.ndarray) -> None:
    counts = cell_counts(images, degradations)
    if min(counts.shape) < 2:
        raise InputError(
            "variance shares need two or more images in two or more degradations, not "
            f"{counts.shape[0]} and {counts.shape[1]}"
        )
    if (counts != 1).any():
        image, degradation = np.argwhere(counts != 1)[0]
        raise InputError(
            "variance shares need every image in every degradation exactly once, but "
            f"{np.unique(images)[image]} has {np.unique(degradations)[degradation]} "
            f"{counts[image, degradation]} times: use the same images in every set"
        )
