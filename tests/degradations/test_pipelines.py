from __future__ import annotations

from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ddrscope.degradations import Pipeline, list_degradations, parse_degradation, parse_random_pipeline, shrink
from ddrscope.errors import InputError
from degradation_cases import COLOR_ONLY, LADDERS, PHOTOS, PIPELINES, as_float, degrade, flat


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return as_float(np.asarray(Image.open(PHOTOS / "astronaut__1.png")))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PIPELINES),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(0, 2**40),
    st.sampled_from([8, 16]),
)
def test_same_image_and_seed_same_pixels(
    text: str, height: int, width: int, channels: int, seed: int, bits: int
) -> None:
    if text.split(":")[0] in COLOR_ONLY:
        channels = 3
    pixels = np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)
    kept = pixels.copy()
    result = degrade(text, pixels, seed=seed, bits=bits)
    np.testing.assert_array_equal(pixels, kept)
    assert result.shape == pixels.shape and result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    again = degrade(text, np.asfortranarray(pixels), seed=seed, bits=bits)
    np.testing.assert_array_equal(result, again)
    if bits == 8:
        np.testing.assert_array_equal(result, as_float(np.rint(result * 255)))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(LADDERS)), st.floats(0, 1))
def test_the_canonical_text_names_the_same_pipeline(family: str, fraction: float) -> None:
    degradation = next(f for f in list_degradations() if f.family == family)
    limits = degradation.level_range()
    level = limits.low + fraction * (limits.high - limits.low)
    number = str(round(level)) if get_type_hints(degradation)["level"] is int else repr(level)
    others = LADDERS[family][0].split(",")[1:]
    pipeline = parse_degradation(",".join([f"{family}:{number}", *others]))
    assert parse_degradation(pipeline.text) == pipeline
    assert parse_degradation(pipeline.text).text == pipeline.text


def test_random_numbers_depend_on_seed_image_text_and_step() -> None:
    grey = flat(0.5, 64)

    def noise(text: str, pixels: np.ndarray = grey, seed: int = 0) -> np.ndarray:
        return (degrade(text, pixels, seed=seed) - pixels).ravel()

    reference = noise("noise:20")
    other_image = grey.copy()
    other_image[0, 0] = 0
    for other in (noise("noise:20", seed=1), noise("noise:20", other_image), noise("noise:30")):
        assert abs(np.corrcoef(reference, other)[0, 1]) < 0.05
    # Streams of their own add like independent noise: sqrt(2) times; a shared stream would double it.
    assert noise("noise:20+noise:20").std() == pytest.approx(2**0.5 * reference.std(), rel=0.03)


def test_before_steps_act_on_the_large_image_and_after_steps_on_the_small_one(photo: np.ndarray) -> None:
    expected = shrink(degrade("blur:3", photo), 4)
    np.testing.assert_array_equal(degrade("blur:3", photo, scale=4), expected)
    np.testing.assert_array_equal(degrade("clean", photo, scale=4), shrink(photo, 4))
    np.testing.assert_array_equal(degrade("jpeg:20", photo, scale=4), degrade("jpeg:20", shrink(photo, 4)))
    np.testing.assert_array_equal(degrade("blur:3+jpeg:20", photo, scale=4), degrade("jpeg:20", expected))
    noise = degrade("noise:20", flat(0.5), scale=4) * 255
    assert noise.shape == (64, 64, 3) and noise.std() == pytest.approx(20, rel=0.03)


def test_steps_act_in_the_order_written(photo: np.ndarray) -> None:
    np.testing.assert_array_equal(degrade("jpeg:10+blur:2", photo), degrade("blur:2", degrade("jpeg:10", photo)))
    np.testing.assert_array_equal(degrade("blur:2+jpeg:10", photo), degrade("jpeg:10", degrade("blur:2", photo)))
    assert np.abs(degrade("jpeg:10+blur:2", photo) - degrade("blur:2+jpeg:10", photo)).mean() > 1e-3


def test_an_after_step_before_a_before_step_is_refused_only_when_shrinking(photo: np.ndarray) -> None:
    pipeline = parse_degradation("noise:10+blur:2")
    pipeline.check_scale(1)
    with pytest.raises(InputError, match=r"noise acts after shrinking and blur before it: write blur:2\+noise:10"):
        pipeline.apply(photo, scale=4)


def test_clean_keeps_an_8_bit_image_and_rounds_others(photo: np.ndarray) -> None:
    clean = parse_degradation("clean")
    np.testing.assert_array_equal(clean.apply(photo), photo)
    np.testing.assert_array_equal(clean.apply(flat(0.3, 4), bits=32), flat(0.3, 4))
    np.testing.assert_allclose(clean.apply(flat(0.3, 4), bits=16), round(0.3 * 65535) / 65535, rtol=1e-7)
    np.testing.assert_allclose(clean.apply(flat(0.3, 4)), round(0.3 * 255) / 255, rtol=1e-6)


