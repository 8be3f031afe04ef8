"""Identification of one image of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.identification.compact import CompactIdentifier, TrunkDescriptor
from ddrscope.identification.descriptor import MIN_SIDE, Descriptor
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.predictions import Details
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles, tile_boxes
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.identification import DistortionMap, Identification
from ddrscope.results.vocabulary import CLEAN, ESTIMATES, INTERPOLATIONS, QUESTIONS

# The share of images with known distortions that is called unseen.
FALSE_ALARM_RATE = 0.05
MAX_MAP_TILES = 400


@dataclass(frozen=True)
class ImageIdentifier:
    """Identifies the distortion of images.

    Args:
        descriptor: Describes tiles of an image.
        identifier: Fitted to such descriptors.
        groups: The group of each type.
        about: What it was fitted to, as JSON values.

    Examples:
        >>> identifier = ddrscope.load_identifier()
        >>> print(identifier.identify(pixels))  # (H, W, 3), 0..1
        jpeg (probability 0.97), level 3.2 of 5
    """

    descriptor: Descriptor | TrunkDescriptor
    identifier: DistortionIdentifier | CompactIdentifier
    groups: Mapping[str, str]
    about: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """Clean and the types, in the order of the probabilities."""
        return (CLEAN, *self.identifier.types)

    def identify(self, pixels: NDArray[np.float32], tiles: int | None = MAX_TILES) -> Identification:
        """Identify the distortion of an image.

        Args:
            pixels: The image, float32 (H, W, 3) in 0..1.
            tiles: The largest number of tiles of 128 x 128 pixels to look at; None for all.

        Raises:
            InputError: The image has fewer than 16 pixels a side.
        """
        height, width = pixels.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(f"{width} x {height} pixels are too few: at least {MIN_SIDE} a side are needed")
        corners = place_tiles(height, width, TILE, tiles)
        descriptors = self.descriptor.describe(cut_tiles(pixels, corners))
        predictions = self.identifier.predict_all(descriptors, np.zeros(len(corners), int))
        probabilities = dict(zip(self.names, map(float, predictions.probabilities[0]), strict=True))
        indices, likelihoods = predictions.decide([CLEAN, *(self.groups[name] for name in self.identifier.types)])
        best = int(indices[0])
        low, level, high = predictions.levels[0, best - 1].tolist() if best else (0.0, 0.0, 0.0)
        novelty = float(predictions.novelty[0])
        return Identification(
            type=self.names[best],
            group=self.groups.get(self.names[best], CLEAN),
            probability=probabilities[self.names[best]],
            group_probability=float(likelihoods[0]),
            level=Estimate(level, low, high),
            novelty=novelty,
            unseen=novelty > 1 - FALSE_ALARM_RATE,
            probabilities=probabilities,
            **_details(predictions.details),
        )

    def map_distortions(
        self, pixels: NDArray[np.float32], stride: int = TILE // 4, limit: int = MAX_MAP_TILES
    ) -> DistortionMap:
        """Identify overlapping tiles of an image.

        Args:
            pixels: The image, float32 (H, W, 3) in 0..1.
            stride: The distance of the tiles in pixels; it is doubled until there are at most ``limit`` tiles.
            limit: The largest number of tiles.
        """
        height, width = pixels.shape[:2]
        corners = place_tiles(height, width, TILE, stride=stride)
        while len(corners) > limit:
            stride *= 2
            corners = place_tiles(height, width, TILE, stride=stride)
        predictions = self.identifier.predict_all(self.descriptor.describe(cut_tiles(pixels, corners)))
        boxes = tile_boxes(corners, height, width)
        details = predictions.details
        estimates = {name: details.estimates[:, i, 1] for i, name in enumerate(ESTIMATES)} if details else {}
        return DistortionMap(self.names, self.groups, boxes, predictions.probabilities, height, width, estimates)


def _details(details: Details | None) -> dict[str, Any]:
    """What is known of the first image beside its type."""
    if details is None:
        return {}
    estimates = {
        name: Estimate(middle, low, high)
        for name, (low, middle, high) in zip(ESTIMATES, details.estimates[0].tolist(), strict=True)
    }
    return {
        "estimates": estimates,
        "motion_angle": float(details.motion_angle[0]),
        "answers": dict(zip(QUESTIONS, details.answers[0].tolist(), strict=True)),
        "interpolation": INTERPOLATIONS[int(details.interpolation[0].argmax())],
    }
