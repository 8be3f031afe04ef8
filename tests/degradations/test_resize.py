from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ddrscope.degradations.resize import resize, shrink
from ddrscope.errors import InputError


def cubic(t: float) -> float:
    """Keys' kernel in Horner form, one number at a time."""
    t = abs(t)
    if t < 1:
        return (1.5 * t - 2.5) * t * t + 1
    if t < 2:
        return ((-0.5 * t + 2.5) * t - 4) * t + 2
    return 0.0


def mirrored(index: int, n: int) -> int:
    """... c b a | a b c ... n | n ... by walking back and forth."""
    while not 0 <= index < n:
        index = -1 - index if index < 0 else 2 * n - 1 - index
    return index


def imresize_reference(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The definition, pixel by pixel in float64: a two-dimensional weighted sum over a generous window."""

    def taps(position: int, n_in: int, n_out: int) -> list[tuple[int, float]]:
        ratio = n_in / n_out
        spread = max(ratio, 1.0)
        center = ratio * position + (ratio - 1) / 2
        reach = int(2 * spread) + 2
        pairs = [(i, cubic((i - center) / spread)) for i in range(int(center) - reach, int(center) + reach + 1)]
        total = sum(weight for _, weight in pairs)
        return [(mirrored(i, n_in), weight / total) for i, weight in pairs if weight]

    rows, columns, channels = pixels.shape
    result = np.zeros((height, width, channels))
    for y in range(height):
        for x in range(width):
            for i, weight_i in taps(y, rows, height):
                for j, weight_j in taps(x, columns, width):
                    result[y, x] += weight_i * weight_j * pixels[i, j]
    return result


@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((16, 12), (4, 3)),
        ((9, 12), (3, 4)),
        ((5, 7), (11, 20)),
        ((6, 6), (24, 24)),
        ((13, 11), (5, 7)),
        ((8, 10), (8, 5)),
        ((3, 4), (12, 2)),
        ((2, 3), (1, 1)),
        ((1, 9), (1, 3)),
        ((7, 5), (7, 5)),
    ],
)
def test_resize_is_the_direct_sum_borders_included(size: tuple[int, int], target: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).random((*size, 2), dtype=np.float32)
    result = resize(pixels, target)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, imresize_reference(pixels, *target), atol=2e-6)


def test_a_shrunk_step_rings_as_computed_by_hand() -> None:
    # At half size the support is 8 pixels wide: each result sums the kernel over the white half.
    step = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.float32)[None, :, None]
    kernel = np.array([cubic(t / 2) for t in (-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5)]) / 2
    assert kernel.sum() == pytest.approx(1)
    expected = [kernel[7:].sum(), kernel[5:].sum(), kernel[3:].sum(), kernel[1:].sum()]
    np.testing.assert_allclose(resize(step, (1, 4))[0, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("target", [(12, 16), (96, 128), (31, 45)])
def test_every_kernel_agrees_with_pillow_away_from_the_border(name: str, target: tuple[int, int]) -> None:
    pixels = np.random.default_rng(2).random((48, 64, 1), dtype=np.float32)
    image = Image.fromarray(pixels[..., 0])
    reference = np.asarray(image.resize(target[::-1], Image.Resampling[name.upper()]))
    result = resize(pixels, target, name)[..., 0]  # type: ignore[arg-type]
    edge = tuple(slice(-(-3 * n // 12), n - -(-3 * n // 12)) for n in target)
    np.testing.assert_allclose(result[edge], reference[edge], atol=2e-5)


def test_nearest_takes_one_pixel_each() -> None:
    pixels = np.random.default_rng(3).random((12, 12, 3), dtype=np.float32)
    np.testing.assert_array_equal(resize(pixels, (4, 4), "nearest"), pixels[1::3, 1::3])
    np.testing.assert_array_equal(resize(pixels, (24, 24), "nearest"), pixels.repeat(2, axis=0).repeat(2, axis=1))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30), st.integers(1, 30), st.floats(0, 1, width=32))
def test_a_flat_image_stays_flat(rows: int, columns: int, height: int, width: int, value: float) -> None:
    result = resize(np.full((rows, columns, 1), value, dtype=np.float32), (height, width))
    np.testing.assert_allclose(result, value, atol=1e-6)


def test_resize_commutes_with_mirroring_and_transposing() -> None:
    pixels = np.random.default_rng(4).random((13, 9, 3), dtype=np.float32)
    np.testing.assert_allclose(resize(pixels[::-1], (5, 4))[::-1], resize(pixels, (5, 4)), atol=1e-6)
    np.testing.assert_allclose(
        resize(pixels.transpose(1, 0, 2), (4, 5)).transpose(1, 0, 2), resize(pixels, (5, 4)), atol=1e-6
    )


def test_shrink_clips_and_cuts_to_a_multiple() -> None:
    pixels = (np.random.default_rng(5).random((17, 22, 3)) > 0.5).astype(np.float32)
    result = shrink(pixels, 4)
    assert result.shape == (4, 5, 3)
    reference = imresize_reference(pixels[:16, :20], 4, 5)
    np.testing.assert_allclose(result, reference.clip(0, 1), atol=2e-6)
    step = np.zeros((8, 16, 1), dtype=np.float32)
    step[:, 8:] = 1
    assert resize(step, (2, 4)).min() < 0 and shrink(step, 4).min() == 0 and shrink(step, 4).max() == 1


def test_shrink_refuses_a_image_smaller_than_the_scale() -> None:
    with pytest.raises(InputError, match="3 x 40 pixels cannot be shrunk by 4"):
        shrink(np.zeros((40, 3, 3), dtype=np.float32), 4)


def test_resize_refuses_an_empty_target() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        resize(np.zeros((4, 4, 1), dtype=np.float32), (0, 4))
