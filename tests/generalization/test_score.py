from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gamma
from scipy.stats import gennorm
from sklearn.decomposition import PCA

from ddrscope.embedding.gram import gram_matrix
from ddrscope.errors import InputError
from ddrscope.features import collect_features
from ddrscope.generalization.gaussian import GeneralizedGaussian, fit_by_moments, kl_divergence
from ddrscope.generalization.grams import patch_gram
from ddrscope.generalization.score import interval, resampled, set_coefficients, srga
from ddrscope.networks import Network
from ddrscope.networks.architectures.srresnet import SRResNet


@pytest.mark.parametrize("shape", [0.3, 0.8, 1.0, 2.0, 6.0])
def test_the_fit_finds_scipys_distribution(shape: float) -> None:
    one = gennorm(shape, scale=1.7)
    mean_deviation = quad(lambda x: 2 * x * one.pdf(x), 0, one.isf(1e-14), limit=500)[0]
    fitted = fit_by_moments(one.var(), mean_deviation)
    assert fitted.shape == pytest.approx(shape, rel=1e-4)
    assert fitted.sigma == pytest.approx(one.std(), rel=1e-6)
    x = np.linspace(-4, 4, 9)
    assert np.allclose(fitted.density(x), one.pdf(x), rtol=1e-3)


@pytest.mark.parametrize(("first", "second"), [(1.0, 2.0), (0.5, 0.9), (3.0, 0.7)])
def test_divergence_against_integration(first: float, second: float) -> None:
    one, other = gennorm(first, scale=1.0), gennorm(second, scale=2.0)
    wide = one.isf(1e-13)
    expected = quad(lambda x: one.pdf(x) * (one.logpdf(x) - other.logpdf(x)), -wide, wide, points=[0], limit=500)[0]
    said = kl_divergence(
        GeneralizedGaussian(one.std(), np.float64(first)), GeneralizedGaussian(other.std(), np.float64(second))
    )
    assert said == pytest.approx(expected, rel=1e-5)


def features(seed: int, scale: float = 1.0, count: int = 80, size: int = 500) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (
        random.laplace(size=(count, 40)) @ random.normal(size=(40, size)) * scale + random.normal(size=(count, size))
    ).astype("f4")


PHOTOS = np.repeat([f"photo{index}" for index in range(8)], 10)


def plain_recipe(reference: np.ndarray, test: np.ndarray, components: int) -> float:
    """The published steps written down one after the other."""
    fitted = []
    for rows in (reference, test):
        pooled = PCA(components, svd_solver="full").fit_transform(rows.astype(np.float64)).ravel()
        pooled = np.array([x for x in pooled if abs(x - pooled.mean()) <= 5 * pooled.std()])
        square, deviation = (pooled**2).mean(), np.abs(pooled - pooled.mean()).mean()
        shapes = np.arange(0.2, 10, 0.00001)
        ratios = gamma(1 / shapes) * gamma(3 / shapes) / gamma(2 / shapes) ** 2
        shape = shapes[np.argmin(np.abs(ratios - square / deviation**2))]
        fitted.append(gennorm(shape, scale=np.sqrt(square * gamma(1 / shape) / gamma(3 / shape))))
    one, other = fitted
    wide = one.isf(1e-13)
    kl = quad(lambda x: one.pdf(x) * (one.logpdf(x) - other.logpdf(x)), -wide, wide, points=[0], limit=500)[0]
    return float(np.log10(kl + 1e-5) + 5)


def test_score_equals_the_plain_recipe() -> None:
    clean, damaged = features(0), features(1, 0.7)
    one, other = (set_coefficients(gram_matrix(rows), PHOTOS, 30) for rows in (clean, damaged))
    assert srga(one.fit(), other.fit()) == pytest.approx(plain_recipe(clean, damaged, 30), abs=1e-3)
    assert srga(one.fit(), one.fit()) == 0


def test_intervals_hold_the_score_and_shrink_with_more_photographs() -> None:
    reference, test = (
        set_coefficients(gram_matrix(features(seed, scale)), PHOTOS, 30) for seed, scale in ((0, 1.0), (1, 0.7))
    )
    scores = resampled(reference, test, 400, seed=0)
    low, high = interval(scores)
    assert low < srga(reference.fit(), test.fit()) < high
    assert np.array_equal(scores, resampled(reference, test, 400, seed=0))
    assert np.allclose(resampled(reference, reference, 50, seed=0), 0)
    many = np.array([f"photo{index}" for index in range(80)])
    finer = [set_coefficients(gram_matrix(features(seed, scale)), many, 30) for seed, scale in ((0, 1.0), (1, 0.7))]
    assert np.ptp(interval(resampled(*finer, 400, seed=0))) < 1.5 * (high - low)


def test_too_few_patches_and_constant_features_are_refused() -> None:
    with pytest.raises(InputError, match="at least 81"):
        set_coefficients(gram_matrix(features(0)), PHOTOS, 80)
    with pytest.raises(InputError, match="do not vary"):
        set_coefficients(gram_matrix(np.ones((80, 50), np.float32)), PHOTOS, 30)


@pytest.mark.parametrize(("scale", "size"), [(1, 9), (2, 8), (3, 7), (4, 6)])
def test_strips_hold_the_very_features_of_the_whole_layer(scale: int, size: int) -> None:
    torch.manual_seed(0)
    network = Network(
        "small", SRResNet(channels=8, blocks=2, scale=scale), scale, 3, "SRResNet", last_hr_layer="conv_last:input"
    )
    patches = np.random.default_rng(0).random((40, size, size + 3, 3), dtype=np.float32)
    batch = torch.from_numpy(patches).permute(0, 3, 1, 2)
    whole = collect_features(network.module, [batch], ["conv_last:input"], ["flattened"], precision="float32")
    expected = gram_matrix(whole["conv_last:input", "flattened"])
    said = patch_gram(network, "conv_last:input", patches, "float32")
    assert np.allclose(said, expected, rtol=1e-4, atol=1e-5 * np.trace(expected))
    spilled = patch_gram(network, "body.1", patches, "float32")
    assert np.trace(spilled) > 0
