"""Tiles of real images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import escaped
from ddrscope.images import ImageFile, read_ahead
from ddrscope.results.skipped import SkippedImage

# The side of a tile in LR pixels: small, so that small photographs give one at scale 4. A multiple of 8, since the block
# grid of JPEG begins at the corner of an image, and tiles at its corners.
SIDE = 64
# The most tiles of one image.
PER_IMAGE = 16
# A tile whose blocks all have nearly one mean shows no more than noise.
FLAT = 0.004
_BLOCK = 8


@dataclass(frozen=True)
class Tiles:
    """Tiles of images.

    Attributes:
        pixels: float32 (N, `SIDE`, `SIDE`, 3) in 0..1.
        photos: The photograph that each is of, (N,).
    """

    pixels: NDArray[np.float32]
    photos: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.pixels)

    def chosen(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Tiles:
        """Some of the tiles."""
        return Tiles(self.pixels[rows], self.photos[rows])


def contrast(pixels: NDArray[np.float32], block: int = _BLOCK) -> NDArray[np.float64]:
    """How much the means of blocks differ in each tile (N, H, W, 3), (N,): content that no degradation here removes."""
    count, height, width, channels = pixels.shape
    blocks = pixels.reshape(count, height // block, block, width // block, block, channels).mean((2, 4, 5))
    deviation: NDArray[np.float64] = blocks.reshape(count, -1).std(1).astype(np.float64)
    return deviation


def tiles_of(pixels: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Up to ``count`` random tiles of an image, side by side, without flat ones, (N, `SIDE`, `SIDE`, 3)."""
    height, width = pixels.shape[:2]
    corners = [(y, x) for y in range(0, height - SIDE + 1, SIDE) for x in range(0, width - SIDE + 1, SIDE)]
    if not corners:
        return np.empty((0, SIDE, SIDE, 3), np.float32)
    # Twice as many, in case some are flat.
    chosen = rng.permutation(len(corners))[: 2 * count]
    tiles = np.stack([pixels[y : y + SIDE, x : x + SIDE] for y, x in (corners[index] for index in chosen)])
    return np.ascontiguousarray(tiles[contrast(tiles) > FLAT][:count])


def read_tiles(
    files: Sequence[ImageFile],
    limit: int,
    seed: int,
    skipped: list[SkippedImage],
    advance: Callable[[], object] = lambda: None,
) -> Tiles:
    """Read tiles of images, as evenly from all of them as ``limit`` allows.

    Args:
        files: The images.
        limit: The largest number of tiles.
        seed: Of the choice of tiles.
        skipped: Takes images that cannot be read, or give no tile.
        advance: Called after each image.
    """
    per_image = max(1, min(PER_IMAGE, -(-limit // max(1, len(files)))))
    parts, photos = [np.empty((0, SIDE, SIDE, 3), np.float32)], list[str]()
    for reading in read_ahead(files):
        path = escaped(str(reading.file.path))
        advance()
        if reading.image is None:
            skipped.append(SkippedImage(path, reading.error.reason if reading.error else "cannot be read"))
            continue
        rng = np.random.default_rng([seed, *reading.file.name.encode("utf-8", "surrogateescape")])
        tiles = tiles_of(reading.image.pixels, per_image, rng)
        if not len(tiles):
            skipped.append(SkippedImage(path, f"smaller than {SIDE} x {SIDE} pixels, or of one colour"))
        parts.append(tiles)
        photos += [reading.file.photo] * len(tiles)
    every = Tiles(np.concatenate(parts), np.array(photos, dtype=np.str_))
    if len(every) <= limit:
        return every
    return every.chosen(np.sort(np.random.default_rng(seed).permutation(len(every))[:limit]))
