"""The measures, against scikit-learn, explicit two-way analysis of variance, and brute force."""

from __future__ import annotations

from dataclasses import astuple, fields
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from scipy.stats import t as student_t
from sklearn.metrics import calinski_harabasz_score

from ddrscope.embedding.gram import gram_matrix
from ddrscope.embedding.pca import pca_scores
from ddrscope.errors import InputError
from ddrscope.metrics.chi import calinski_harabasz, permutation_p_value
from ddrscope.metrics.design import Design
from ddrscope.metrics.estimate import Estimate
from ddrscope.metrics.jackknife import jackknife
from ddrscope.metrics.knn import knn_accuracy
from ddrscope.metrics.layer_measures import measure, measure_planes
from ddrscope.metrics.level_path import path_spearman
from ddrscope.metrics.measures import Measures
from ddrscope.metrics.variance_shares import variance_shares


def study(
    photos: int, crops: int = 1, k: int = 3, degradation: float = 1, content: float = 1, width: int = 40, seed: int = 0
) -> tuple[np.ndarray, Design]:
    """Features (n, width) with effects of the given size in unit noise, rows shuffled, and their design."""
    random = np.random.default_rng(seed)
    images = photos * crops
    features = (
        content * random.normal(size=(images, 1, width))
        + degradation * random.normal(size=(1, k, width))
        + random.normal(size=(images, k, width))
    ).reshape(-1, width)
    rows = random.permutation(images * k)
    image = np.repeat(np.arange(images), k)
    group = np.tile(np.arange(k), images)
    photo_names = np.array([f"photo{p // crops}" for p in image])
    image_names = np.array([f"photo{p // crops}__{p % crops}" for p in image])
    group_names = np.array([f"blur:{g}" for g in group])
    return features[rows], Design(image_names[rows], photo_names[rows], group_names[rows])


def anova_shares(features: np.ndarray, design: Design) -> tuple[float, float, float]:
    """Bias-corrected shares from explicit means of the features."""
    images, groups = np.unique(design.images), np.unique(design.groups)
    n, k = len(images), len(groups)
    grand = features.mean(axis=0)
    by_image = {p: features[design.images == p].mean(axis=0) for p in images}
    by_group = {g: features[design.groups == g].mean(axis=0) for g in groups}
    ss_content = k * sum(((mean - grand) ** 2).sum() for mean in by_image.values())
    ss_degradation = n * sum(((mean - grand) ** 2).sum() for mean in by_group.values())
    ss_interaction = sum(
        ((row - by_image[p] - by_group[g] + grand) ** 2).sum()
        for row, p, g in zip(features, design.images, design.groups, strict=True)
    )
    total = ((features - grand) ** 2).sum()
    assert total == pytest.approx(ss_content + ss_degradation + ss_interaction)
    noise = ss_interaction / ((n - 1) * (k - 1))
    degradation, content = (ss_degradation - (k - 1) * noise) / total, (ss_content - (n - 1) * noise) / total
    return degradation, content, 1 - degradation - content


# Calinski-Harabasz


def test_chi_agrees_with_scikit_learn() -> None:
    features, design = study(12)
    for labels in (design.groups, design.images):
        assert calinski_harabasz(features, labels) == pytest.approx(calinski_harabasz_score(features, labels))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(2, 5),
    shift=st.floats(-1e3, 1e3),
    scale=st.floats(1e-6, 1e6),
)
def test_chi_does_not_change_with_shift_rotation_and_scale(seed: int, k: int, shift: float, scale: float) -> None:
    random = np.random.default_rng(seed)
    labels = np.append(np.arange(k), random.integers(k, size=20))
    points = random.normal(size=(len(labels), 4)) + labels[:, None]
    rotation = np.linalg.qr(random.normal(size=(4, 4)))[0]
    moved = scale * (points @ rotation + shift)
    assert calinski_harabasz(moved, labels) == pytest.approx(calinski_harabasz(points, labels), rel=1e-6)


def test_chi_of_degenerate_points() -> None:
    points = np.random.default_rng(0).normal(size=(6, 2))
    assert np.isnan(calinski_harabasz(points, np.arange(6)))
    assert np.isnan(calinski_harabasz(points, np.zeros(6)))
    assert np.isnan(calinski_harabasz(np.full((6, 2), 0.1), np.repeat([0, 1], 3)))
    assert np.isnan(calinski_harabasz(np.empty((6, 0)), np.repeat([0, 1], 3)))
    assert calinski_harabasz(np.repeat(points[:2], 3, axis=0), np.repeat([0, 1], 3)) == np.inf


# Variance shares


