"""Calibrate a trained network on whole images of held-out photographs, and write it as an identifier.

    python -m scripts.identifier.calibrate WEIGHTS HR TILES OUT.safetensors [--histories 40]

WEIGHTS is ``weights.pt`` of `scripts.identifier.train`; HR has the photographs; TILES is one of the tile folders it was trained on, for the
names of the types and the novelty measure. Each held-out photograph gets so many histories.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.degradations import resize
from ddrscope.degradations.distortions import ALL_DISTORTIONS
from ddrscope.identification import save_identifier
from ddrscope.identification.calibration import PresenceCalibration, stretch, widening
from ddrscope.identification.chains import ChainSampler, as_row
from ddrscope.identification.compact import CompactIdentifier, TrunkDescriptor, merge_tiles, read_descriptors
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.identification.predictions import Predictions
from ddrscope.identification.scales import SCALES
from ddrscope.identification.tile_bank import SCALES as SIZES
from ddrscope.identification.tile_bank import TileBank, cut_region
from ddrscope.identification.tile_network import TileNetwork
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles
from ddrscope.identification.truth import apply_chain
from ddrscope.images import ImageFile, find_images, read_image
from ddrscope.results.vocabulary import CLEAN, ESTIMATES
from scripts.identifier.split import is_held_out
from scripts.identifier.train import VISIBLE

# Sides of the images in pixels: from single tiles to what fills all tiles.
SIDES = (160, 256, 384, 640)
CLEAN_SHARE = 0.5
NOVELTY_FOLDS, NOVELTY_TILES = 4, 12_000


@dataclass
class Images:
    """Degraded images of held-out photographs, described tile by tile."""

    descriptors: NDArray[np.float32]
    members: NDArray[np.int64]
    levels: Tensor
    truths: Tensor
    photos: NDArray[np.str_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("tiles", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--histories", type=int, default=40)
    arguments = parser.parse_args()
    bank = TileBank.open(arguments.tiles)
    network = TileNetwork(len(bank.types))
    network.load_state_dict(torch.load(arguments.weights, weights_only=True))
    descriptor = TrunkDescriptor(network.eval().to(memory_format=torch.channels_last))
    photographs = find_images([arguments.hr / "train", arguments.hr / "val"])
    files = [file for file in photographs if is_held_out(file.name)]
    images = describe(files, arguments.histories, descriptor, bank.types)
    identifier = calibrate(network, bank.types, images)
    identifier.novelty = fit_novelty(network, descriptor, bank)
    groups = {distortion.name: distortion.group for distortion in ALL_DISTORTIONS}
    about = {
        "photographs": sorted(file.name for file in photographs),
        "calibration_photographs": sorted(set(images.photos.tolist())),
        "calibration_images": len(images.photos),
    }
    save_identifier(arguments.out, ImageIdentifier(descriptor, identifier, groups, about))


def describe(files: list[ImageFile], histories: int, descriptor: TrunkDescriptor, types: tuple[str, ...]) -> Images:
    """Degrade images of photographs and describe their tiles."""
    rows, members, levels, truths = [], [], [], []
    photos: list[str] = []
    for file in files:
        random = np.random.default_rng([7, *file.name.encode()])
        for chain, pixels in _regions(file, histories, random):
            degraded, truth = apply_chain(chain, pixels, random)
            image = degraded.astype(np.float32) / np.float32(255)
            tiles = cut_tiles(image, place_tiles(image.shape[0], image.shape[1], TILE, MAX_TILES))
            rows.append(descriptor.describe(tiles))
            members.append(np.full(len(tiles), len(photos)))
            levels.append(as_row(chain.levels, types))
            truths.append(truth.row())
            photos.append(file.name)
        print(file.name, len(photos), flush=True)
    known = torch.from_numpy(np.stack(levels)), torch.from_numpy(np.stack(truths))
    return Images(np.concatenate(rows), np.concatenate(members), *known, np.array(photos))


def _regions(file: ImageFile, histories: int, random: np.random.Generator) -> Iterator[tuple]:  # type: ignore[type-arg]
    pixels = read_image(file).pixels
    sampler = ChainSampler()
    for _ in range(histories):
        chain = sampler.sample(random)
        scale = float(random.choice(SIZES))
        size = tuple(max(TILE, round(length * scale)) for length in pixels.shape[:2])
        version = np.clip(resize(pixels, size), 0, 1).astype(np.float32) if scale < 1 else pixels
        yield chain, cut_region([version], chain, random, int(random.choice(SIDES)))


def calibrate(network: TileNetwork, types: tuple[str, ...], images: Images) -> CompactIdentifier:
    """Fit probabilities and intervals to held-out images; print their errors."""
    outputs, _ = read_descriptors(network, images.descriptors)
    merged = merge_tiles(outputs, images.members)
    unknown = images.levels.isnan()
    present = torch.where(unknown, torch.nan, (images.levels > 0).float())
    clean = 1 - (images.levels > 0).float().amax(1)
    clean[(clean > 0) & unknown.any(1)] = torch.nan
    presence = PresenceCalibration.fit(merged.presence, torch.cat([clean[:, None], present], 1))
    graded = torch.where(images.levels > 0, images.levels, torch.nan)
    by = []
    for index, name in enumerate(ESTIMATES):
        values = images.truths[:, index]
        lower, upper = VISIBLE.get(name, (-99, 1e9))
        seen = torch.where((values >= lower) & (values <= upper), SCALES[name].forward(values), torch.nan)
        by.append(stretch(merged.estimates[:, index], seen))
        middle = SCALES[name].inverse(merged.estimates[:, index, 1])
        error = (middle - values).abs()[~seen.isnan()]
        print(f"{name}: median error {error.median():.2f}, {len(error)} images, stretched by {by[-1]:.3f}")
    probabilities = presence.probabilities(merged.presence, float(presence.fitted_clean_share)).numpy()
    group_of = {distortion.name: distortion.group for distortion in ALL_DISTORTIONS}
    decided, _ = Predictions(probabilities, np.empty(0), np.empty(0)).decide(
        [CLEAN, *(group_of[name] for name in types)]
    )
    best = torch.from_numpy(decided)
    one = ((images.levels > 0).sum(1) == 1) & ~unknown.any(1)
    right = (best == images.levels.nan_to_num().argmax(1) + 1)[one].float().mean()
    likeliest = (merged.presence.argmax(1) == images.levels.nan_to_num().argmax(1) + 1)[one].float().mean()
    print(
        f"types {right:.3f} (without groups {likeliest:.3f}) of {int(one.sum())}; clean {(best == 0)[clean == 1].float().mean():.3f}"
    )
    return CompactIdentifier(
        network,
        types,
        presence,
        widening(merged.levels.flatten(0, 1), graded.flatten()),
        torch.stack(by),
        NoveltyMeasure(),
        CLEAN_SHARE,
    )


def fit_novelty(network: TileNetwork, descriptor: TrunkDescriptor, bank: TileBank) -> NoveltyMeasure:
    """Fit to tiles with at most one distortion, at rounded levels."""
    single = np.flatnonzero(~np.isnan(bank.levels).any(1) & ((bank.levels > 0).sum(1) <= 1))
    chosen = np.sort(np.random.default_rng(0).permutation(single)[:NOVELTY_TILES])
    tiles = np.stack([bank.tiles[index] for index in chosen]).astype(np.float32) / np.float32(255)
    _, hidden = read_descriptors(network, descriptor.describe(tiles))
    rounded = torch.from_numpy(np.ceil(bank.levels[chosen]).clip(0, 5))
    photos = bank.photos[chosen].astype(str)
    return NoveltyMeasure().fit(hidden, rounded, np.arange(len(chosen)), photos, NOVELTY_FOLDS)


if __name__ == "__main__":
    main()
