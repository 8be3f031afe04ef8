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
from ddrscope.generalization.feature_grams import feature_gram
from ddrscope.generalization.score import estimate, resampled_scores, set_coefficients, srga
from ddrscope.metrics.generalized_gaussian import GeneralizedGaussian, fit_by_moments, kl_divergence
from ddrscope.networks import Network
from ddrscope.networks.architectures.srresnet import SRResNet


@pytest.mark.parametrize("shape", [0.3, 0.8, 1.0, 2.0, 6.0])
def test_the_fit_recovers_scipys_distribution(shape: float) -> None:
    expected = gennorm(shape, scale=1.7)
    mean_deviation = quad(lambda x: 2 * x * expected.pdf(x), 0, expected.isf(1e-14), limit=500)[0]
    fitted = fit_by_moments(expected.var(), mean_deviation)
    assert fitted.shape == pytest.approx(shape, rel=1e-4)
    assert fitted.sigma == pytest.approx(expected.std(), rel=1e-6)
    x = np.linspace(-4, 4, 9)
    assert np.allclose(fitted.density(x), expected.pdf(x), rtol=1e-3)


@pytest.mark.parametrize(("first", "second"), [(1.0, 2.0), (0.5, 0.9), (3.0, 0.7)])
def test_divergence_against_integration(first: float, second: float) -> None:
    p, q = gennorm(first, scale=1.0), gennorm(second, scale=2.0)
    end = p.isf(1e-13)
    expected = quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), -end, end, points=[0], limit=500)[0]
    divergence = kl_divergence(
        GeneralizedGaussian(p.std(), np.float64(first)), GeneralizedGaussian(q.std(), np.float64(second))
    )
    assert divergence == pytest.approx(expected, rel=1e-5)


def features(seed: int, scale: float = 1.0, count: int = 80, size: int = 500) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (
        random.laplace(size=(count, 40)) @ random.normal(size=(40, size)) * scale + random.normal(size=(count, size))
    ).astype("f4")


PHOTOS = np.repeat([f"photo{index}" for index in range(8)], 10)


def plain_recipe(reference: np.ndarray, test: np.ndarray, components: int) -> float:
    """The published steps, one after the other."""
    fitted = []
    for rows in (reference, test):
        pooled = PCA(components, svd_solver="full").fit_transform(rows.astype(np.float64)).ravel()
        pooled = np.array([x for x in pooled if abs(x - pooled.mean()) <= 5 * pooled.std()])
        square, deviation = (pooled**2).mean(), np.abs(pooled - pooled.mean()).mean()
        shapes = np.arange(0.2, 10, 0.00001)
        ratios = gamma(1 / shapes) * gamma(3 / shapes) / gamma(2 / shapes) ** 2
        shape = shapes[np.argmin(np.abs(ratios - square / deviation**2))]
        fitted.append(gennorm(shape, scale=np.sqrt(square * gamma(1 / shape) / gamma(3 / shape))))
    p, q = fitted
    end = p.isf(1e-13)
    kl = quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), -end, end, points=[0], limit=500)[0]
    return float(np.log10(kl + 1e-5) + 5)


def test_score_equals_the_plain_recipe() -> None:
    clean, degraded = features(0), features(1, 0.7)
    reference, test = (set_coefficients(gram_matrix(rows), PHOTOS, 30) for rows in (clean, degraded))
    assert srga(reference.fit(), test.fit()) == pytest.approx(plain_recipe(clean, degraded, 30), abs=1e-3)
    assert srga(reference.fit(), reference.fit()) == 0


def test_intervals_include_the_score_and_do_not_grow_with_more_photographs() -> None:
    grams = [gram_matrix(features(seed, scale)) for seed, scale in ((0, 1.0), (1, 0.7))]
    reference, test = (set_coefficients(gram, PHOTOS, 30) for gram in grams)
    score = float(srga(reference.fit(), test.fit()))
    resamples = resampled_scores(reference, test, 400, seed=0)
    found = estimate(score, resamples)
    assert found.low < score < found.high
    assert np.array_equal(resamples, resampled_scores(reference, test, 400, seed=0))
    assert np.allclose(resampled_scores(reference, reference, 50, seed=0), 0)
    many = np.array([f"photo{index}" for index in range(80)])
    finer = estimate(score, resampled_scores(*(set_coefficients(gram, many, 30) for gram in grams), 400, seed=0))
    assert finer.high - finer.low < 1.5 * (found.high - found.low)


def test_too_few_patches_and_constant_features_are_refused() -> None:
    with pytest.raises(InputError, match="at least 81"):
        set_coefficients(gram_matrix(features(0)), PHOTOS, 80)
    with pytest.raises(InputError, match="do not vary"):
        set_coefficients(gram_matrix(np.ones((80, 50), np.float32)), PHOTOS, 30)


@pytest.mark.parametrize(("scale", "size"), [(1, 9), (2, 8), (3, 7), (4, 6)])
def test_streaming_gives_the_gram_matrix_of_the_whole_layer(scale: int, size: int) -> None:
    torch.manual_seed(0)
    network = Network(
        "small", SRResNet(channels=8, blocks=2, scale=scale), scale, 3, "SRResNet", last_hr_layer="conv_last:input"
    )
    patches = np.random.default_rng(0).random((40, size, size + 3, 3), dtype=np.float32)
    batch = torch.from_numpy(patches).permute(0, 3, 1, 2)
    whole = collect_features(network.module, [batch], ["conv_last:input"], ["flattened"], precision="float32")
    expected = gram_matrix(whole["conv_last:input", "flattened"])
    streamed = feature_gram(network, "conv_last:input", patches, "float32")
    assert np.allclose(streamed, expected, rtol=1e-4, atol=1e-5 * np.trace(expected))


def test_a_layer_that_is_not_streamed_has_the_same_gram_matrix() -> None:
    torch.manual_seed(0)
    network = Network(
        "small", SRResNet(channels=8, blocks=2, scale=2), 2, 3, "SRResNet", last_hr_layer="conv_last:input"
    )
    patches = np.random.default_rng(0).random((20, 8, 8, 3), dtype=np.float32)
    batch = torch.from_numpy(patches).permute(0, 3, 1, 2)
    whole = collect_features(network.module, [batch], ["body.1"], ["flattened"], precision="float32")
    expected = gram_matrix(whole["body.1", "flattened"])
    spilled = feature_gram(network, "body.1", patches, "float32")
    assert np.allclose(spilled, expected, rtol=1e-4, atol=1e-5 * np.trace(expected))
