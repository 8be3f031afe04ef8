"""What is wrong with one image, of any size: tiles, their descriptors, what the identifier says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.identification.descriptor import SMALLEST_SIDE, Descriptor
from ddrscope.identification.identifier import CLEAN, DistortionIdentifier
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles

# The share of images with known distortions that is called unseen.
FALSE_ALARM_RATE = 0.05


@dataclass(frozen=True)
class Finding:
    """What is found in one image; the fields are the columns of `ddrscope identify`.

    ``level`` is 1 to 5 with the ends of its 80 % interval, 0 where ``type`` is clean. ``novelty`` is the share of images with known
    distortions that are more ordinary, ``unseen`` whether that is all but one in twenty. ``probabilities``: that each type is present.
    """

    type: str
    group: str
    probability: float
    level: float
    level_low: float
    level_high: float
    novelty: float
    unseen: bool
    probabilities: dict[str, float]

    def __str__(self) -> str:
        level = "" if self.type == CLEAN else f", level {self.level:.1f} of 5"
        return f"{self.type} (probability {self.probability:.2f}){level}" + (
            "; unlike anything known" if self.unseen else ""
        )


@dataclass(frozen=True)
class DistortionMap:
    """Where the degradation is: ``probabilities`` (tiles, 1 + T) of the tiles at ``corners`` (top, left), squares of ``side`` pixels.

    ``names`` are clean and the types, in the order of the probabilities.
    """

    names: tuple[str, ...]
    corners: list[tuple[int, int]]
    side: int
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class ImageIdentifier:
    """Identifies images (H, W, 3) in 0..1: a descriptor, an identifier fitted to it, and the group of each type.

    ``about`` says what it was fitted to, in words and plain values.
    """

    descriptor: Descriptor
    identifier: DistortionIdentifier
    groups: Mapping[str, str]
    about: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Clean and the types, in the order of the probabilities."""
        return (CLEAN, *self.identifier.types)

    def identify(self, pixels: NDArray[np.float32], tiles: int | None = MAX_TILES) -> Finding:
        """What is wrong with an image, from at most ``tiles`` tiles of it, or all of them; `InputError` for one too small to say."""
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            raise InputError(
                f"{width} x {height} pixels are too few to tell: at least {SMALLEST_SIDE} a side are needed"
            )
        corners = place_tiles(height, width, TILE, tiles)
        descriptors = self.descriptor.describe(cut_tiles(pixels, corners))
        found = self.identifier.find(descriptors, np.zeros(len(corners), int))
        probabilities = found.probabilities[0]
        best = int(probabilities.argmax())
        low, level, high = found.levels[0, best - 1] if best else (0.0, 0.0, 0.0)
        name, novelty = self.names[best], float(found.novelty[0])
        said = dict(zip(self.names, map(float, probabilities), strict=True))
        group = self.groups.get(name, CLEAN)
        return Finding(
            name,
            group,
            said[name],
            float(level),
            float(low),
            float(high),
            novelty,
            novelty > 1 - FALSE_ALARM_RATE,
            said,
        )

    def map_distortions(self, pixels: NDArray[np.float32], stride: int = TILE // 4, limit: int = 400) -> DistortionMap:
        """The probabilities at overlapping tiles, ``stride`` pixels apart, further where that makes more than ``limit`` tiles."""
        height, width = pixels.shape[:2]
        corners = place_tiles(height, width, TILE, stride=stride)
        while len(corners) > limit:
            stride *= 2
            corners = place_tiles(height, width, TILE, stride=stride)
        probabilities = self.identifier.find(self.descriptor.describe(cut_tiles(pixels, corners))).probabilities
        return DistortionMap(self.names, corners, TILE, probabilities)
