"""Bicubic enlargement as in TensorFlow 1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SHARPNESS = -0.75


def enlarge_from_corner(x: Tensor, scale: int) -> Tensor:
    """The enlarged image by cubic convolution (Keys, 1981), where the first pixels of both images coincide.

    In PyTorch's ``interpolate``, the outer borders of both coincide, or the corner pixels.

    Args:
        x: Images (B, C, H, W).
        scale: Output side over input side.
    """
    taps = _taps(scale).to(x)
    # Output pixel scale * i + p lies at i + p / scale, between the input pixels i - 1 ... i + 2.
    kernels = torch.einsum("ay,bx->abyx", taps, taps).reshape(scale**2, 1, 4, 4)
    planes = functional.pad(x.flatten(0, 1)[:, None], (1, 2, 1, 2), mode="replicate")
    enlarged = functional.pixel_shuffle(functional.conv2d(planes, kernels), scale)
    return enlarged.view(*x.shape[:2], *enlarged.shape[2:])


def _taps(scale: int) -> Tensor:
    """The weights of four neighbours (columns) for each fraction of a pixel (rows)."""
    distance = (torch.arange(-1, 3)[None] - torch.arange(scale)[:, None] / scale).abs()
    near = ((_SHARPNESS + 2) * distance - (_SHARPNESS + 3)) * distance**2 + 1
    far = _SHARPNESS * (((distance - 5) * distance + 8) * distance - 4)
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros(())))
