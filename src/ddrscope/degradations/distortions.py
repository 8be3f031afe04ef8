"""The distortions that the identifier knows, in 7 groups, at five levels each, applied without shrinking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ddrscope.degradations.pipeline import Pipeline, parse_degradation
from ddrscope.errors import InputError
from ddrscope.io.files import read_toml
from ddrscope.io.paths import expand_path

LEVELS = 5


@dataclass(frozen=True)
class Distortion:
    """A type of distortion.

    Attributes:
        name: Name of the type.
        group: Name of its group.
        levels: For each level from 1 to 5, the texts of the degradations that count as that level: one, or two if the
            distortion has two directions, as darker and brighter.
    """

    name: str
    group: str
    levels: tuple[tuple[str, ...], ...]

    def at(self, level: float, random: np.random.Generator) -> str:
        """The text of a level between the five: 0 changes nothing, and above 5 the last step goes on.

        Args:
            level: From 0 on.
            random: Chooses the direction, if there are several.
        """
        index = int(random.integers(len(self.levels[0])))
        steps = [parse_degradation(texts[index]).steps[0] for texts in self.levels]
        neutral = steps[0].neutral_level
        # A family without a neutral level begins where it is half as strong as at level 1.
        first = steps[0].level - (steps[1].level - steps[0].level) / 2 if neutral is None else neutral
        knots = [first, *(step.level for step in steps)]
        lower = min(int(level), LEVELS - 1)
        value = knots[lower] + (level - lower) * (knots[lower + 1] - knots[lower])
        allowed = steps[0].level_range()
        value = min(max(value, allowed.low), allowed.high)
        whole = all(isinstance(step.level, int) for step in steps)
        return replace(steps[0], level=round(value) if whole else value).text

    def pipelines(self, level: int) -> list[Pipeline]:
        """The degradations of a level, 1 to 5, one for each direction."""
        return [parse_degradation(text) for text in self.levels[level - 1]]


def _levels_of(family: str, *levels: float) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{family}:{level:g}",) for level in levels)


def _in_both_directions(family: str, ups: tuple[float, ...], downs: tuple[float, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{family}:{up:g}", f"{family}:{down:g}") for up, down in zip(ups, downs, strict=True))


# Groups and parameters follow the table of ARNIQA (Agnolucci et al. 2024), which follows KADID-10k (Lin et al. 2019).
# Variances of noise are given as sigmas in 0..255, counts of patches and blocks as percent of the area (for blocks
# slightly more, so that levels differ on small images). Levels that change nothing are replaced: blur 0.1, motion of 1
# pixel, chroma 1, a mean shift and a contrast of 0. Mean shift and linear contrast have both directions.
DISTORTIONS = (
    Distortion("gaussian_blur", "blur", _levels_of("blur", 0.5, 1, 1.5, 2.5, 5)),
    Distortion("lens_blur", "blur", _levels_of("lens_blur", 1, 2, 4, 6, 8)),
    Distortion("motion_blur", "blur", _levels_of("motion_blur", 2, 3, 5, 8, 12)),
    Distortion("color_diffusion", "color", _levels_of("color_diffusion", 1, 3, 6, 8, 12)),
    Distortion("color_shift", "color", _levels_of("color_shift", 1, 3, 6, 8, 12)),
    Distortion("hsv_saturation", "color", _levels_of("hsv_saturation", 0.4, 0.2, 0.1, 0, -0.4)),
    Distortion("lab_saturation", "color", _levels_of("chroma", 1.5, 2, 3, 6, 9)),
    Distortion("jpeg2000", "compression", _levels_of("jpeg2000", 16, 32, 45, 120, 170)),
    Distortion("jpeg", "compression", _levels_of("jpeg", 43, 36, 24, 7, 4)),
    Distortion("white_noise", "noise", _levels_of("noise", 8, 11.4, 14, 18, 25.5)),
    Distortion("color_noise", "noise", _levels_of("color_noise", 2.5, 5.7, 8, 11.4, 14)),
    Distortion("impulse_noise", "noise", _levels_of("impulse", 0.1, 0.5, 1, 2, 3)),
    Distortion("multiplicative_noise", "noise", _levels_of("speckle", 8, 18, 25.5, 36, 57)),
    Distortion("brighten", "brightness", _levels_of("brighten", 0.1, 0.2, 0.4, 0.7, 1.1)),
    Distortion("darken", "brightness", _levels_of("darken", 0.05, 0.1, 0.2, 0.4, 0.8)),
    Distortion(
        "mean_shift", "brightness", _in_both_directions("brightness", (8, 15, 23, 31, 38), (-8, -15, -23, -31, -38))
    ),
    Distortion("jitter", "spatial", _levels_of("jitter", 0.25, 0.5, 0.75, 1.25, 2)),
    Distortion("patches", "spatial", _levels_of("patches", 2.6, 5.2, 7.8, 10.4, 13)),
    Distortion("pixelate", "spatial", _levels_of("pixelate", 1.13, 1.28, 1.43, 1.76, 3.45)),
    Distortion("quantization", "spatial", _levels_of("quantize", 20, 16, 13, 10, 7)),
    Distortion("color_block", "spatial", _levels_of("color_block", 1.6, 3.2, 4.7, 6.3, 7.8)),
    Distortion("sharpen", "sharpness_contrast", _levels_of("sharpen", 1, 2, 3, 6, 12)),
    Distortion(
        "linear_contrast",
        "sharpness_contrast",
        _in_both_directions("contrast_curve", (-0.1, 0, 0.1, 0.2, 0.3), (-0.3, -0.4, -0.5, -0.6, -0.7)),
    ),
    Distortion("nonlinear_contrast", "sharpness_contrast", _levels_of("tonal_range", 0.8, 0.6, 0.4, 0.2, 0.1)),
)
# Damage that people meet outside of that table. Their levels span what is just visible to what is severe.
EVERYDAY_DISTORTIONS = (
    Distortion("webp", "compression", _levels_of("webp", 60, 40, 20, 8, 1)),
    Distortion("avif", "compression", _levels_of("avif", 60, 45, 30, 18, 8)),
    Distortion("jpeg_xl", "compression", _levels_of("jpeg_xl", 2, 4, 7, 12, 20)),
    Distortion(
        "video",
        "compression",
        tuple(
            (f"video:{h264}", f"video:{hevc},hevc", f"video:{vp9},vp9")
            for h264, hevc, vp9 in ((25, 27, 30), (29, 31, 36), (33, 35, 41), (38, 40, 46), (44, 46, 51))
        ),
    ),
    Distortion(
        "camera_noise",
        "noise",
        tuple(
            (f"camera_noise:{fine}", f"camera_noise:{coarse},1", f"camera_noise:{fine},0,2")
            for fine, coarse in ((4, 8), (7, 14), (11, 22), (17, 34), (28, 56))
        ),
    ),
    Distortion(
        "enlarged",
        "spatial",
        tuple(
            tuple(f"resample:{factor},{name}" for name in ("bilinear", "bicubic", "lanczos"))
            for factor in (1.5, 2, 2.5, 3, 4)
        ),
    ),
    Distortion("interlaced", "spatial", _levels_of("interlace", 1, 2, 3, 5, 8)),
    Distortion("ringing", "sharpness_contrast", _levels_of("ringing", 1.5, 2, 2.5, 3.2, 4)),
    Distortion("haze", "sharpness_contrast", _levels_of("haze", 20, 35, 50, 65, 80)),
    Distortion(
        "exposure", "brightness", _in_both_directions("exposure", (0.5, 0.8, 1.1, 1.5, 2), (-1, -1.5, -2, -2.7, -3.5))
    ),
    Distortion("color_cast", "color", _levels_of("color_cast", 8, 12, 17, 24, 32)),
)
ALL_DISTORTIONS = DISTORTIONS + EVERYDAY_DISTORTIONS
GROUPS = tuple(dict.fromkeys(distortion.group for distortion in DISTORTIONS))


def read_distortions(path: Path) -> tuple[Distortion, ...]:
    """Read distortions from a TOML file.

    Args:
        path: The file, with a table ``[[distortion]]`` for each type, with ``name``, ``group`` and five ``levels``
            from mild to severe. A level is the text of a degradation, or a list of texts that count as the same level.

    Raises:
        InputError: The file cannot be read or has another content.
    """
    try:
        entries = read_toml(expand_path(path))["distortion"]
        distortions = tuple(
            Distortion(str(entry["name"]), str(entry["group"]), _levels(entry["levels"])) for entry in entries
        )
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no list of distortions ({type(error).__name__}: {error}): "
            "write tables [[distortion]] with name, group and levels"
        ) from None
    for distortion in distortions:
        if len(distortion.levels) != LEVELS:
            raise InputError(
                f"{path}: {distortion.name} has {len(distortion.levels)} levels: give {LEVELS}, mild to severe"
            )
        for level in range(1, LEVELS + 1):
            distortion.pipelines(level)
    return distortions


def _levels(entries: list[str | list[str]]) -> tuple[tuple[str, ...], ...]:
    levels = tuple((level,) if isinstance(level, str) else tuple(level) for level in entries)
    if not all(isinstance(text, str) for level in levels for text in level):
        raise TypeError("levels must be texts")
    return levels
