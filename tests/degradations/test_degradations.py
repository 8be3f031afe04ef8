from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated

import numpy as np
import pytest
import skimage.color
from PIL import Image, ImageEnhance
from scipy.ndimage import convolve
from scipy.stats import kstest, poisson

from ddrscope.degradations import (
    Degradation,
    Range,
    list_degradations,
    parse_degradation,
    register,
    resize,
)
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from degradation_cases import COLOR_ONLY, LADDERS, PHOTOS, as_float, degrade, flat


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return [as_float(np.asarray(Image.open(path)))[:128, :128] for path in sorted(PHOTOS.glob("*__1.png"))]


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return as_float(np.asarray(Image.open(PHOTOS / "astronaut__1.png")))


@pytest.mark.parametrize("sigma", [0.5, 2.0, 7.0])
def test_blur_is_a_convolution_with_a_gaussian(photo: np.ndarray, sigma: float) -> None:
    pixels = photo[:40, :33]
    radius = int(6 * sigma) + 1
    offsets = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    kernel = np.exp(-(offsets**2).sum(axis=0) / (2 * sigma**2))
    expected = convolve(pixels.astype(float), kernel[..., None] / kernel.sum(), mode="reflect")
    np.testing.assert_allclose(degrade(f"blur:{sigma}", pixels), expected, atol=2e-4)


def test_blur_of_zero_changes_nothing(photo: np.ndarray) -> None:
    np.testing.assert_array_equal(degrade("blur:0", photo), photo)


@pytest.mark.parametrize(("along", "across", "angle"), [(3, 1, 0), (3, 1, 90), (4, 0.7, 30), (1, 2.5, -60)])
def test_anisotropic_blur_has_the_covariance_it_says(along: float, across: float, angle: float) -> None:
    point = np.zeros((61, 61, 1), dtype=np.float32)
    point[30, 30] = 1
    spread = degrade(f"aniso_blur:{along},{across},{angle}", point)[..., 0].astype(float)
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    rows, columns = np.mgrid[30:-31:-1, -30:31]  # y upwards, x to the right
    turn = np.exp(1j * np.deg2rad(angle))
    rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    expected = rotation @ np.diag([along**2, across**2]) @ rotation.T
    measured = [[(spread * a * b).sum() for b in (columns, rows)] for a in (columns, rows)]
    np.testing.assert_allclose(measured, expected, atol=0.02 * max(along, across) ** 2)


def test_anisotropic_blur_of_equal_sigmas_is_blur_borders_included(photo: np.ndarray) -> None:
    pixels = photo[:20, :31]
    np.testing.assert_allclose(degrade("aniso_blur:3,3,20", pixels), degrade("blur:3", pixels), atol=5e-4)


