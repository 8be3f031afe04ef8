"""Histories of images, and what is noted of them."""

from __future__ import annotations

import numpy as np
import pytest

from ddrscope.degradations import parse_degradation
from ddrscope.degradations.distortions import ALL_DISTORTIONS
from ddrscope.identification.chains import Chain, ChainSampler, as_row
from ddrscope.identification.truth import Truth, apply_chain, undamaged
from ddrscope.results.vocabulary import ESTIMATES, INTERPOLATIONS

GROUPS = {each.name: each.group for each in ALL_DISTORTIONS}


def after(text: str, shrink: float = 1.0, before: str = "clean", side: int = 160) -> tuple[np.ndarray, Truth]:
    rng = np.random.default_rng(0)
    pixels = np.clip(rng.normal(0.5, 0.1, (side, side, 3)), 0, 1).astype(np.float32)
    return apply_chain(Chain(parse_degradation(before), shrink, parse_degradation(text)), pixels, rng)


def test_an_undamaged_image_has_the_values_of_one() -> None:
    _, truth = after("clean")
    values = truth.values
    assert (values["blur_sigma"], values["noise_sigma"], values["jpeg_quality"]) == (0, 0, 100)
    assert (values["native_scale"], values["exposure"]) == (1, 0) and np.isnan(values["motion_length"])


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("blur:2", "blur_sigma", 2),
        ("blur:3+blur:4", "blur_sigma", 5),
        ("lens_blur:4", "blur_sigma", 2),
        ("aniso_blur:3,1,20", "blur_sigma", 5**0.5),
        ("blur:1+jpeg:40", "blur_sigma", 1),
        ("jpeg:40", "jpeg_quality", 40),
        ("jpeg:40+jpeg:70", "jpeg_quality", 70),
        ("jpeg:40+jpeg:70", "first_jpeg_quality", 40),
        ("resample:2,lanczos", "native_scale", 2),
        ("exposure:-1.5", "exposure", -1.5),
        ("motion_blur:9", "motion_length", 9),
    ],
)
def test_what_is_known_of_a_step(text: str, name: str, value: float) -> None:
    assert after(text)[1].values[name] == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("blur:2+sharpen:3", "blur_sigma"),
        ("noise:10+blur:1", "noise_sigma"),
        ("noise:10+resample:2", "noise_sigma"),
        ("jpeg:40+resample:2", "jpeg_quality"),
        ("jpeg:40+webp:60", "jpeg_quality"),
        ("exposure:1+brightness:20", "exposure"),
        ("resample:2+jitter:1", "native_scale"),
    ],
)
def test_what_a_later_step_hides_is_not_known(text: str, name: str) -> None:
    assert np.isnan(after(text)[1].values[name])


def test_noise_is_measured_where_it_was_added() -> None:
    _, truth = after("noise:12")
    assert truth.values["noise_sigma"] == pytest.approx(12, rel=0.05)
    _, both = after("noise:12+noise:9")
    assert both.values["noise_sigma"] == pytest.approx(15, rel=0.05)


def test_shrinking_makes_blur_smaller_and_hides_noise_and_compression() -> None:
    image, truth = after("clean", shrink=2, before="blur:3+noise:10+jpeg:50")
    assert image.shape == (80, 80, 3) and image.dtype == np.uint8
    assert truth.values["blur_sigma"] == pytest.approx(1.5)
    assert np.isnan(truth.values["noise_sigma"]) and np.isnan(truth.values["jpeg_quality"])
    _, clean = after("jpeg:50", shrink=2)
    assert clean.values["jpeg_quality"] == 50 and clean.answers["recompressed"] == 0


def test_the_motion_of_a_truth_is_that_of_the_image() -> None:
    rng = np.random.default_rng(3)
    point = np.zeros((65, 65, 3), np.float32)
    point[32, 32] = 1
    image, truth = apply_chain(Chain(after=parse_degradation("motion_blur:21")), point, rng)
    rows, columns = np.nonzero(image[..., 0] > 2)
    slope = np.polyfit(columns, -rows, 1)[0] if np.ptp(columns) > np.ptp(rows) else 1 / np.polyfit(-rows, columns, 1)[0]
    difference = (np.degrees(np.arctan(slope)) - truth.motion_angle + 90) % 180 - 90
    assert abs(difference) < 5


def test_answers_and_interpolation() -> None:
    truth = after("jpeg:40,444+jpeg:60,420")[1]
    assert truth.answers == {"recompressed": 1, "chroma_subsampled": 1}
    assert after("jpeg:60,444")[1].answers == {"recompressed": 0, "chroma_subsampled": 0}
    np.testing.assert_equal(after("demosaic:100")[1].values, undamaged().values)
    assert np.isnan(after("blur:0.8+demosaic:100")[1].values["blur_sigma"])
    assert after("blur:2+demosaic:100")[1].values["blur_sigma"] == 2
    enlarged = after("resample:3,bilinear")[1]
    assert INTERPOLATIONS[enlarged.interpolation] == "bilinear" and len(enlarged.row()) == len(ESTIMATES) + 5


def test_histories_are_drawn_from_the_seed_and_keep_colour_for_images_that_have_it() -> None:
    sampler = ChainSampler()
    chains = [sampler.sample(np.random.default_rng(number)) for number in range(400)]
    assert [c.text for c in chains] == [sampler.sample(np.random.default_rng(n)).text for n in range(400)]
    for chain in chains:
        assert chain.levels.keys() <= GROUPS.keys()
        if chain.grey:
            assert not any(GROUPS[name] == "color" for name in chain.levels)
    clean = np.mean([not chain.levels for chain in chains])
    assert 0.1 < clean < 0.25
    assert 0.2 < np.mean(["demosaic" in chain.text for chain in chains]) < 0.6
    names = tuple(GROUPS)
    assert sum(np.nan_to_num(as_row(chain.levels, names)) > 0 for chain in chains).min() > 0  # type: ignore[union-attr]