def test_names_and_levels_of_pipelines() -> None:
    clean, single, double = (parse_degradation(text) for text in ("clean", "jpeg:30", "blur:2 + noise:10"))
    assert (clean.text, clean.family, clean.level) == ("clean", "clean", None)
    assert (single.text, single.family, single.level) == ("jpeg:30", "jpeg", 30)
    assert (double.text, double.family, double.level) == ("blur:2+noise:10", "blur+noise", None)
    assert clean == Pipeline()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("blur:4.0", "blur:4"),
        ("brightness:+1e1+noise:2", "brightness:10+noise:2"),
        ("brightness:-0", "brightness:0"),
        ("resample:2,bicubic", "resample:2"),
        ("resample:2, nearest", "resample:2,nearest"),
        ("aniso_blur:4,1,45.00", "aniso_blur:4,1,45"),
        ("blur:1.23456789", "blur:1.23457"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert parse_degradation(text).text == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blurr:4", "unknown degradation 'blurr': did you mean blur"),
        ("zzz", "unknown degradation 'zzz': use one of clean, aniso_blur, avif, blur,"),
        ("blur", "'blur' is written blur:LEVEL: level 0 to 50 (sigma in HR pixels)"),
        ("blur:", "level '' of 'blur' is not a number: use 0 to 50 (sigma in HR pixels)"),
        ("blur:soft", "level 'soft' of 'blur' is not a number"),
        ("noise:10+blur:4+", "level '4+' of 'blur' is not a number"),
        ("noise:256", "level 256 of 'noise' is out of range: use 0 to 255 (sigma in 0..255 units)"),
        ("blur:nan", "level nan of 'blur' is out of range"),
        ("blur:-1", "level -1 of 'blur' is out of range"),
        ("jpeg:30.5", "level '30.5' of 'jpeg' is not a whole number: use 1 to 100 (quality)"),
        ("jpeg:10000000", "level 10000000 of 'jpeg' is out of range"),
        ("blur:4,2", "'blur' is written blur:LEVEL: got 2 values"),
        ("aniso_blur:4,2", "written aniso_blur:LEVEL,ACROSS,ANGLE: got 2 values"),
        ("aniso_blur:4,2,400", "angle 400 of 'aniso_blur' is out of range"),
        ("resample:2,bicubical", "unknown interpolation 'bicubical' of 'resample': did you mean bicubic"),
        ("clean+blur:2", "clean stands alone"),
        ("", "names no degradation"),
    ],
)
def test_bad_text_gets_one_line_with_the_remedy(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_degradation(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_calls_are_refused() -> None:
    with pytest.raises(InputError, match="`scale`=0"):
        Pipeline().apply(flat(0.5, 8), scale=0)
    with pytest.raises(ValueError, match=r"shape \(H, W, C\)"):
        Pipeline().apply(np.zeros((8, 8), dtype=np.float32))


@given(st.integers(0, 2**32))
def test_sampled_levels_lie_between_the_ends_and_keep_their_kind(seed: int) -> None:
    sampled = parse_random_pipeline("blur:0.5..4+noise:10+jpeg:30..95").sample(np.random.default_rng(seed))
    blur, noise, jpeg = sampled.steps
    assert 0.5 <= blur.level <= 4 and noise.level == 10 and 30 <= jpeg.level <= 95 and isinstance(jpeg.level, int)
    assert parse_degradation(sampled.text) == sampled


def test_steps_that_drive_pixels_beyond_all_bounds_are_refused(photo: np.ndarray) -> None:
    for text in ("+".join(["contrast:10"] * 60), "+".join([*["contrast:10"] * 20, "poisson:100000"])):
        with pytest.raises(InputError, match="beyond all bounds"):
            degrade(text, photo[:16, :16])
    assert np.isfinite(degrade("contrast:10+contrast:10+poisson:100000", photo[:16, :16])).all()


def test_the_ends_of_a_range_are_whole_numbers_as_written() -> None:
    pipeline = parse_random_pipeline("blur:.1..5")
    assert (pipeline.low.text, pipeline.high.text) == ("blur:0.1", "blur:5")
    assert parse_random_pipeline("brightness:-8..+8").high.text == "brightness:8"
    for text in ("noise:1..2e1", "noise:1e0..2", "noise:0..1..2", "noise:1_0..2"):
        with pytest.raises(InputError, match="not a number"):
            parse_random_pipeline(text)


def test_sampled_levels_are_spread_evenly() -> None:
    random = np.random.default_rng(0)
    levels = [parse_random_pipeline("noise:0..20").sample(random).steps[0].level for _ in range(2000)]
    assert np.allclose(np.quantile(levels, [0.01, 0.25, 0.5, 0.75, 0.99]), [0.2, 5, 10, 15, 19.8], atol=1)
    assert parse_random_pipeline("clean").sample(random).text == "clean"
