"""The quality of SR networks: PSNR and SSIM on Y with cropped borders, and LPIPS, compared with bicubic enlargement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ddrscope.degradations import resize
from ddrscope.errors import InputError
from ddrscope.metrics.image_quality import psnr_y, ssim_y
from ddrscope.results.training import Quality
from ddrscope.training.guidance import oracle_condition
from ddrscope.training.perceptual import ShiftTolerantLpips
from ddrscope.training.photos import PhotoPairs, as_batch

# LPIPS, which takes a hundred times as long as the network, is computed on the centre of this many HR pixels a side.
_LPIPS_SIDE = 384


class Evaluator:
    """Measures the quality of networks on photographs.

    LPIPS is ST-LPIPS with VGG-16, with which no bundled network was trained.

    Args:
        validation: The photographs that are used during a training.
    """

    def __init__(self, validation: PhotoPairs) -> None:
        self.validation = validation
        self.perceptual = ShiftTolerantLpips("vgg").to(memory_format=torch.channels_last)

    def evaluate(
        self, module: nn.Module, photos: PhotoPairs, max_side: int | None = None, perceptual: bool = True
    ) -> list[Quality]:
        """Measure the quality on each photograph.

        Args:
            module: The network.
            photos: The photographs.
            max_side: Only the centre of this many LR pixels a side is used. None: whole photographs.
            perceptual: Whether LPIPS is computed; it is NaN otherwise.

        Raises:
            InputError: The output of the network is not finite.
        """
        rows = []
        for name, (bicubic, output, truth) in zip(photos.names, self._images(module, photos, max_side), strict=True):
            border = photos.scale
            measures = {}
            for suffix, pixels in (("", output), ("_bicubic", bicubic)):
                measures[f"psnr{suffix}"] = psnr_y(pixels, truth, border)
                measures[f"ssim{suffix}"] = ssim_y(pixels, truth, border)
                measures[f"lpips{suffix}"] = self._lpips(pixels, truth) if perceptual else math.nan
            rows.append(Quality(name, **measures))
        return rows

    def validate(self, module: nn.Module, max_side: int, perceptual: bool = True) -> list[Quality]:
        """Measure the quality on each validation photograph, as `evaluate`."""
        return self.evaluate(module, self.validation, max_side, perceptual)

    def previews(self, module: nn.Module, max_side: int) -> list[list[NDArray[np.uint8]]]:
        """For each validation photograph: enlarged bicubically, by the network, and the photograph, as uint8."""
        images = self._images(module, self.validation, max_side)
        return [[np.rint(pixels * 255).astype(np.uint8) for pixels in row] for row in images]

    def _images(
        self, module: nn.Module, photos: PhotoPairs, max_side: int | None
    ) -> Iterator[list[NDArray[np.float32]]]:
        module.eval()
        device = next(module.parameters()).device
        for small, large, pipeline in zip(photos.small, photos.large, photos.pipelines, strict=True):
            small, large = _center_pair(small, large, photos.scale, max_side)
            with torch.inference_mode():
                inputs = (as_batch([small]), *oracle_condition(module, [pipeline]))
                raw = module(*(part.to(device) for part in inputs))
            if not raw.isfinite().all():
                raise InputError(
                    "the network in training gives NaN or infinite values: give a lower learning rate, or float32"
                )
            output = raw.clamp(0, 1)[0].permute(1, 2, 0).cpu().numpy()
            truth = large.astype(np.float32) / np.float32(255)
            bicubic = np.clip(resize(small.astype(np.float32) / np.float32(255), truth.shape[:2]), 0, 1)
            yield [_round_to_8_bits(bicubic), _round_to_8_bits(output), truth]

    def _lpips(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
        with torch.inference_mode():
            pair = (torch.from_numpy(_center(pixels, _LPIPS_SIDE)).permute(2, 0, 1)[None] for pixels in (one, other))
            return self.perceptual(*pair).item()


def _round_to_8_bits(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """The pixels as if they were saved with 8 bits."""
    return (np.rint(pixels * 255) / 255).astype(np.float32)


def _center(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    top, left = (max(length - side, 0) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def _center_pair(
    small: NDArray[np.uint8], large: NDArray[np.uint8], scale: int, max_side: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if max_side is None:
        return small, large
    top, left = (max(side - max_side, 0) // 2 for side in small.shape[:2])
    area = slice(top * scale, (top + max_side) * scale), slice(left * scale, (left + max_side) * scale)
    return _center(small, max_side), large[area]
