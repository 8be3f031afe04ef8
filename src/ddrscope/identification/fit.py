"""Fitting an identifier: images with known degradation, their tiles' descriptors kept shard by shard, and the fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.head import HeadSettings
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.labelled_images import Sample
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles
from ddrscope.io.files import atomic_write

SHARD_IMAGES = 50
# Of the photographs, for calibration on such as were not fitted to.
FOLDS = 4


@dataclass(frozen=True)
class TileTable:
    """Descriptors (N, D) of tiles, and the number of the image each is of; image by image in order."""

    descriptors: NDArray[np.float32]
    images: NDArray[np.int64]


def describe_samples(
    samples: Sequence[Sample],
    describe: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    folder: Path,
    step: Callable[[int], None] = lambda _: None,
) -> TileTable:
    """The descriptors of the samples' tiles by ``describe``, tiles (N, H, W, 3) to (N, D); shards in ``folder`` are not done again."""
    rows, images = [], []
    for start in range(0, len(samples), SHARD_IMAGES):
        some = samples[start : start + SHARD_IMAGES]
        shard = folder / f"{start // SHARD_IMAGES:05d}.npz"
        if not shard.exists():
            described = [describe(_tiles(sample.load())) for sample in some]
            with atomic_write(shard) as temporary, temporary.open("wb") as file:
                np.savez(file, rows=np.concatenate(described), tiles=[len(part) for part in described])
        with np.load(shard) as kept:
            rows.append(kept["rows"])
            images.append(np.repeat(np.arange(start, start + len(some)), kept["tiles"]))
        step(len(some))
    return TileTable(np.concatenate(rows), np.concatenate(images))


def _tiles(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    return cut_tiles(pixels, place_tiles(height, width, TILE, MAX_TILES))


def fit_identifier(
    samples: Sequence[Sample],
    table: TileTable,
    descriptor: Descriptor,
    groups: Mapping[str, str],
    about: Mapping[str, Any],
    *,
    components: int = 256,
    folds: int = FOLDS,
    clean_share: float = 0.5,
    head: HeadSettings | None = None,
    seed: int = 0,
) -> ImageIdentifier:
    """An identifier of the types in ``groups`` fitted to the samples, whose tiles' descriptors by ``descriptor`` are ``table``."""
    identifier = DistortionIdentifier(
        tuple(groups),
        parts=descriptor.widths(),
        components=components,
        folds=folds,
        clean_share=clean_share,
        head=head,
        seed=seed,
    )
    return ImageIdentifier(descriptor, fit_to_samples(identifier, samples, table), groups, about)


def fit_to_samples(
    identifier: DistortionIdentifier, samples: Sequence[Sample], table: TileTable
) -> DistortionIdentifier:
    """The identifier, fitted to the samples whose tiles' descriptors are ``table``."""
    levels = np.array(
        [[sample.levels.get(name, 0) for name in identifier.types] for sample in samples], dtype=np.float32
    )
    photos = np.array([sample.photo for sample in samples])
    return identifier.fit(table.descriptors, levels[table.images], table.images, photos[table.images])
