"""The class share: against explicit sums, where its value is known, and by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student_t

from ddrscope.embedding.gram import gram_matrix
from ddrscope.metrics.class_share import class_share
from ddrscope.metrics.design import Design
from ddrscope.metrics.layer_measures import content_groups, measure


def sample(
    sizes: list[int], of_class: float, of_photo: float = 1.0, width: int = 300, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, width) of photographs under three degradations, with the photograph, class and degradation of each."""
    random = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(sizes)), sizes)
    photos = np.arange(len(classes))
    features = (
        of_class * random.normal(size=(len(sizes), width))[classes][:, None]
        + of_photo * random.normal(size=(len(photos), 1, width))
        + random.normal(size=(len(photos), 3, width))
    ).reshape(-1, width)
    rows = random.permutation(len(features))
    labels = (np.repeat(photos, 3), np.repeat(classes, 3), np.tile(np.arange(3), len(photos)))
    return (features[rows], *(each[rows] for each in labels))


def explicit(features: np.ndarray, photos: np.ndarray, classes: np.ndarray) -> float:
    """The share from means of the features."""
    grand = features.mean(axis=0)

    def between(labels: np.ndarray) -> float:
        groups = [features[labels == label] for label in np.unique(labels)]
        return float(sum(len(group) * ((group.mean(axis=0) - grand) ** 2).sum() for group in groups))

    count, photographs = len(np.unique(classes)), len(np.unique(photos))
    within = (between(photos) - between(classes)) / (photographs - count)
    return float((between(classes) - (count - 1) * within) / ((features - grand) ** 2).sum())


def test_share_and_interval_agree_with_explicit_sums() -> None:
    features, photos, classes, _ = sample([5, 4, 3], of_class=0.7, width=20)
    found = class_share(gram_matrix(features), photos, classes)
    assert found.value == pytest.approx(explicit(features, photos, classes))
    variance = 0.0
    for label in range(3):
        without = [
            explicit(*(each[photos != photo] for each in (features, photos, classes)))
            for photo in np.unique(photos[classes == label])
        ]
        variance += (len(without) - 1) / len(without) * np.square(np.array(without) - np.mean(without)).sum()
    half_width = student_t.ppf(0.975, 12 - 3) * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((found.value - half_width, found.value + half_width))


def test_share_is_known_where_classes_act() -> None:
    features, photos, classes, _ = sample([12] * 10, of_class=1)
    found = class_share(features @ features.T, photos, classes)
    # The scatter of c class means about their own is (c-1)/c of their variance.
    assert found.value == pytest.approx(0.9 / (0.9 + 1 + 1), abs=0.02) and found.low < found.value < found.high
    alone, photos, classes, _ = sample([3] * 4, of_class=0, of_photo=0)
    alone = np.eye(4)[classes]
    assert class_share(alone @ alone.T, photos, classes).value == pytest.approx(1)


def test_chance_is_zero_and_the_interval_covers_it() -> None:
    found = []
    for seed in range(200):
        features, photos, classes, _ = sample([6, 5, 4, 3], of_class=0, width=30, seed=seed)
        found.append(class_share(features @ features.T, photos, classes))
    values = np.array([each.value for each in found])
    assert abs(values.mean()) < 3.5 * values.std() / np.sqrt(200) and values.std() < 0.05
    assert np.mean([each.low <= 0 <= each.high for each in found]) > 0.9


def test_no_share_without_classes_and_no_interval_for_single_photographs() -> None:
    features, photos, classes, _ = sample([3, 3], of_class=1)
    gram = features @ features.T
    assert np.isnan(class_share(gram, photos, np.zeros(len(photos))).value)
    assert np.isnan(class_share(gram, photos, photos).value)
    assert np.isnan(class_share(np.zeros_like(gram), photos, classes).value)
    features, photos, classes, _ = sample([3, 1], of_class=1)
    single = class_share(features @ features.T, photos, classes)
    assert np.isfinite(single.value) and not single.has_interval


def test_measures_of_folders() -> None:
    features, photos, classes, groups = sample([4, 4, 4], of_class=1, width=20)
    design = Design(photos, photos, groups, classes)
    by_folder = measure(features, features @ features.T, design, "folder", permutations=9)
    assert by_folder.class_share == class_share(features @ features.T, photos, classes)
    by_image = measure(features, features @ features.T, design, permutations=9)
    assert by_image.class_share is None and by_image.content_share == by_folder.content_share
    assert (content_groups(design, "folder"), content_groups(design, "image")) == (3, 12)
    with pytest.raises(ValueError, match="folders"):
        measure(features, features @ features.T, Design(photos, photos, groups), "folder")
    unbalanced = measure(features[1:], (features @ features.T)[1:, 1:], Design(*(
        each[1:] for each in (photos, photos, groups, classes)
    )), "folder")  # fmt: skip
    assert unbalanced.class_share is not None and np.isnan(unbalanced.class_share.value)
