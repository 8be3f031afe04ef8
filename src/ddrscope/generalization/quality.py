"""PSNR of a network's outputs on patches whose ground truth is known."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.features.precision import autocast
from ddrscope.layers import device_of
from ddrscope.metrics.image_quality import psnr_y
from ddrscope.networks import Network

# PSNR is measured on the first patches of each photograph.
PATCHES_PER_PHOTO = 2
BATCH = 8


def psnr_by_photo(
    network: Network,
    patches: NDArray[np.float32],
    truth: NDArray[np.float32],
    photos: NDArray[np.str_],
    precision: Precision,
) -> dict[str, float]:
    """Mean PSNR on Y of each photograph, with a border of ``scale`` pixels cropped.

    Args:
        network: The network.
        patches: Inputs (N, h, w, C) in 0..1.
        truth: The images that the network should give (N, h * scale, w * scale, C).
        photos: The photograph of each patch (N,).
        precision: Precision of the network.

    Returns:
        PSNR in dB by photograph. Empty for a network that gives no images, such as a classifier.

    Raises:
        InputError: An output is NaN or infinite.
    """
    kept = np.concatenate([np.flatnonzero(photos == photo)[:PATCHES_PER_PHOTO] for photo in np.unique(photos)])
    values: dict[str, list[float]] = {}
    device = device_of(network.module)
    for start in range(0, len(kept), BATCH):
        rows = kept[start : start + BATCH]
        batch = torch.from_numpy(patches[rows]).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        with autocast(precision, device):
            output = network(batch.to(device)).float()
        if output.ndim != 4 or output.permute(0, 2, 3, 1).shape[1:] != truth.shape[1:]:
            return {}
        if not output.isfinite().all():
            raise InputError("its output is NaN or infinite: check its weights, or run it in float32")
        images = output.clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        for row, pixels in zip(rows, images, strict=True):
            psnr = psnr_y(np.rint(pixels * 255) / 255, truth[row], network.scale)
            values.setdefault(str(photos[row]), []).append(psnr)
    return {photo: float(np.mean(psnrs)) for photo, psnrs in values.items()}