@pytest.mark.parametrize("k", [2, 3, 5])
def test_shares_agree_with_analysis_of_variance_on_the_features(k: int) -> None:
    features, design = study(9, crops=2, k=k)
    shares = variance_shares(gram_matrix(features), design)
    got = (shares.degradation.value, shares.content.value, shares.interaction.value)
    assert got == pytest.approx(anova_shares(features, design), abs=1e-12)
    assert sum(got) == pytest.approx(1)


def test_shares_are_known_where_one_source_acts_alone() -> None:
    features, design = study(6)
    for labels, expected in ((design.groups, (1, 0, 0)), (design.images, (0, 1, 0))):
        effect = np.eye(len(np.unique(labels)))[np.unique(labels, return_inverse=True)[1]]
        shares = variance_shares(effect @ effect.T, design)
        assert (shares.degradation.value, shares.content.value, shares.interaction.value) == pytest.approx(expected)


def test_pure_noise_has_no_share_on_average() -> None:
    repetitions = []
    for seed in range(200):
        features, design = study(8, degradation=0, content=0, width=30, seed=seed)
        shares = variance_shares(gram_matrix(features), design)
        repetitions.append((shares.degradation.value, shares.content.value))
    mean, error = np.mean(repetitions, axis=0), np.std(repetitions, axis=0) / np.sqrt(200)
    assert (np.abs(mean) < 3.5 * error).all() and (error < 0.005).all()


def test_photo_share_counts_only_what_crops_of_a_photograph_share() -> None:
    random = np.random.default_rng(0)
    photos, crops, k, width = 30, 3, 3, 400
    for of_photo, of_crop in ((0, 1), (1, 1), (1, 0)):
        features = (
            of_photo * random.normal(size=(photos, 1, 1, width))
            + of_crop * random.normal(size=(photos, crops, 1, width))
            + random.normal(size=(1, 1, k, width))
            + random.normal(size=(photos, crops, k, width))
        ).reshape(-1, width)
        photo = np.repeat(np.arange(photos), crops * k)
        design = Design(np.repeat(np.arange(photos * crops), k), photo, np.tile(np.arange(k), photos * crops))
        share = variance_shares(features @ features.T, design).photo
        # The degradation's scatter is that of k means about their own: (k-1)/k of its variance.
        expected = of_photo / (of_photo + of_crop + (k - 1) / k + 1)
        assert share.value == pytest.approx(expected, abs=0.02) and share.low < share.value < share.high
        # By explicit means, and without the first photograph by doing everything again.
        kept = photo > 0
        for rows, found in (
            (slice(None), share.value),
            (kept, variance_shares(features[kept] @ features[kept].T, _only(design, kept)).photo.value),
        ):
            assert found == pytest.approx(_photo_share_of(features[rows], _only(design, rows), crops, k))
    features, design = study(photos=6)
    assert np.isnan(variance_shares(features @ features.T, design).photo.value)


def _only(design: Design, rows: Any) -> Design:
    return Design(design.images[rows], design.photos[rows], design.groups[rows])


def _photo_share_of(features: np.ndarray, design: Design, crops: int, k: int) -> float:
    grand = features.mean(axis=0)
    photos, images = np.unique(design.photos), np.unique(design.images)
    between = crops * k * sum(((features[design.photos == p].mean(axis=0) - grand) ** 2).sum() for p in photos)
    content = k * sum(((features[design.images == p].mean(axis=0) - grand) ** 2).sum() for p in images)
    of_crops = (content - between) / (len(images) - len(photos))
    return (between - (len(photos) - 1) * of_crops) / ((features - grand) ** 2).sum()


def test_shares_need_a_balanced_design() -> None:
    features, design = study(5)
    keep = np.arange(len(design)) != 3
    gram = gram_matrix(features)
    with pytest.raises(InputError, match=f"{design.images[3]} has {design.groups[3]} 0 times"):
        variance_shares(gram[np.ix_(keep, keep)], _only(design, keep))
    one = design.groups == "blur:1"
    with pytest.raises(InputError, match="not 5 and 1"):
        variance_shares(gram[np.ix_(one, one)], _only(design, one))


def test_share_intervals_leave_out_photographs_and_centre_again() -> None:
    features, design = study(6, crops=3)
    shares = variance_shares(gram_matrix(features), design)
    for index, estimate in enumerate((shares.degradation, shares.content, shares.interaction)):

        def share(rows: np.ndarray, index: int = index) -> float:
            left = Design(design.images[rows], design.photos[rows], design.groups[rows])
            return anova_shares(features[rows], left)[index]

        expected = jackknife(share, design.photos)
        assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


# Jackknife


