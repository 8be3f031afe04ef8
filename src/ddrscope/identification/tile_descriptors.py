"""Descriptors of the tiles of labelled images, kept in shards on disk, and an identifier fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.labelled_images import LabelledImage
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles
from ddrscope.io.files import atomic_write

SHARD_IMAGES = 50


@dataclass(frozen=True)
class TileDescriptors:
    """Descriptors of tiles, image by image.

    Args:
        descriptors: (N, D).
        images: The number of the image of each tile, (N,).
    """

    descriptors: NDArray[np.float32]
    images: NDArray[np.int64]


def describe_images(
    images: Sequence[LabelledImage],
    describe: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    folder: Path,
    step: Callable[[int], None] = lambda _: None,
) -> TileDescriptors:
    """Describe the tiles of images.

    Args:
        images: The images.
        describe: From tiles (N, H, W, 3) to descriptors (N, D).
        folder: Where finished shards are kept; those that are there are not computed again.
        step: Called with the number of images done since the last call.
    """
    rows, numbers = [], []
    for start in range(0, len(images), SHARD_IMAGES):
        batch = images[start : start + SHARD_IMAGES]
        shard = folder / f"{start // SHARD_IMAGES:05d}.npz"
        if not shard.exists():
            descriptors = [describe(_tiles(image.load())) for image in batch]
            with atomic_write(shard) as temporary, temporary.open("wb") as file:
                np.savez(file, rows=np.concatenate(descriptors), tiles=[len(part) for part in descriptors])
        with np.load(shard) as kept:
            rows.append(kept["rows"])
            numbers.append(np.repeat(np.arange(start, start + len(batch)), kept["tiles"]))
        step(len(batch))
    return TileDescriptors(np.concatenate(rows), np.concatenate(numbers))


def fit_to_images(
    identifier: DistortionIdentifier, images: Sequence[LabelledImage], tiles: TileDescriptors
) -> DistortionIdentifier:
    """Fit an identifier to images by the descriptors of their tiles, and return it."""
    levels = np.array([[image.levels.get(name, 0) for name in identifier.types] for image in images], np.float32)
    photos = np.array([image.photo for image in images])
    return identifier.fit(tiles.descriptors, levels[tiles.images], tiles.images, photos[tiles.images])


def _tiles(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    return cut_tiles(pixels, place_tiles(height, width, TILE, MAX_TILES))
