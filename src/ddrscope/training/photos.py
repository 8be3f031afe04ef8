"""Pairs of small and large patches, drawn from a folder of clean photographs."""

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

from ddrscope.degradations import Pipeline, RandomPipeline, shrink
from ddrscope.errors import InputError
from ddrscope.images import find_images, read_image

# A patch is degraded with so many LR pixels around it, so that its border is as the rest: a blur of 4 HR pixels reaches 16.
MARGIN = 8


class Patches(NamedTuple):
    """Patches of one step, in 0..1, and how the small ones were degraded.

    ``small`` is (B, 3, size, size), or larger by the margin that was asked for on each side; ``large`` ``(B, 3, scale*size, scale*size)``.
    """

    small: Tensor
    large: Tensor
    pipelines: list[Pipeline]


class DihedralTransform(NamedTuple):
    """Quarter turns counter-clockwise, then perhaps a flip from left to right."""

    turns: int
    flip: bool

    def turn(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image (H, W, C) turned and flipped."""
        pixels = np.rot90(pixels, self.turns)
        return pixels[:, ::-1] if self.flip else pixels

    def back(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Undo `turn`."""
        return np.rot90(pixels[:, ::-1] if self.flip else pixels, -self.turns)


class PhotoPairs:
    """Photographs in memory, each beside itself shrunk by ``scale`` with the bicubic kernel of the field, both in 8 bits.

    ``folder`` may be several. ``names`` lists the photographs, ``digests`` gives the SHA-256 of their pixels by name, ``pipelines`` say how
    the small ones were degraded. Raises `InputError` when a photograph is smaller than ``smallest`` LR pixels a side.
    """

    def __init__(self, folder: str | Path | Sequence[str | Path], scale: int, smallest: int = 1) -> None:
        self.scale = scale
        self.names: list[str] = []
        self.large: list[NDArray[np.uint8]] = []
        self.small: list[NDArray[np.uint8]] = []
        folders = [folder] if isinstance(folder, str | Path) else folder
        for file in find_images(folders):
            pixels = read_image(file).pixels
            height, width = (side // scale * scale for side in pixels.shape[:2])
            if min(height, width) < smallest * scale:
                raise InputError(
                    f"{file.path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, smaller than the training patch of "
                    f"{smallest * scale}: leave it out or give a smaller patch=N (pixels of the small image)"
                )
            pixels = pixels[:height, :width]
            self.names.append(file.name)
            self.large.append(_eight_bits(pixels))
            self.small.append(_eight_bits(shrink(pixels, scale)))
        hashed = (hashlib.sha256(f"{large.shape}".encode() + large.tobytes()).hexdigest() for large in self.large)
        self.digests = dict(zip(self.names, hashed, strict=True))
        self.pipelines = [Pipeline()] * len(self.large)

    def degraded(self, degradations: Sequence[RandomPipeline]) -> PhotoPairs:
        """The same photographs, their small images made through a pipeline drawn for each: the same in any run."""
        pairs = copy.copy(self)
        pairs.small, pairs.pipelines = [], []
        for place, large in enumerate(self.large):
            random = np.random.default_rng(place)
            pipeline = degradations[int(random.integers(len(degradations)))].draw(random)
            pairs.small.append(_degraded(large, pipeline, place, self.scale))
            pairs.pipelines.append(pipeline)
        return pairs

    def patches(
        self, step: int, seed: int, batch: int, size: int, degradations: Sequence[RandomPipeline] = (), margin: int = 0
    ) -> Patches:
        """The pairs of one training step.

        A pure function of ``step`` and ``seed``, so a resumed training sees what an unbroken one would have seen. Of two places drawn in
        a photograph the one with more detail is taken: sky and blurred backgrounds teach little. Flips and quarter turns are drawn too.
        With ``degradation`` each small patch is made through a pipeline drawn from one of those. Small patches come with ``margin`` pixels
        around them, mirrored at the photograph's borders.
        """
        random = np.random.default_rng((seed, step))
        small: list[NDArray[np.uint8]] = []
        large: list[NDArray[np.uint8]] = []
        pipelines: list[Pipeline] = []
        for _ in range(batch):
            photo = int(random.integers(len(self.small)))
            y, x = max(
                (self._draw_place(random, photo, size) for _ in range(2)), key=lambda at: self._detail(photo, at, size)
            )
            turned = DihedralTransform(int(random.integers(4)), bool(random.integers(2)))
            if degradations:
                pipeline = degradations[int(random.integers(len(degradations)))].draw(random)
                patch = self._degraded_patch(turned, int(random.integers(2**31)), pipeline, photo, y, x, size, margin)
            else:
                pipeline, patch = Pipeline(), _cut(self.small[photo], y - margin, x - margin, size + 2 * margin)
            small.append(turned.turn(patch))
            large.append(turned.turn(self._large_patch(photo, y, x, size, size)))
            pipelines.append(pipeline)
        return Patches(as_batch(small), as_batch(large), pipelines)

    def _large_patch(self, photo: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        scale = self.scale
        return self.large[photo][y * scale : (y + height) * scale, x * scale : (x + width) * scale]

    def _degraded_patch(
        self,
        turned: DihedralTransform,
        seed: int,
        pipeline: Pipeline,
        photo: int,
        y: int,
        x: int,
        size: int,
        margin: int,
    ) -> NDArray[np.uint8]:
        """Degraded as it will be seen, turned, so that the angle of a blur is what the pipeline says; then turned back."""
        reach = margin + MARGIN
        top, left = max(y - reach, 0), max(x - reach, 0)
        around = self._large_patch(photo, top, left, y + size + reach - top, x + size + reach - left)
        made = turned.back(_degraded(turned.turn(around), pipeline, seed, self.scale))
        return _cut(made, y - margin - top, x - margin - left, size + 2 * margin)

    def _draw_place(self, random: np.random.Generator, photo: int, size: int) -> tuple[int, int]:
        height, width = self.small[photo].shape[:2]
        return int(random.integers(height - size + 1)), int(random.integers(width - size + 1))

    def _detail(self, photo: int, place: tuple[int, int], size: int) -> float:
        y, x = place
        return float(self.small[photo][y : y + size, x : x + size].std(axis=(0, 1)).sum())


def as_batch(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """8-bit images (H, W, C) of one size as one float32 batch (B, C, H, W) in 0..1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255)


def _cut(pixels: NDArray[np.uint8], top: int, left: int, side: int) -> NDArray[np.uint8]:
    """A square of the image, which is mirrored beyond its borders."""
    piece = pixels[max(top, 0) : top + side, max(left, 0) : left + side]
    before = max(-top, 0), max(-left, 0)
    missing = [(first, side - first - length) for first, length in zip(before, piece.shape[:2], strict=True)]
    return np.pad(piece, (*missing, (0, 0)), "reflect") if any(map(any, missing)) else piece


def _degraded(large: NDArray[np.uint8], pipeline: Pipeline, seed: int, scale: int) -> NDArray[np.uint8]:
    return _eight_bits(pipeline.apply(large / np.float32(255), seed, scale))


def _eight_bits(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(pixels * 255).astype(np.uint8)