def test_jackknife_of_a_mean_is_the_t_interval() -> None:
    values = np.random.default_rng(1).normal(5, 1, size=12)
    reach = student_t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    expected = np.array([values.mean(), values.mean() - reach, values.mean() + reach])
    assert astuple(jackknife(lambda rows: values[rows].mean(), np.arange(12))) == pytest.approx(expected)
    # Copies of a photograph are no new evidence.
    twice, photos = np.repeat(values, 2), np.repeat(np.arange(12), 2)
    assert astuple(jackknife(lambda rows: twice[rows].mean(), photos)) == pytest.approx(expected)
    logarithmic = jackknife(lambda rows: np.exp(values[rows].mean()), np.arange(12), log=True)
    assert astuple(logarithmic) == pytest.approx(np.exp(expected))
    clipped = jackknife(lambda rows: values[rows].mean(), np.arange(12), limits=(expected[0], np.inf))
    assert astuple(clipped) == pytest.approx((expected[0], expected[0], expected[2]))


def test_jackknife_without_an_interval() -> None:
    assert astuple(jackknife(lambda rows: float(len(rows)), np.array(["a", "a", "b"])))[0] == 3
    for without in (
        jackknife(lambda rows: float(len(rows)), np.array(["a", "a", "b"])),
        jackknife(lambda rows: 0.0, np.arange(5), log=True),
        jackknife(lambda rows: np.inf, np.arange(5)),
    ):
        assert not without.has_interval


# k-NN


def test_knn_learns_nothing_from_the_same_photograph() -> None:
    """Groups that only a photograph's own other crop gives away are told at chance or below."""
    random = np.random.default_rng(2)
    photos = np.repeat(np.arange(40), 2)
    labels = np.repeat(random.permutation(np.arange(40) % 2), 2)
    points = np.repeat(random.normal(size=(40, 3)), 2, axis=0)
    accuracy, right = knn_accuracy(points, labels, photos)
    assert accuracy == right.mean() < 0.75
    assert knn_accuracy(points, labels, np.arange(80), neighbours=1)[0] > 0.75


def test_knn_tells_distinct_groups_with_few_photographs() -> None:
    features, design = study(3, crops=2, degradation=5)
    accuracy, right = knn_accuracy(features, design.groups, design.photos)
    assert accuracy == 1 and right.all()
    accuracy, right = knn_accuracy(features, design.groups, np.zeros(len(design)))
    assert np.isnan(accuracy) and np.isnan(right).all()


# Permutation test


def test_p_value_agrees_with_all_arrangements_within_images() -> None:
    random = np.random.default_rng(3)
    images, labels = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
    points = random.normal(size=(9, 2)) + 0.7 * labels[:, None]
    observed = calinski_harabasz_score(points, labels)
    arrangements = [np.concatenate(parts) for parts in product(permutations(range(3)), repeat=3)]
    exact = np.mean([calinski_harabasz_score(points, a) >= observed * (1 - 1e-9) for a in arrangements])
    rows = random.permutation(9)
    estimate = permutation_p_value(points[rows], labels[rows], images[rows], permutations=20_000)
    assert 0.01 < exact < 0.5
    assert estimate == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000))


def test_p_value_is_repeatable_and_small_only_where_labels_matter() -> None:
    features, design = study(20, degradation=1)
    assert permutation_p_value(features, design.groups, design.images) == 1 / 1000
    shuffled = design.shuffled(seed=4)
    assert permutation_p_value(features, shuffled.groups, shuffled.images) > 0.01
    constant = permutation_p_value(np.ones((60, 2)), design.groups, design.images)
    assert constant == 1


# Path


def test_path_correlation_agrees_with_scipy_on_centroids() -> None:
    random = np.random.default_rng(5)
    levels, photos = np.tile([0.5, 1, 2, 8], 10), np.repeat(np.arange(10), 4)
    points = random.normal(size=(40, 3)) + levels[:, None] ** 0.1
    centroids = {level: points[levels == level].mean(axis=0) for level in (0.5, 1, 2, 8)}
    pairs = [(0.5, 1), (0.5, 2), (0.5, 8), (1, 2), (1, 8), (2, 8)]
    expected = spearmanr(
        [abs(a - b) for a, b in pairs], [np.linalg.norm(centroids[a] - centroids[b]) for a, b in pairs]
    ).statistic
    spearman = path_spearman(points, levels, photos)
    assert spearman.value == pytest.approx(expected)
    assert -1 <= spearman.low <= spearman.value <= spearman.high <= 1 and spearman.low < spearman.high


def test_path_of_points_on_a_line_is_perfect_and_of_two_levels_unknown() -> None:
    levels, photos = np.tile([90, 50, 20], 4), np.repeat(np.arange(4), 3)
    spearman = path_spearman(levels[:, None] / 10, levels, photos)
    assert (spearman.value, spearman.low, spearman.high) == pytest.approx((1, 1, 1))
    two = levels != 50
    for unknown in (
        path_spearman(levels[two, None] / 10, levels[two], photos[two]),
        path_spearman(np.ones((12, 2)), levels, photos),
    ):
        assert np.isnan(unknown.value) and not unknown.has_interval


