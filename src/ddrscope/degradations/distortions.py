"""The suite of 24 distortions in 7 groups that identification knows, five levels each, defined on the image itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddrscope.degradations.pipeline import Pipeline, parse_degradation
from ddrscope.errors import InputError
from ddrscope.io.files import read_toml
from ddrscope.io.paths import expand_path

LEVELS = 5


@dataclass(frozen=True)
class Distortion:
    """One type of distortion: its group, and for each level from 1 to 5 the degradations that count as that level.

    Most levels have one; where degradation has two directions (darker and brighter, flatter and harsher) they have one of each.
    """

    name: str
    group: str
    levels: tuple[tuple[str, ...], ...]

    def pipelines(self, level: int) -> list[Pipeline]:
        """The degradations of a level, 1 to 5, one for each direction."""
        return [parse_degradation(text) for text in self.levels[level - 1]]


def _ladder(family: str, *levels: float) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{family}:{level:g}",) for level in levels)


def _both(family: str, ups: tuple[float, ...], downs: tuple[float, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{family}:{up:g}", f"{family}:{down:g}") for up, down in zip(ups, downs, strict=True))


# Groups and parameters follow the table of ARNIQA (Agnolucci et al. 2024), itself after KADID-10k (Lin et al. 2019). Variances of
# noise there are sigmas in 0..255 here, counts of patches and blocks are percent of the area (for blocks somewhat more, so that
# small images tell levels apart). Levels that leave an image as it is are replaced: blur 0.1, motion of 1 pixel, chroma 1,
# a mean shift and a contrast of 0. Mean shift and linear contrast go both ways.
DISTORTIONS = (
    Distortion("gaussian_blur", "blur", _ladder("blur", 0.5, 1, 1.5, 2.5, 5)),
    Distortion("lens_blur", "blur", _ladder("lens_blur", 1, 2, 4, 6, 8)),
    Distortion("motion_blur", "blur", _ladder("motion_blur", 2, 3, 5, 8, 12)),
    Distortion("color_diffusion", "color", _ladder("color_diffusion", 1, 3, 6, 8, 12)),
    Distortion("color_shift", "color", _ladder("color_shift", 1, 3, 6, 8, 12)),
    Distortion("hsv_saturation", "color", _ladder("hsv_saturation", 0.4, 0.2, 0.1, 0, -0.4)),
    Distortion("lab_saturation", "color", _ladder("chroma", 1.5, 2, 3, 6, 9)),
    Distortion("jpeg2000", "compression", _ladder("jpeg2000", 16, 32, 45, 120, 170)),
    Distortion("jpeg", "compression", _ladder("jpeg", 43, 36, 24, 7, 4)),
    Distortion("white_noise", "noise", _ladder("noise", 8, 11.4, 14, 18, 25.5)),
    Distortion("color_noise", "noise", _ladder("color_noise", 2.5, 5.7, 8, 11.4, 14)),
    Distortion("impulse_noise", "noise", _ladder("impulse", 0.1, 0.5, 1, 2, 3)),
    Distortion("multiplicative_noise", "noise", _ladder("speckle", 8, 18, 25.5, 36, 57)),
    Distortion("brighten", "brightness", _ladder("brighten", 0.1, 0.2, 0.4, 0.7, 1.1)),
    Distortion("darken", "brightness", _ladder("darken", 0.05, 0.1, 0.2, 0.4, 0.8)),
    Distortion("mean_shift", "brightness", _both("brightness", (8, 15, 23, 31, 38), (-8, -15, -23, -31, -38))),
    Distortion("jitter", "spatial", _ladder("jitter", 0.25, 0.5, 0.75, 1.25, 2)),
    Distortion("patches", "spatial", _ladder("patches", 2.6, 5.2, 7.8, 10.4, 13)),
    Distortion("pixelate", "spatial", _ladder("pixelate", 1.13, 1.28, 1.43, 1.76, 3.45)),
    Distortion("quantization", "spatial", _ladder("quantize", 20, 16, 13, 10, 7)),
    Distortion("color_block", "spatial", _ladder("color_block", 1.6, 3.2, 4.7, 6.3, 7.8)),
    Distortion("sharpen", "sharpness_contrast", _ladder("sharpen", 1, 2, 3, 6, 12)),
    Distortion(
        "linear_contrast",
        "sharpness_contrast",
        _both("contrast_curve", (-0.1, 0, 0.1, 0.2, 0.3), (-0.3, -0.4, -0.5, -0.6, -0.7)),
    ),
    Distortion("nonlinear_contrast", "sharpness_contrast", _ladder("tonal_range", 0.8, 0.6, 0.4, 0.2, 0.1)),
)
GROUPS = tuple(dict.fromkeys(distortion.group for distortion in DISTORTIONS))


def read_distortions(path: Path) -> tuple[Distortion, ...]:
    """The distortions of a TOML file: tables ``[[distortion]]`` with ``name``, ``group`` and five ``levels``, as in `DISTORTIONS`.

    A level is a degradation's text or a list of several that count alike. Raises `InputError` for anything else.
    """
    try:
        entries = read_toml(expand_path(path))["distortion"]
        found = tuple(
            Distortion(str(entry["name"]), str(entry["group"]), _levels(entry["levels"])) for entry in entries
        )
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no list of distortions ({type(error).__name__}: {error}): write tables [[distortion]] with name, group and levels"
        ) from None
    for distortion in found:
        if len(distortion.levels) != LEVELS:
            raise InputError(
                f"{path}: {distortion.name} has {len(distortion.levels)} levels: give {LEVELS}, slight to strong"
            )
        for level in range(1, LEVELS + 1):
            distortion.pipelines(level)
    return found


def _levels(entries: list[str | list[str]]) -> tuple[tuple[str, ...], ...]:
    levels = tuple((level,) if isinstance(level, str) else tuple(level) for level in entries)
    if not all(isinstance(text, str) for level in levels for text in level):
        raise TypeError("levels are texts")
    return levels
