"""How good an SR network is, as the field measures it: PSNR on Y, border cropped, beside bicubic enlargement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import nn

from ddrscope.degradations import resize
from ddrscope.training.photos import PhotoPairs, as_batch

# Rec.601 luma in the studio range, as MATLAB's rgb2ycbcr gives it, which the field's PSNR tables use.
LUMA = np.array([65.481, 128.553, 24.966]) / 255


@dataclass(frozen=True)
class Quality:
    """PSNR (dB) and SSIM on Y of one photograph, by the network and by bicubic enlargement."""

    photo: str
    psnr: float
    ssim: float
    psnr_bicubic: float
    ssim_bicubic: float


def luma(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Y in 16..235 of RGB pixels (H, W, 3) in 0..1; a single channel is taken as it is, times 255."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0].astype(np.float64) * 255
    return 16 + pixels.astype(np.float64) @ LUMA * 255


def psnr_y(one: NDArray[Any], other: NDArray[Any], border: int) -> float:
    """Peak signal-to-noise ratio on Y in dB, peak 255, ``border`` pixels cropped on each side."""
    difference = _inside(luma(one) - luma(other), border)
    return float(10 * np.log10(255**2 / max(float(np.mean(difference**2)), 1e-10)))


def ssim_y(one: NDArray[Any], other: NDArray[Any], border: int) -> float:
    """Structural similarity on Y (Wang et al. 2004: Gaussian window of sigma 1.5), ``border`` pixels cropped on each side."""
    return float(
        structural_similarity(
            _inside(luma(one), border),
            _inside(luma(other), border),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def judge(module: nn.Module, photos: PhotoPairs, largest: int | None = None) -> list[Quality]:
    """The quality of ``module`` on each photograph; ``largest`` crops the middle to so many LR pixels a side, for speed."""
    module.eval()
    rows = []
    for name, small, large in zip(photos.names, photos.small, photos.large, strict=True):
        small, large = _middle(small, large, photos.scale, largest)
        with torch.inference_mode():
            output = module(as_batch([small])).clamp(0, 1)[0].permute(1, 2, 0).numpy()
        truth = large.astype(np.float32) / 255
        bicubic = np.clip(resize(small.astype(np.float32) / np.float32(255), truth.shape[:2]), 0, 1)
        output, bicubic = _as_saved(output), _as_saved(bicubic)
        border = photos.scale
        rows.append(
            Quality(
                name,
                psnr_y(output, truth, border),
                ssim_y(output, truth, border),
                psnr_y(bicubic, truth, border),
                ssim_y(bicubic, truth, border),
            )
        )
    return rows


def _as_saved(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Rounded to 8 bits, as a file of the picture would be."""
    return (np.rint(pixels * 255) / 255).astype(np.float32)


def _inside(plane: NDArray[np.float64], border: int) -> NDArray[np.float64]:
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border] if border else plane


def _middle(
    small: NDArray[np.uint8], large: NDArray[np.uint8], scale: int, largest: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if largest is None:
        return small, large
    top, left = (max(side - largest, 0) // 2 for side in small.shape[:2])
    height, width = (min(side, largest) for side in small.shape[:2])
    return (
        small[top : top + height, left : left + width],
        large[top * scale : (top + height) * scale, left * scale : (left + width) * scale],
    )
