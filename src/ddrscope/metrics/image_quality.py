"""How near an image comes to the truth, as the field measures it: PSNR and SSIM on Y, border cropped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

# Rec.601 luma in the studio range, as MATLAB's rgb2ycbcr gives it, which the field's PSNR tables use.
LUMA = np.array([65.481, 128.553, 24.966]) / 255


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


def _inside(plane: NDArray[np.float64], border: int) -> NDArray[np.float64]:
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border] if border else plane