def test_gaussian_noise_has_the_sigma_it_says() -> None:
    noise = (degrade("noise:20", flat(0.5)) - 0.5).astype(float) * 255
    assert noise.std() == pytest.approx(20, rel=0.02)
    assert kstest(noise[::4, ::4].ravel(), "norm", args=(0, 20)).pvalue > 1e-3
    channels = np.corrcoef(noise.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.02


def test_noise_is_clipped_only_after_the_last_step() -> None:
    # Noise about white is symmetric until it is clipped, so darkening first shows the half that lies above white.
    pixels = degrade("noise:10+brightness:-80", flat(1.0)) * 255
    assert pixels.mean() == pytest.approx(175, abs=0.2)
    assert pixels.std() == pytest.approx(10, rel=0.02)


def test_poisson_noise_counts_photons() -> None:
    photons = np.rint(degrade("poisson:40", flat(0.25)).astype(float) * 40)
    for count in (5, 10, 15):
        assert (photons == count).mean() == pytest.approx(poisson(10).pmf(count), abs=0.004)


def test_impulse_noise_hits_the_percentage_it_says() -> None:
    result = degrade("impulse:10", flat(0.4))
    salt, pepper = (result == 1).all(axis=2).mean(), (result == 0).all(axis=2).mean()
    assert salt == pytest.approx(0.05, abs=0.004) and pepper == pytest.approx(0.05, abs=0.004)
    assert (result == np.float32(0.4)).mean() == pytest.approx(1 - salt - pepper)


@pytest.mark.parametrize("value", [0.0, 0.2, 0.5])
def test_speckle_is_proportional_to_the_value(value: float) -> None:
    result = degrade("speckle:40", flat(value)).astype(float) * 255
    assert result.std() == pytest.approx(40 * value, rel=0.02)
    assert result.mean() == pytest.approx(255 * value, rel=0.01)


@pytest.mark.parametrize(
    ("text", "save"),
    [
        ("jpeg:30", lambda image, file: image.save(file, "JPEG", quality=30)),
        ("webp:30", lambda image, file: image.save(file, "WEBP", quality=30)),
        (
            "jpeg2000:40",
            lambda image, file: image.save(file, "JPEG2000", quality_layers=[40], irreversible=True),
        ),
    ],
)
def test_compression_is_a_round_trip_through_the_file_format(
    photo: np.ndarray, text: str, save: Callable[[Image.Image, BytesIO], None]
) -> None:
    file = BytesIO()
    save(Image.fromarray(np.rint(photo * 255).astype(np.uint8)), file)
    np.testing.assert_array_equal(degrade(text, photo), as_float(np.asarray(Image.open(file))))


@pytest.mark.parametrize("text", ["jpeg:20", "jpeg2000:30", "webp:20"])
def test_coding_does_not_ask_pillows_limit_of_size(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert degrade(text, np.zeros((32, 32, 3), dtype=np.float32)).shape == (32, 32, 3)


@pytest.mark.parametrize("text", ["jpeg:20", "jpeg2000:30", "webp:20"])
def test_compression_of_other_channel_counts_is_per_channel(photo: np.ndarray, text: str) -> None:
    two = photo[:64, :64, :2]
    grey = [degrade(text, two[..., c : c + 1]) for c in range(2)]
    np.testing.assert_array_equal(degrade(text, two), np.concatenate(grey, axis=2))


def test_a_image_too_large_for_the_format_is_refused() -> None:
    with pytest.raises(InputError, match="WEBP holds at most 16383 pixels per side"):
        degrade("webp:50", np.zeros((1, 16_384, 3), dtype=np.float32))


def test_resampling_shrinks_and_enlarges(photo: np.ndarray) -> None:
    expected = resize(resize(photo[:90, :70], (36, 28)), (90, 70)).clip(0, 1)
    np.testing.assert_array_equal(degrade("resample:2.5", photo[:90, :70]), expected)
    blocks = degrade("resample:2,box", photo[:8, :8]).reshape(4, 2, 4, 2, 3)
    means = photo[:8, :8].reshape(4, 2, 4, 2, 3).mean(axis=(1, 3), keepdims=True)
    np.testing.assert_allclose(blocks, np.broadcast_to(means, blocks.shape), atol=1e-6)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.7])
def test_contrast_and_saturation_agree_with_pillow(photo: np.ndarray, factor: float) -> None:
    image = Image.fromarray(np.rint(photo * 255).astype(np.uint8))
    for family, enhancer in (("contrast", ImageEnhance.Contrast), ("saturation", ImageEnhance.Color)):
        expected = as_float(np.asarray(enhancer(image).enhance(factor)))
        # Pillow rounds the grey and truncates the result: 2 levels, more where the factor multiplies them.
        np.testing.assert_allclose(degrade(f"{family}:{factor}", photo), expected, atol=2.5 / 255)


def test_brightness_is_an_offset(photo: np.ndarray) -> None:
    np.testing.assert_allclose(degrade("brightness:-51", photo), (photo - 0.2).clip(0, 1), atol=1e-6)


@pytest.mark.parametrize("family", COLOR_ONLY)
def test_colour_degradations_need_rgb(family: str) -> None:
    with pytest.raises(InputError, match=f"'{LADDERS[family][1]}' needs an RGB image, not 1 channel"):
        degrade(LADDERS[family][1], flat(0.5)[..., :1])


