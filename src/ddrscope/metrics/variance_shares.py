"""How much of the features' variation belongs to the degradation, to the content, and to both together."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ddrscope.errors import InputError
from ddrscope.metrics.design import Design, cell_counts, encode
from ddrscope.metrics.jackknife import jackknife_interval


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the total scatter, which sum to 1; in pure noise degradation and content are 0 on average."""

    degradation: float
    content: float
    interaction: float


def variance_shares(gram: np.ndarray, images: np.ndarray, degradations: np.ndarray) -> VarianceShares:
    """Two-way analysis of variance of n = N k rows (N images, each in k degradations) in the full feature space.

    `gram` is the (n, n) Gram matrix of the rows, which `images` and `degradations` name; it need not be centred.
    With SS_T = SS_D + SS_C + SS_I and MS_I = SS_I / ((N-1)(k-1)), the degradation share is (SS_D - (k-1) MS_I) /
    SS_T, the content share (SS_C - (N-1) MS_I) / SS_T, the interaction share the rest. NaN when the rows do not vary.

    Raises InputError unless two or more images meet two or more degradations, each exactly once.
    """
    return VarianceShares(*_shares_and_replicates(gram, images, degradations, images)[:3, 0].tolist())


def share_intervals(gram: np.ndarray, design: Design) -> dict[str, tuple[float, float]]:
    """95 % delete-one-photograph jackknife intervals (low, high), keyed by the fields of VarianceShares."""
    shares = _shares_and_replicates(gram, design.images, design.groups, design.photos)
    return {
        field.name: jackknife_interval(values[0], values[1:])
        for field, values in zip(fields(VarianceShares), shares, strict=False)
    }


def photo_share(gram: np.ndarray, design: Design) -> tuple[float, float, float]:
    """How much of the scatter belongs to the photograph: (share, low, high), the interval as in `share_intervals`.

    With SS_P the scatter between photographs, SS_C that between images, and MS_C = (SS_C - SS_P) / (N - P) for N images of P
    photographs, it is (SS_P - (P-1) MS_C) / SS_T: 0 on average where crops of one photograph are no more alike than crops of
    different ones. So what two crops that do not overlap have in common counts as content, and their pixels do not. NaN
    unless some photograph has two images.
    """
    count, photos = len(np.unique(design.images)), len(np.unique(design.photos))
    if count == photos or photos < 2:
        return float("nan"), float("nan"), float("nan")
    share = _shares_and_replicates(gram, design.images, design.groups, design.photos)[3]
    low, high = jackknife_interval(share[0], share[1:])
    return float(share[0]), low, high


def _shares_and_replicates(
    gram: np.ndarray, images: np.ndarray, degradations: np.ndarray, photos: np.ndarray
) -> np.ndarray:
    """Degradation, content, interaction and photograph share (4, 1 + P): of all rows, then without each of P photographs."""
    _require_balance(images, degradations)
    order = np.lexsort((encode(degradations), encode(images)))
    k = len(np.unique(degradations))
    n_images = len(order) // k
    photo_of = encode(photos)[order[::k]]
    cells = gram[np.ix_(order, order)].reshape(n_images, k, n_images, k)

    # Leaving out a photograph takes away its rows *and* columns, so sums over pairs of photographs are all it needs.
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
            "variance shares need two or more images in two or more degradations, here are "
            f"{counts.shape[0]} and {counts.shape[1]}"
        )
    if (counts != 1).any():
        image, degradation = np.argwhere(counts != 1)[0]
        raise InputError(
            "variance shares need every image in every degradation exactly once, but "
            f"{np.unique(images)[image]} meets {np.unique(degradations)[degradation]} "
            f"{counts[image, degradation]} times: use the same images in every set"
        )
