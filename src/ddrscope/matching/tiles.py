"""Tiles of real images, and regions of photographs of which tiles are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.images import ImageFile, read_image
from ddrscope.results.skipped import SkippedImage

# The side of a tile in LR pixels: small, so that small photographs give one at scale 4.
SIDE = 64
# Tiles begin on the block grid of JPEG, as the images do.
GRID = 8
# A tile whose blocks all have nearly one mean shows no more than noise.
FLAT = 0.004
_BLOCK = 8


@dataclass(frozen=True)
class Tiles:
    """Tiles of images.

    Attributes:
        pixels: float32 (N, `SIDE`, `SIDE`, 3) in 0..1.
        images: The index of the image of each, (N,).
    """

    pixels: NDArray[np.float32]
    images: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pixels)


def contrast(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much the means of blocks differ within each tile (N, H, W, 3), (N,): content that no degradation here removes."""
    count, height, width, channels = pixels.shape
    blocks = pixels.reshape(count, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, channels).mean((2, 4, 5))
    deviation: NDArray[np.float64] = blocks.reshape(count, -1).std(1).astype(np.float64)
    return deviation


def tiles_of(pixels: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Up to ``count`` tiles of an image with the most contrast among twice as many, (N, `SIDE`, `SIDE`, 3)."""
    height, width = pixels.shape[:2]
    rows, columns = (range(0, length - SIDE + 1, GRID) for length in (height, width))
    if not rows or not columns:
        return np.empty((0, SIDE, SIDE, 3), np.float32)
    # Without overlap where there is room.
    coarse = [(top, left) for top in rows[:: SIDE // GRID] for left in columns[:: SIDE // GRID]]
    chosen = rng.permutation(len(coarse))[: 2 * count]
    tiles = np.stack([pixels[y : y + SIDE, x : x + SIDE] for y, x in (coarse[index] for index in chosen)])
    seen = contrast(tiles)
    order = np.argsort(-seen)[:count]
    return np.ascontiguousarray(tiles[order[seen[order] > FLAT]])


def read_tiles(files: Sequence[ImageFile], limit: int, seed: int, skipped: list[SkippedImage]) -> Tiles:
    """Read tiles of images, as evenly from all of them as ``limit`` allows.

    Args:
        files: The images.
        limit: The largest number of tiles.
        seed: Of the choice of tiles.
        skipped: Takes images that cannot be read, or are smaller than a tile.
    """
    per_image = max(1, min(16, -(-limit // max(1, len(files)))))
    parts, images = [], []
    for index, file in enumerate(files):
        rng = np.random.default_rng([seed, *file.name.encode()])
        try:
            tiles = tiles_of(read_image(file).pixels, per_image, rng)
        except InputError as error:
            skipped.append(SkippedImage(str(file.path), str(error)))
            continue
        if len(tiles):
            parts.append(tiles)
            images.append(np.full(len(tiles), index))
        else:
            reason = f"smaller than {SIDE} x {SIDE} pixels, or of one colour"
            skipped.append(SkippedImage(str(file.path), reason))
    if not parts:
        return Tiles(np.empty((0, SIDE, SIDE, 3), np.float32), np.empty(0, np.int64))
    every = Tiles(np.concatenate(parts), np.concatenate(images))
    if len(every) <= limit:
        return every
    kept = np.sort(np.random.default_rng(seed).permutation(len(every))[:limit])
    return Tiles(every.pixels[kept], every.images[kept])


def regions_of(pixels: NDArray[np.float32], scale: int, rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Regions of a photograph that make a tile each, turned and mirrored, without end; none if it is too small."""
    side = SIDE * scale
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        return
    while True:
        places = [(int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))) for _ in range(3)]
        parts = [pixels[top : top + side, left : left + side] for top, left in places]
        region = max(parts, key=lambda part: float(part[::8, ::8].std()))
        region = np.rot90(region, int(rng.integers(4)))
        yield np.ascontiguousarray(region[:, ::-1] if rng.random() < 0.5 else region)