def point(size: int = 41) -> np.ndarray:
    pixels = np.zeros((size, size, 3), np.float32)
    pixels[size // 2, size // 2] = 1
    return pixels


@pytest.mark.parametrize("radius", [1, 2.5, 8])
def test_lens_blur_is_a_disc(radius: float) -> None:
    spread = degrade(f"lens_blur:{radius}", point())[..., 0].astype(float)
    y, x = np.mgrid[-20:21, -20:21]
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    # A disc has the second moment r^2 / 4 along each axis; a pixel adds 1/12.
    assert (spread * x**2).sum() == pytest.approx(radius**2 / 4 + 1 / 12, abs=0.07)
    assert spread[np.hypot(x, y) > radius + 0.75].max() < 1e-6
    inside = spread[np.hypot(x, y) < radius - 0.75]
    assert inside.size == 0 or np.ptp(inside) < 1e-5


@pytest.mark.parametrize(("length", "angle"), [(1, 0), (5, 0), (9, 90), (12, 30), (12, 150)])
def test_motion_blur_is_a_line(length: int, angle: float) -> None:
    spread = degrade(f"motion_blur:{length},{angle}", point())[..., 0].astype(float)
    y, x = np.mgrid[20:-21:-1, -20:21]
    along = x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))
    across = y * np.cos(np.deg2rad(angle)) - x * np.sin(np.deg2rad(angle))
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert (spread * along**2).sum() == pytest.approx((length - 1) ** 2 / 12, abs=0.3)
    assert (spread * across**2).sum() < 0.3


def test_motion_in_a_random_direction(photo: np.ndarray) -> None:
    assert not np.allclose(degrade("motion_blur:9", photo, seed=0), degrade("motion_blur:9", photo, seed=1))


@pytest.mark.parametrize("factor", [-0.5, 0, 0.4, 1.7])
def test_hsv_saturation_agrees_with_scikit_image(photo: np.ndarray, factor: float) -> None:
    hsv = skimage.color.rgb2hsv(photo)
    if factor >= 0:
        hsv[..., 1] = np.minimum(hsv[..., 1] * factor, 1)
        expected = skimage.color.hsv2rgb(hsv)
    else:
        value = hsv[..., 2:]
        expected = value * (1 - factor) + factor * photo
    assert np.allclose(degrade(f"hsv_saturation:{factor}", photo), expected.clip(0, 1), atol=1e-4)


def test_chroma_and_color_diffusion_in_cielab(photo: np.ndarray) -> None:
    paler = skimage.color.rgb2lab(degrade("chroma:0.5", photo))
    before = skimage.color.rgb2lab(photo)
    assert np.allclose(paler[..., 0], before[..., 0], atol=0.1) and np.allclose(
        paler[..., 1:], before[..., 1:] / 2, atol=0.2
    )
    # Colours that are the same everywhere only get stronger.
    tinted = np.tile(np.float32([0.5, 0.45, 0.4]), (64, 64, 1))
    stronger = skimage.color.rgb2lab(degrade("color_diffusion:2", tinted))
    assert np.allclose(stronger[..., 1:], 2 * skimage.color.rgb2lab(tinted)[..., 1:], atol=0.2)
    diffused = skimage.color.rgb2lab(degrade("color_diffusion:1", photo))
    assert diffused[..., 1].std() < 0.95 * before[..., 1].std()


def test_color_shift_moves_green_only_and_only_at_edges(photo: np.ndarray) -> None:
    shifted = degrade("color_shift:6", photo)
    assert np.array_equal(shifted[..., [0, 2]], photo[..., [0, 2]]) and not np.array_equal(
        shifted[..., 1], photo[..., 1]
    )
    step = np.zeros((128, 128, 3), np.float32)
    step[:, 64:] = 1
    moved = np.abs(degrade("color_shift:6", step) - step)[..., 1].max(axis=0)
    assert moved[:40].max() < 1e-3 and moved[90:].max() < 1e-3


