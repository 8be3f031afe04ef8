"""All measures of one layer, under the names they have in `analysis.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Literal

import numpy as np

from ddrscope.metrics.chi import calinski_harabasz, permutation_p_value
from ddrscope.metrics.design import Design, encode
from ddrscope.metrics.jackknife import jackknife
from ddrscope.metrics.knn import knn_accuracy
from ddrscope.metrics.variance_shares import VarianceShares, photo_share, share_intervals, variance_shares

Content = Literal["picture", "photo"]
NAN = float("nan")
SHARES = [field.name for field in fields(VarianceShares)]


def measure(
    scores: np.ndarray,
    gram: np.ndarray,
    design: Design,
    content: Content = "picture",
    permutations: int = 999,
    seed: int = 0,
) -> dict[str, float]:
    """The measures of one layer that need no plane, estimates with `_low` and `_high` (95 %, reductions held fixed).

    `scores` (n, r) are PCA scores, `gram` (n, n) the Gram matrix of the full features. Keys: chi_pca (by group),
    chi_content_pca (by image or photograph), degradation_share, content_share, interaction_share, knn_accuracy,
    p_value, n, k; with `content` "photo" also photo_share. A design that is not balanced has NaN shares and p_value.
    """
    groups, photos = encode(design.groups), encode(design.photos)
    result: dict[str, float] = {}
    for key, labels in (("chi_pca", groups), ("chi_content_pca", _content_labels(design, content))):
        _put(result, key, calinski_harabasz(scores, labels), _chi_interval(scores, labels, photos))

    shares, intervals = VarianceShares(NAN, NAN, NAN), dict.fromkeys(SHARES, (NAN, NAN))
    if design.balanced:
        shares = variance_shares(gram, design.images, design.groups)
        intervals = share_intervals(gram, design)
    for name, share in asdict(shares).items():
        _put(result, f"{name}_share", share, intervals[name])
    if content == "photo":
        share, *interval = photo_share(gram, design) if design.balanced else (NAN, NAN, NAN)
        _put(result, "photo_share", share, tuple(interval))

    accuracy, right = knn_accuracy(scores, groups, photos)
    low, high = np.clip(jackknife(lambda rows: right[rows].mean(), photos), 0, 1).tolist()
    _put(result, "knn_accuracy", accuracy, (low, high))

    result["p_value"] = (
        permutation_p_value(scores, groups, design.images, permutations, seed) if design.balanced else NAN
    )
    result["n"], result["k"] = len(design), int(groups.max()) + 1
    return result


def measure_planes(planes: Sequence[np.ndarray], design: Design, content: Content = "picture") -> dict[str, float]:
    """CHI on t-SNE planes (n, 2), one per seed: the median, with `_low` and `_high` the range over seeds.

    Keys: chi_tsne (by group) and chi_content_tsne (by image or photograph).
    """
    result: dict[str, float] = {}
    for key, labels in (("chi_tsne", encode(design.groups)), ("chi_content_tsne", _content_labels(design, content))):
        values = [calinski_harabasz(plane, labels) for plane in planes]
        _put(result, key, float(np.median(values)), (min(values), max(values)))
    return result


def _content_labels(design: Design, content: Content) -> np.ndarray:
    return encode(design.images if content == "picture" else design.photos)


def _chi_interval(points: np.ndarray, labels: np.ndarray, photos: np.ndarray) -> tuple[float, float]:
    return jackknife(lambda rows: calinski_harabasz(points[rows], labels[rows]), photos, log=True)


def _put(result: dict[str, float], key: str, value: float, interval: tuple[float, ...]) -> None:
    result[key] = value
    result[f"{key}_low"], result[f"{key}_high"] = interval