# All together

SHARES = ("degradation_share", "content_share", "interaction_share")


def measured(features: np.ndarray, design: Design, **options: Any) -> Measures:
    gram = gram_matrix(features)
    return measure(pca_scores(gram), gram, design, **options)


def estimates(measures: Measures) -> dict[str, Estimate]:
    values = {field.name: getattr(measures, field.name) for field in fields(measures)}
    return {name: value for name, value in values.items() if isinstance(value, Estimate)}


def test_measure_answers_by_degradation_or_by_content() -> None:
    by_degradation = measured(*study(10, crops=2, degradation=2, content=0.5))
    by_content = measured(*study(10, crops=2, degradation=0.1, content=3))
    assert (by_degradation.n, by_degradation.k) == (60, 3)
    for measures in (by_degradation, by_content):
        assert all(each.low <= each.value <= each.high for each in estimates(measures).values())
    assert by_degradation.degradation_share.is_above(by_content.degradation_share)
    assert by_content.content_share.is_above(by_degradation.content_share)
    assert by_degradation.chi_pca.is_above(by_content.chi_pca)
    assert by_degradation.knn_accuracy.value == 1 and by_content.knn_accuracy.value < 0.7


def test_measure_takes_content_by_image_or_by_photograph() -> None:
    features, design = study(6, crops=3)
    scores = pca_scores(gram_matrix(features))
    for content, labels in (("image", design.images), ("photo", design.photos)):
        measures = measured(features, design, content=content)
        assert measures.chi_content_pca.value == pytest.approx(calinski_harabasz_score(scores, labels))
        assert (measures.photo_share is not None) == (content == "photo")


def test_measure_of_unpaired_sets_leaves_out_what_needs_the_same_images() -> None:
    features, design = study(8, degradation=3)
    unpaired = Design(np.arange(len(design)), np.arange(len(design)), design.groups)
    assert design.balanced and not unpaired.balanced
    measures = measured(features, unpaired)
    assert np.isnan(
        [measures.p_value, *(estimates(measures)[name].value for name in (*SHARES, "chi_content_pca"))]
    ).all()
    assert measures.chi_pca.value == pytest.approx(measured(features, design).chi_pca.value)
    assert measures.knn_accuracy.value == 1


def test_measure_of_features_that_never_vary_is_nan_not_an_error() -> None:
    _, design = study(6)
    measures = measured(np.ones((18, 10)), design)
    assert np.isnan([each.value for each in estimates(measures).values()]).all() and measures.p_value == 1


def test_planes_give_median_and_range_over_seeds() -> None:
    _, design = study(6)
    random = np.random.default_rng(8)
    planes = [random.normal(size=(18, 2)) for _ in range(3)]
    values = sorted(calinski_harabasz_score(plane, design.groups) for plane in planes)
    measures = measure_planes(planes, design)
    chi = measures.chi_tsne
    assert [chi.low, chi.value, chi.high] == pytest.approx(values)
    by_content = np.median([calinski_harabasz_score(plane, design.images) for plane in planes])
    assert measures.chi_content_tsne.value == pytest.approx(by_content)


def test_design_refuses_labels_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="one entry per row"):
        Design(np.arange(3), np.arange(3), np.arange(4))
    with pytest.raises(ValueError, match="one photograph"):
        Design(np.array(["a", "a"]), np.array(["x", "y"]), np.array([0, 1]))


def test_shuffled_labels_keep_the_design_balanced() -> None:
    _, design = study(10)
    shuffled = design.shuffled(seed=1)
    assert shuffled.balanced and (shuffled.groups != design.groups).any()
    np.testing.assert_array_equal(shuffled.groups, design.shuffled(seed=1).groups)


def test_chi_intervals_leave_out_whole_photographs() -> None:
    features, design = study(6, crops=3)
    scores, measures = pca_scores(gram_matrix(features)), measured(features, design)
    for chi, labels in ((measures.chi_pca, design.groups), (measures.chi_content_pca, design.images)):
        left_out = [design.photos != photo for photo in np.unique(design.photos)]
        logs = np.log([calinski_harabasz_score(scores[rows], labels[rows]) for rows in left_out])
        reach = student_t.ppf(0.975, 5) * np.sqrt(5 / 6 * np.square(logs - logs.mean()).sum())
        expected = calinski_harabasz_score(scores, labels) * np.exp([-reach, reach])
        assert [chi.low, chi.high] == pytest.approx(expected)