def test_color_noise_has_the_covariance_of_ycbcr() -> None:
    noise = (degrade("color_noise:10", flat(0.5)) - 0.5).reshape(-1, 3) * 255
    rgb_from_ycbcr = np.linalg.inv([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    assert np.allclose(np.cov(noise.T), 100 * rgb_from_ycbcr @ rgb_from_ycbcr.T, rtol=0.03, atol=3)


def test_sharpening_adds_detail_of_lightness(photo: np.ndarray) -> None:
    grey = np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2) * 0.4 + 0.3
    light = skimage.color.rgb2lab(grey)[..., 0]
    x = np.arange(-6, 7)
    weights = np.exp(-(x**2) / 72)
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    expected = light + 0.5 * (light - convolve(light, kernel, mode="reflect"))
    assert np.allclose(skimage.color.rgb2lab(degrade("sharpen:0.5", grey))[..., 0], expected, atol=0.05)


@pytest.mark.parametrize("level", [0.1, 0.4, 0.8])
def test_brighten_and_darken_are_parabolas(photo: np.ndarray, level: float) -> None:
    # Through (0, 0), (1/2, 1/2 + L/2), (1, 1): x + 2 L x (1 - x).
    bend = 2 * level * photo * (1 - photo)
    assert np.allclose(degrade(f"brighten:{level}", photo), (photo + bend).clip(0, 1), atol=1e-5)
    assert np.allclose(degrade(f"darken:{level}", photo), (photo - bend).clip(0, 1), atol=1e-5)


def test_contrast_curve_goes_through_its_points_and_tonal_range_is_a_line() -> None:
    for level in (-0.6, 0.3):
        tones = np.float32([0, 0.3, 0.5, 0.7, 1])[None, :, None]
        assert np.allclose(
            degrade(f"contrast_curve:{level}", tones).ravel(),
            [0, 0.25 - level / 4, 0.5, 0.75 + level / 4, 1],
            atol=1e-6,
        )
    assert np.allclose(degrade("tonal_range:0.2", np.float32([0, 0.5, 1])[None, :, None]).ravel(), [0.4, 0.5, 0.6])


def test_jitter_displaces_by_the_sigma_it_says() -> None:
    ramp = np.tile(np.linspace(0, 1, 513, dtype=np.float32)[None, :, None], (200, 1, 1))
    moved = (degrade("jitter:2", ramp) - ramp)[:, 20:-20] * 512
    assert moved.std() == pytest.approx(2, rel=0.02) and abs(moved.mean()) < 0.05


def test_patches_come_from_nearby() -> None:
    height, width = np.mgrid[:96, :96] / np.float32(96)
    places = np.stack([height, width, 0 * width], axis=-1).astype(np.float32)
    moved = np.abs(degrade("patches:30", places) - places) * 96
    assert 0 < moved.max() <= 8.001
    changed = (moved.max(axis=2) > 0.01).mean()
    assert 0.1 < changed < 0.3


def test_pixelation_leaves_squares_of_one_colour(photo: np.ndarray) -> None:
    squares = degrade("pixelate:4", photo).reshape(64, 4, 64, 4, 3)
    assert np.ptp(squares, axis=(1, 3)).max() == 0
    assert np.isin(squares[:, 0, :, 0].reshape(-1, 3), photo.reshape(-1, 3)).all()


@pytest.mark.parametrize("values", [2, 7, 64])
def test_quantization_keeps_so_many_values(values: int) -> None:
    ramp = np.linspace(0, 1, 4001, dtype=np.float32)[None, :, None]
    quantized = degrade(f"quantize:{values}", ramp)
    assert len(np.unique(quantized)) == values and np.abs(quantized - ramp).max() <= 0.5 / (values - 1) + 1e-6


def test_color_blocks_cover_the_area_they_say() -> None:
    covered = [(degrade("color_block:2", flat(0.5, 512), seed=seed) != 0.5).any(axis=2).mean() for seed in range(4)]
    assert np.mean(covered) == pytest.approx(0.02, abs=0.002)


@pytest.mark.parametrize("level", [0, 1, 4, 12, 40])
def test_interlacing_displaces_every_second_row_and_repeats_the_edge(photo: np.ndarray, level: int) -> None:
    pixels = photo[:9, :12]
    result = degrade(f"interlace:{level}", pixels)
    np.testing.assert_array_equal(result[0::2], pixels[0::2])
    padded = np.pad(pixels, ((0, 0), (level, 0), (0, 0)), mode="edge")
    np.testing.assert_array_equal(result[1::2], padded[1::2, :12])


@pytest.mark.parametrize(("level", "stops"), [(-2, 0.25), (1, 2), (8, 256)])
def test_exposure_multiplies_linear_light(level: float, stops: float) -> None:
    ramp = np.linspace(0, 1, 101, dtype=np.float32).reshape(1, -1, 1).repeat(3, axis=2)
    expected = np.minimum(ramp.astype(float) ** 2.2 * stops, 1)
    np.testing.assert_allclose(degrade(f"exposure:{level}", ramp).astype(float) ** 2.2, expected, atol=1e-5)


def test_haze_mixes_in_light() -> None:
    np.testing.assert_allclose(degrade("haze:40", flat(0.1)), 0.6 * 0.1 + 0.4 * 0.85, rtol=1e-6)


@pytest.mark.parametrize(("hue", "direction"), [(0, (1, 0)), (90, (0, 1)), (180, (-1, 0)), (270, (0, -1))])
def test_a_colour_cast_displaces_colours_towards_its_hue(hue: int, direction: tuple[int, int]) -> None:
    lab = skimage.color.rgb2lab(degrade(f"color_cast:12,{hue}", flat(0.5)))
    np.testing.assert_allclose(lab[0, 0, 1:], 12 * np.array(direction), atol=0.1)
    np.testing.assert_allclose(lab[0, 0, 0], skimage.color.rgb2lab(flat(0.5))[0, 0, 0], atol=0.1)


@pytest.mark.parametrize("level", [1.5, 3])
def test_ringing_removes_what_is_above_its_cutoff_and_keeps_what_is_below(level: float) -> None:
    x = np.arange(256)
    for frequency, gain in ((0.5 * 0.6 / level, 1), (min(0.5 * 1.5 / level, 0.5), 0)):
        wave = 0.5 + 0.3 * np.cos(2 * np.pi * frequency * x)[None, :, None].repeat(256, 0).repeat(3, 2)
        kept = degrade(f"ringing:{level}", wave.astype(np.float32))[64:192, 64:192].std() / wave[64:192, 64:192].std()
        assert kept == pytest.approx(gain, abs=0.2)


def test_demosaicing_keeps_what_the_mosaic_has_and_takes_means_of_neighbours_elsewhere(photo: np.ndarray) -> None:
    result = degrade("demosaic:100", photo)
    np.testing.assert_allclose(result[::2, ::2, 0], photo[::2, ::2, 0], atol=1e-6)
    np.testing.assert_allclose(result[1::2, ::2, 1], photo[1::2, ::2, 1], atol=1e-6)
    np.testing.assert_allclose(result[1::2, 1::2, 2], photo[1::2, 1::2, 2], atol=1e-6)
    around = [photo[1, 2, 1], photo[3, 2, 1], photo[2, 1, 1], photo[2, 3, 1]]
    assert result[2, 2, 1] == pytest.approx(np.mean(around), abs=1e-6)
    assert result[2, 2, 2] == pytest.approx(photo[1:4:2, 1:4:2, 2].mean(), abs=1e-6)
    assert result[0, 0, 1] == pytest.approx((photo[0, 1, 1] + photo[1, 0, 1]) / 2, abs=1e-6)
    half = degrade("demosaic:50", photo)
    np.testing.assert_allclose(half, (photo + result) / 2, atol=1e-6)


def test_camera_noise_is_blotchy_in_colour_if_asked_for_and_as_strong() -> None:
    fine, blotchy = (degrade(f"camera_noise:8{end}", flat(0.5)) - np.float32(0.5) for end in ("", ",0,3"))
    luma = np.array([0.299, 0.587, 0.114], np.float32)

    def neighbours(plane: np.ndarray) -> float:
        return float(np.corrcoef(plane[:, 4:].ravel(), plane[:, :-4].ravel())[0, 1])

    red = [noise[..., 0] - noise @ luma for noise in (fine, blotchy)]
    assert neighbours(red[0]) < 0.1 and neighbours(red[1]) > 0.4
    assert red[1].std() == pytest.approx(red[0].std(), rel=0.25)
    assert neighbours(blotchy @ luma) < 0.2


def test_camera_noise_is_coarse_coloured_and_grows_with_light() -> None:
    noise = [degrade("camera_noise:10", flat(value)) - np.float32(value) for value in (0.1, 0.5, 0.8)]
    middle = noise[1]
    # Green has half of the mosaic's pixels; interpolation leaves neighbours alike.
    assert 255 * middle[..., 1].std() == pytest.approx(10, rel=0.4)
    assert np.corrcoef(middle[:, :-1, 1].ravel(), middle[:, 1:, 1].ravel())[0, 1] > 0.2
    assert middle[..., 0].std() > 1.1 * middle[..., 1].std()
    assert abs(np.corrcoef(middle[..., 0].ravel(), middle[..., 2].ravel())[0, 1]) < 0.1
    # The tone curve makes shadows noisier although light brings more noise.
    assert noise[0].std() > noise[1].std() > noise[2].std()


@pytest.mark.parametrize("text", ["jpeg:50,444", "jpeg:50,422", "jpeg:50"])
def test_jpeg_is_that_of_pillow_with_its_subsampling(text: str, photo: np.ndarray) -> None:
    levels, file = np.rint(photo * 255).astype(np.uint8), BytesIO()
    subsampling = ":".join(text.partition(",")[2] or "420")
    Image.fromarray(levels).save(file, "JPEG", quality=50, subsampling=subsampling)
    np.testing.assert_array_equal(np.rint(degrade(text, as_float(levels)) * 255), np.asarray(Image.open(file)))


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
@pytest.mark.parametrize("shape", [(33, 47), (128, 96)])
def test_video_keeps_the_size_and_repeats_itself(codec: str, shape: tuple[int, int], photo: np.ndarray) -> None:
    pixels = photo[: shape[0], : shape[1]]
    results = [degrade(f"video:30,{codec}", pixels) for _ in range(2)]
    np.testing.assert_array_equal(*results)
    assert results[0].shape == pixels.shape and 0 < np.abs(results[0] - pixels).mean() < 0.06


def test_every_family_has_levels_to_test() -> None:
    families = list_degradations()
    names = [family.family for family in families]
    assert names == sorted(names)
    assert set(LADDERS) == set(names), "tests/degradation_cases.py has the levels of each family"
    assert all(family.describe() for family in families)


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(LADDERS))
def test_the_distance_to_clean_rises_with_the_level(family: str, photos: list[np.ndarray]) -> None:
    pipelines = [parse_degradation(text) for text in LADDERS[family]]
    severities = [pipeline.steps[0].severity for pipeline in pipelines]
    distances = [np.mean([np.abs(p.apply(x) - x).mean() for x in photos]) for p in pipelines]
    assert len(photos) >= 12
    assert severities == sorted(severities)
    assert distances[0] > 0
    assert np.all(np.diff(distances) > 0), distances


