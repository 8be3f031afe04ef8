"""Tiles with random histories, made from clean photographs and kept on disk for training."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.identification.chains import Chain, ChainSampler, as_row
from ddrscope.identification.tiles import TILE
from ddrscope.identification.truth import apply_chain
from ddrscope.images import ImageFile, read_image
from ddrscope.io.files import write_json

# Pixels around a tile that are cut off after degrading, so that block grids start anywhere and borders do not show.
MARGIN = 32
# Photographs are shrunk as well, because their sharpness differs from camera to camera.
SCALES = (1.0, 0.75, 0.5, 0.35)
# So many places are drawn, and the one with most contrast is taken, in this share of the tiles: flat ones show little.
CANDIDATES, CONTRASTED_SHARE = 3, 0.6
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_SEPIA = np.array([1.07, 0.96, 0.76], dtype=np.float32)


@dataclass(frozen=True)
class TileBank:
    """Tiles on disk; arrays are memory-mapped.

    Attributes:
        tiles: uint8 (N, 128, 128, 3).
        levels: The level of each type, float32 (N, T); NaN where one cannot tell.
        truths: Rows of `Truth`, float32 (N, M).
        photos: The index of the photograph of each tile, (N,).
        types: The names of the T types.
        photo_names: The names of the photographs.
    """

    tiles: NDArray[np.uint8]
    levels: NDArray[np.float32]
    truths: NDArray[np.float32]
    photos: NDArray[np.int32]
    types: tuple[str, ...]
    photo_names: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> TileBank:
        """Open what `write_tile_bank` wrote."""
        about = json.loads((folder / "bank.json").read_text())
        tiles, levels, truths, photos = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("tiles", "levels", "truths", "photos")
        )
        return cls(tiles, levels, truths, photos, tuple(about["types"]), tuple(about["photographs"]))


def write_tile_bank(
    folder: Path,
    files: Sequence[ImageFile],
    per_photo: int,
    seed: int = 0,
    sampler: ChainSampler | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Make tiles of photographs. The tiles of a photograph depend on the seed and its name only.

    Args:
        folder: Where the arrays go.
        files: Clean photographs.
        per_photo: Tiles of each.
        seed: Of places and histories.
        sampler: Draws the histories.
        advance: Called after each photograph with the number of its tiles.
    """
    sampler = sampler or ChainSampler()
    types = tuple(sampler.by_name)
    folder.mkdir(parents=True, exist_ok=True)
    count = len(files) * per_photo
    tiles = np.lib.format.open_memmap(folder / "tiles.npy", "w+", np.uint8, (count, TILE, TILE, 3))
    levels, truths, photos, texts = [], [], [], []
    for index, file in enumerate(files):
        random = np.random.default_rng([seed, *file.name.encode()])
        versions = _versions(read_image(file).pixels)
        for number in range(per_photo):
            chain = sampler.sample(random)
            region = cut_region(versions, chain, random)
            degraded, truth = apply_chain(chain, region, random)
            tiles[index * per_photo + number] = _inner(degraded, random)
            levels.append(as_row(chain.levels, types))
            truths.append(truth.row())
            photos.append(index)
            texts.append(chain.text)
        advance(per_photo)
    np.save(folder / "levels.npy", np.stack(levels))
    np.save(folder / "truths.npy", np.stack(truths))
    np.save(folder / "photos.npy", np.array(photos, dtype=np.int32))
    (folder / "chains.txt").write_text("\n".join(texts) + "\n")
    # Last: a folder without it is not complete.
    write_json(folder / "bank.json", {"types": types, "photographs": [file.name for file in files], "seed": seed})


def _versions(pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The photograph at each of `SCALES` at which a tile fits."""
    height, width = pixels.shape[:2]
    sizes = [(round(height * scale), round(width * scale)) for scale in SCALES]
    return [
        pixels if size == (height, width) else np.clip(resize(pixels, size), 0, 1).astype(np.float32)
        for size in sizes
        if min(size) >= TILE + MARGIN
    ] or [pixels]


def cut_region(
    versions: Sequence[NDArray[np.float32]], chain: Chain, random: np.random.Generator, length: int = TILE + MARGIN
) -> NDArray[np.float32]:
    """A region of a photograph, turned or mirrored, that the chain makes an image of ``length`` pixels a side of.

    It is smaller where the photograph is.
    """
    side = round(length * chain.shrink)
    fitting = [version for version in versions if min(version.shape[:2]) >= side] or [versions[0]]
    pixels = fitting[int(random.integers(len(fitting)))]
    sides = [min(side, whole) for whole in pixels.shape[:2]]
    tries = CANDIDATES if random.random() < CONTRASTED_SHARE else 1
    regions = []
    for _ in range(tries):
        top, left = (int(random.integers(whole - own + 1)) for whole, own in zip(pixels.shape, sides, strict=False))
        regions.append(pixels[top : top + sides[0], left : left + sides[1]])
    region = max(regions, key=lambda each: float(each[::4, ::4].std()))
    region = np.rot90(region, int(random.integers(4)))
    region = region[:, ::-1] if random.random() < 0.5 else region
    if chain.grey:
        grey = (region @ _LUMA)[..., None]
        region = np.clip(grey * (_SEPIA if chain.grey == "sepia" else 1), 0, 1) * np.ones(3, np.float32)
    return np.ascontiguousarray(region, dtype=np.float32)


def _inner(degraded: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A tile from within a degraded region, at any offset; a smaller region is mirrored at its borders."""
    lacking = [max(0, TILE - side) for side in degraded.shape[:2]]
    if any(lacking):
        degraded = np.pad(degraded, [*((0, each) for each in lacking), (0, 0)], mode="symmetric")
    free = [side - TILE for side in degraded.shape[:2]]
    top, left = (int(random.integers(each // 4, max(each * 3 // 4, each // 4) + 1)) for each in free)
    return degraded[top : top + TILE, left : left + TILE]
