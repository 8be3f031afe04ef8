"""PSNR and SSIM on the luma channel Y with the border cropped, as is usual in super-resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

# Rec. 601 luma in studio range, as MATLAB's rgb2ycbcr computes it.
LUMA = np.array([65.481, 128.553, 24.966]) / 255
_MIN_MSE = 1e-10


def luma(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """The luma (H, W) of an image (H, W, C) in 0..1: 16..235 for RGB; a single channel is multiplied by 255."""
    if pixels.shape[2] == 1:
        return pixels[:, :, 0].astype(np.float64) * 255
    return 16 + pixels.astype(np.float64) @ LUMA * 255


def psnr_y(image: NDArray[Any], reference: NDArray[Any], border: int) -> float:
    """Peak signal-to-noise ratio on Y in dB, for a peak of 255.

    Args:
        image: Image (H, W, C) in 0..1.
        reference: Image of the same shape.
        border: Pixels that are cropped on each side, usually the scale.

    Returns:
        PSNR, at most 148 dB (equal images).
    """
    difference = _crop(luma(image) - luma(reference), border)
    return float(10 * np.log10(255**2 / max(float(np.mean(difference**2)), _MIN_MSE)))


def ssim_y(image: NDArray[Any], reference: NDArray[Any], border: int) -> float:
    """Structural similarity on Y with a Gaussian window of sigma 1.5 (Wang et al. 2004); parameters as for `psnr_y`."""
    return float(
        structural_similarity(
            _crop(luma(image), border),
            _crop(luma(reference), border),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def _crop(plane: NDArray[np.float64], border: int) -> NDArray[np.float64]:
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border] if border else plane