@pytest.mark.parametrize("name", ["blur", "clean"])
def test_a_name_cannot_be_registered_twice(name: str) -> None:
    @dataclass(frozen=True)
    class Impostor(Degradation):
        """Takes a name that is taken."""

        family = name
        stage = "after"
        level: Annotated[float, Range(0, 1, "none")]

        def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return pixels

    before = list_degradations()
    with pytest.raises(ValueError, match=f"'{name}' is already registered"):
        register(Impostor)
    assert list_degradations() == before


def test_a_level_without_a_range_is_named() -> None:
    @dataclass(frozen=True)
    class Unbounded(Degradation):
        """Has a level without a range."""

        family = "unbounded"
        stage = "after"
        level: float

        def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return pixels

    with pytest.raises(TypeError, match="`level` of Unbounded has no range"):
        Unbounded(1)


@pytest.mark.parametrize("family", [family for family in list_degradations() if family.neutral_level is not None])
def test_the_neutral_level_changes_nothing(family: type[Degradation]) -> None:
    with Image.open(bundled_photos() / "coffee__1.png") as photo:
        pixels = np.asarray(photo.crop((0, 0, 64, 64)), np.float32) / 255
    harmless = parse_degradation(f"{family.family}:{family.neutral_level}").apply(pixels)
    # File formats at their best still round colours.
    assert np.abs(harmless - pixels).mean() <= (
        0.02 if family.family in ("jpeg", "jpeg2000", "webp", "avif", "jpeg_xl") else 1e-6
    )
