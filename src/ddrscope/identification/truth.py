"""What is physically true of a tile after a history of degradations, in units that engineers use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import Degradation, resize
from ddrscope.identification.chains import Chain
from ddrscope.identification.scales import UNDAMAGED
from ddrscope.results.vocabulary import ESTIMATES, INTERPOLATIONS, QUESTIONS

UNBLURRED_BY = ("aniso_blur", "blur", "lens_blur", "motion_blur")
NOISE = ("noise", "camera_noise", "color_noise", "speckle", "poisson", "impulse")
# After these nobody can say how sharp the image was: they blur, sharpen or displace in other ways.
HIDE_BLUR = ("ringing", "sharpen", "jitter", "pixelate", "patches", "color_block")
# The softness of a camera's mosaic hides a blur below so many pixels.
HIDDEN_BY_MOSAIC = 1.0
HIDE_SCALE = ("ringing", "jitter", "pixelate")
HIDE_NOISE = ("ringing", "sharpen", "jitter", "pixelate", "resample", "color_block", "quantize", *UNBLURRED_BY)
HIDE_JPEG = (
    "resample",
    "noise",
    "camera_noise",
    "speckle",
    "jpeg2000",
    "webp",
    "avif",
    "jpeg_xl",
    "video",
    "jitter",
    *UNBLURRED_BY,
)
TONE = ("brightness", "brighten", "darken", "contrast_curve", "tonal_range", "haze")


@dataclass
class Truth:
    """What is true of a tile; updated with each step of its history.

    Attributes:
        values: Each of `ESTIMATES`.
        blur_variance: The second moment of the point spread, the mean of both axes, in square pixels.
        motion_angle: Of the motion, in degrees; NaN if there is none.
        answers: Each of `QUESTIONS` as 0 or 1.
        interpolation: The index in `INTERPOLATIONS` of the enlargement; -1 if there is none.
    """

    values: dict[str, float]
    answers: dict[str, float]
    blur_variance: float = 0.0
    motion_angle: float = np.nan
    interpolation: int = -1

    def row(self) -> NDArray[np.float32]:
        """All values as numbers: estimates, cosine and sine of twice the angle, answers, interpolation."""
        angle = np.deg2rad(2 * self.motion_angle)
        numbers = [*(self.values[name] for name in ESTIMATES), np.cos(angle), np.sin(angle)]
        return np.array([*numbers, *(self.answers[name] for name in QUESTIONS), self.interpolation], dtype=np.float32)


def undamaged() -> Truth:
    """The truth of a clean tile."""
    return Truth({name: UNDAMAGED.get(name, np.nan) for name in ESTIMATES}, dict.fromkeys(QUESTIONS, np.nan))


def apply_chain(
    chain: Chain, pixels: NDArray[np.float32], random: np.random.Generator
) -> tuple[NDArray[np.uint8], Truth]:
    """Degrade a tile step by step and note what is true of it.

    Args:
        chain: The history.
        pixels: float32 (H, W, 3) in 0..1, larger than the result by the chain's factor.
        random: Of all steps.
    """
    truth = undamaged()
    for step in chain.before.steps:
        pixels = _apply(step, pixels, truth, random)
    if chain.shrink > 1:
        pixels = _shrunk(pixels, chain.shrink, truth)
    for step in chain.after.steps:
        pixels = _apply(step, pixels, truth, random)
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8), truth


def _shrunk(pixels: NDArray[np.float32], factor: float, truth: Truth) -> NDArray[np.float32]:
    height, width = (round(side / factor) for side in pixels.shape[:2])
    truth.blur_variance /= factor**2
    truth.values["blur_sigma"] = float(np.sqrt(truth.blur_variance))
    for name in ("jpeg_quality", "noise_sigma", "first_jpeg_quality"):
        if truth.values[name] != UNDAMAGED.get(name):
            truth.values[name] = np.nan
    truth.values["motion_length"] /= factor
    truth.answers = dict.fromkeys(truth.answers, np.nan)
    return np.clip(resize(pixels, (height, width)), 0, 1).astype(np.float32)


def _apply(
    step: Degradation, pixels: NDArray[np.float32], truth: Truth, random: np.random.Generator
) -> NDArray[np.float32]:
    family, values = step.family, truth.values
    if family == "motion_blur":
        # The angle is drawn here, where it can be noted.
        step = type(step)(step.level, float(random.uniform(0, 180)))  # type: ignore[call-arg]
        values["motion_length"], truth.motion_angle = step.level, step.angle  # type: ignore[attr-defined]
    result = step.apply(pixels, random)
    if family in UNBLURRED_BY:
        truth.blur_variance += blur_variance(step)
        values["blur_sigma"] = float(np.sqrt(truth.blur_variance))
    if family in NOISE:
        added = 255 * float(np.sqrt(np.mean((result.clip(0, 1) - pixels.clip(0, 1)) ** 2)))
        values["noise_sigma"] = float(np.hypot(values["noise_sigma"], added))
    if family == "resample":
        values["native_scale"] *= step.level
        truth.interpolation = INTERPOLATIONS.index(step.interpolation)  # type: ignore[attr-defined]
        values["blur_sigma"] = np.nan if values["blur_sigma"] else 0.0
    if family == "jpeg":
        earlier = values["jpeg_quality"]
        truth.answers["recompressed"] = np.nan if np.isnan(earlier) else float(earlier < 100)
        values["first_jpeg_quality"] = earlier if earlier < 100 else np.nan
        values["jpeg_quality"] = step.level
        truth.answers["chroma_subsampled"] = float(step.subsampling != "444")  # type: ignore[attr-defined]
    if family == "exposure":
        values["exposure"] += step.level
    _forget(family, truth)
    return result.clip(0, 1)


def _forget(family: str, truth: Truth) -> None:
    """Give up what a step hides."""
    values = truth.values
    if family in HIDE_BLUR:
        values["blur_sigma"] = values["motion_length"] = np.nan
    if family == "demosaic" and 0 < values["blur_sigma"] < HIDDEN_BY_MOSAIC:
        values["blur_sigma"] = np.nan
    if family in HIDE_SCALE or (family == "aniso_blur" and values["native_scale"] > 1):
        values["native_scale"] = np.nan
    if family in HIDE_NOISE and values["noise_sigma"] != 0:
        values["noise_sigma"] = np.nan
    if family in HIDE_JPEG and values["jpeg_quality"] != UNDAMAGED["jpeg_quality"]:
        values["jpeg_quality"] = values["first_jpeg_quality"] = np.nan
        truth.answers = dict.fromkeys(truth.answers, np.nan)
    if family in TONE:
        values["exposure"] = np.nan


def blur_variance(step: Degradation) -> float:
    """The second moment of a blur's point spread, the mean of both axes, in square pixels."""
    if step.family == "lens_blur":
        return step.level**2 / 4
    if step.family == "motion_blur":
        return (step.level - 1) ** 2 / 24
    if step.family == "aniso_blur":
        return (step.level**2 + step.across**2) / 2  # type: ignore[attr-defined]
    return step.level**2
