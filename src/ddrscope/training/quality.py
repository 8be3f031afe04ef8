"""How good an SR network is, as the field measures it: PSNR and SSIM on Y, border cropped, and LPIPS, beside bicubic enlargement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ddrscope.degradations import resize
from ddrscope.errors import InputError
from ddrscope.metrics.image_quality import psnr_y, ssim_y
from ddrscope.training.guidance import told
from ddrscope.training.perceptual import ShiftTolerantLpips
from ddrscope.training.photos import PhotoPairs, as_batch

# HR pixels.
LPIPS_SIDE = 384


@dataclass(frozen=True)
class Quality:
    """PSNR (dB) and SSIM on Y, and LPIPS (smaller is better) of one photograph, by the network and by bicubic enlargement."""

    photo: str
    psnr: float
    psnr_bicubic: float
    ssim: float
    ssim_bicubic: float
    lpips: float
    lpips_bicubic: float


MEASURES = tuple(field.name for field in fields(Quality))[1:]


class Evaluator:
    """Rates networks on photographs; ``validation`` are those it watches a training with.

    LPIPS is ST-LPIPS with VGG-16, which no bundled network was trained with, of the middle `LPIPS_SIDE` pixels a side of each: it
    costs a hundred times what the network does.
    """

    def __init__(self, validation: PhotoPairs) -> None:
        self.validation = validation
        self.perceptual = ShiftTolerantLpips("vgg").to(memory_format=torch.channels_last)

    def rate(
        self, module: nn.Module, photos: PhotoPairs, largest: int | None = None, perceptual: bool = True
    ) -> list[Quality]:
        """The quality of ``module`` on each photograph.

        For speed ``largest`` crops the middle to so many LR pixels a side, and without ``perceptual`` LPIPS is not a number.
        """
        rows = []
        for name, (bicubic, output, truth) in zip(photos.names, self._images(module, photos, largest), strict=True):
            border = photos.scale
            measures = {}
            for key, pixels in (("", output), ("_bicubic", bicubic)):
                measures[f"psnr{key}"] = psnr_y(pixels, truth, border)
                measures[f"ssim{key}"] = ssim_y(pixels, truth, border)
                measures[f"lpips{key}"] = self._lpips(pixels, truth) if perceptual else math.nan
            rows.append(Quality(name, **measures))
        return rows

    def validate(self, module: nn.Module, largest: int, perceptual: bool = True) -> list[Quality]:
        """The quality of ``module`` on the validation photographs, as in `rate`."""
        return self.rate(module, self.validation, largest, perceptual)

    def previews(self, module: nn.Module, largest: int) -> list[list[NDArray[np.uint8]]]:
        """For each validation photograph: enlarged by bicubic, by ``module``, and itself, in 8 bits."""
        images = self._images(module, self.validation, largest)
        return [[np.rint(pixels * 255).astype(np.uint8) for pixels in row] for row in images]

    def _images(
        self, module: nn.Module, photos: PhotoPairs, largest: int | None
    ) -> Iterator[list[NDArray[np.float32]]]:
        module.eval()
        device = next(module.parameters()).device
        for small, large, pipeline in zip(photos.small, photos.large, photos.pipelines, strict=True):
            small, large = _middle(small, large, photos.scale, largest)
            with torch.inference_mode():
                given = (as_batch([small]), *told(module, [pipeline]))
                made = module(*(part.to(device) for part in given))
            if not made.isfinite().all():
                raise InputError(
                    "the network in training gives values that are NaN or infinite: give a lower learning rate, or float32"
                )
            output = made.clamp(0, 1)[0].permute(1, 2, 0).cpu().numpy()
            truth = large.astype(np.float32) / np.float32(255)
            bicubic = np.clip(resize(small.astype(np.float32) / np.float32(255), truth.shape[:2]), 0, 1)
            yield [_as_saved(bicubic), _as_saved(output), truth]

    def _lpips(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
        with torch.inference_mode():
            pair = (torch.from_numpy(_middle_of(pixels, LPIPS_SIDE)).permute(2, 0, 1)[None] for pixels in (one, other))
            return self.perceptual(*pair).item()


def _as_saved(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Rounded to 8 bits, as a file of the image would be."""
    return (np.rint(pixels * 255) / 255).astype(np.float32)


def _middle_of(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    top, left = (max(length - side, 0) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def _middle(
    small: NDArray[np.uint8], large: NDArray[np.uint8], scale: int, largest: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if largest is None:
        return small, large
    top, left = (max(side - largest, 0) // 2 for side in small.shape[:2])
    inside = slice(top * scale, (top + largest) * scale), slice(left * scale, (left + largest) * scale)
    return _middle_of(small, largest), large[inside]
