"""Pairs of LR and HR patches, drawn from clean photographs in memory."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.degradations import DegradationChain, DegradationRecipe, Pipeline, RandomPipeline, shrink
from ddrscope.errors import InputError
from ddrscope.images import find_images, read_image

# LR pixels around a patch that are degraded with it, so that its border is like its inside: a blur of sigma 4 HR
# pixels has a radius of 16.
_CONTEXT = 8


# What is drawn from, and what is drawn.
Distribution = RandomPipeline | DegradationRecipe
Drawn = Pipeline | DegradationChain


class Patches(NamedTuple):
    """The patches of one step, float32 in 0..1.

    Attributes:
        small: LR patches (B, 3, size, size), larger by the requested margin on each side.
        large: HR patches (B, 3, scale*size, scale*size).
        pipelines: How each LR patch was degraded.
    """

    small: Tensor
    large: Tensor
    pipelines: list[Drawn]


class DihedralTransform(NamedTuple):
    """A rotation by quarter turns, counter-clockwise, then optionally a flip from left to right."""

    quarter_turns: int
    flip: bool

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Transform an image (H, W, C)."""
        pixels = np.rot90(pixels, self.quarter_turns)
        return pixels[:, ::-1] if self.flip else pixels

    def invert(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Undo `apply`."""
        return np.rot90(pixels[:, ::-1] if self.flip else pixels, -self.quarter_turns)


class PatchArea(NamedTuple):
    """Where a patch lies: the index of its photograph, its corner and its side in LR pixels."""

    photo: int
    top: int
    left: int
    side: int


class PhotoPairs:
    """Photographs in memory, each with an LR version shrunk bicubically, both as uint8.

    Args:
        folder: One or several sources, see `ddrscope.images.find_images`.
        scale: Factor by which photographs are shrunk.
        smallest: Smallest side of a photograph in LR pixels.

    Attributes:
        scale: Factor by which photographs are shrunk.
        names: Names of the photographs.
        large: The photographs (H, W, 3).
        small: Their LR versions.
        pipelines: How each LR version was degraded.
        digests: SHA-256 of the pixels of each photograph by name.

    Raises:
        InputError: There are no images, one cannot be read, or one is too small.
    """

    def __init__(self, folder: str | Path | Sequence[str | Path], scale: int, smallest: int = 1) -> None:
        self.scale = scale
        self.names: list[str] = []
        self.large: list[NDArray[np.uint8]] = []
        self.small: list[NDArray[np.uint8]] = []
        for file in find_images(folder):
            pixels = read_image(file).pixels
            height, width = (side // scale * scale for side in pixels.shape[:2])
            if min(height, width) < smallest * scale:
                raise InputError(
                    f"{file.path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, smaller than the training patch of "
                    f"{smallest * scale}: leave it out or give a smaller patch=N (pixels of the small image)"
                )
            pixels = pixels[:height, :width]
            self.names.append(file.name)
            self.large.append(_to_uint8(pixels))
            self.small.append(_to_uint8(shrink(pixels, scale)))
        hashes = (hashlib.sha256(f"{large.shape}".encode() + large.tobytes()).hexdigest() for large in self.large)
        self.digests = dict(zip(self.names, hashes, strict=True))
        self.pipelines: list[Drawn] = [Pipeline()] * len(self.large)

    def degraded(self, degradations: Sequence[Distribution]) -> PhotoPairs:
        """The same photographs with LR versions degraded by a random pipeline each, the same in any run."""
        pairs = copy.copy(self)
        pairs.small, pairs.pipelines = [], []
        for index, large in enumerate(self.large):
            rng = np.random.default_rng(index)
            pipeline = degradations[int(rng.integers(len(degradations)))].sample(rng)
            pairs.small.append(_degrade(large, pipeline, index, self.scale))
            pairs.pipelines.append(pipeline)
        return pairs

    def patches(
        self, step: int, seed: int, batch: int, size: int, degradations: Sequence[Distribution] = (), margin: int = 0
    ) -> Patches:
        """The patches of one training step, with random positions, flips and quarter turns.

        They depend on ``step`` and ``seed`` only, so a resumed training gets the patches that an uninterrupted one
        would have got. Of two random positions in a photograph the one with more detail is used, since smooth areas
        teach little.

        Args:
            step: Number of the step.
            seed: Seed of the training.
            batch: Number of patches.
            size: Side of a patch in LR pixels.
            degradations: Each LR patch is degraded by a random one of them; none: patches are clean.
            margin: LR pixels around each LR patch, mirrored at the borders of the photograph.
        """
        rng = np.random.default_rng((seed, step))
        small: list[NDArray[np.uint8]] = []
        large: list[NDArray[np.uint8]] = []
        pipelines: list[Drawn] = []
        for _ in range(batch):
            photo = int(rng.integers(len(self.small)))
            area = max((self._random_area(rng, photo, size) for _ in range(2)), key=self._detail)
            transform = DihedralTransform(int(rng.integers(4)), bool(rng.integers(2)))
            pipeline: Drawn = Pipeline()
            if degradations:
                pipeline = degradations[int(rng.integers(len(degradations)))].sample(rng)
                patch = self._degraded_patch(area, transform, pipeline, int(rng.integers(2**31)), margin)
            else:
                patch = _crop(self.small[photo], area.top - margin, area.left - margin, size + 2 * margin)
            small.append(transform.apply(patch))
            large.append(transform.apply(self._large_part(photo, area.top, area.left, size, size)))
            pipelines.append(pipeline)
        return Patches(as_batch(small), as_batch(large), pipelines)

    def _large_part(self, photo: int, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        """A part of a photograph by its position and size in LR pixels."""
        scale = self.scale
        return self.large[photo][top * scale : (top + height) * scale, left * scale : (left + width) * scale]

    def _degraded_patch(
        self, area: PatchArea, transform: DihedralTransform, pipeline: Drawn, seed: int, margin: int
    ) -> NDArray[np.uint8]:
        """A patch that was degraded after it was transformed, so that the angle of a blur is that of the pipeline.

        It is returned with the transform undone.
        """
        context = margin + _CONTEXT
        top, left = max(area.top - context, 0), max(area.left - context, 0)
        height, width = area.top + area.side + context - top, area.left + area.side + context - left
        around = transform.apply(self._large_part(area.photo, top, left, height, width))
        degraded = transform.invert(_degrade(around, pipeline, seed, self.scale))
        return _crop(degraded, area.top - margin - top, area.left - margin - left, area.side + 2 * margin)

    def _random_area(self, rng: np.random.Generator, photo: int, size: int) -> PatchArea:
        height, width = self.small[photo].shape[:2]
        return PatchArea(photo, int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1)), size)

    def _detail(self, area: PatchArea) -> float:
        photo, top, left, side = area
        return float(self.small[photo][top : top + side, left : left + side].std(axis=(0, 1)).sum())


def as_batch(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """uint8 images (H, W, C) of one size as a float32 batch (B, C, H, W) in 0..1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255)


def _crop(pixels: NDArray[np.uint8], top: int, left: int, side: int) -> NDArray[np.uint8]:
    """A square of an image, which is mirrored beyond its borders."""
    part = pixels[max(top, 0) : top + side, max(left, 0) : left + side]
    before = max(-top, 0), max(-left, 0)
    padding = [(first, side - first - length) for first, length in zip(before, part.shape[:2], strict=True)]
    return np.pad(part, (*padding, (0, 0)), "reflect") if any(map(any, padding)) else part


def _degrade(large: NDArray[np.uint8], pipeline: Drawn, seed: int, scale: int) -> NDArray[np.uint8]:
    if isinstance(pipeline, DegradationChain):
        pixels = large.astype(np.float32) / np.float32(255)
        return _to_uint8(pipeline.apply(pixels, np.random.default_rng(seed)))
    return _to_uint8(pipeline.apply(large / np.float32(255), seed, scale))


def _to_uint8(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(pixels * 255).astype(np.uint8)
