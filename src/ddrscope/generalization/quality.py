"""How near a network comes to the truth on the patches of a set, where the truth is known."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.features.hooks import device_of
from ddrscope.features.precision import autocast
from ddrscope.metrics.image_quality import psnr_y
from ddrscope.networks import Network

# Of each photograph so many patches are enlarged to the end.
PATCHES_A_PHOTO = 2
BATCH = 8


def psnr_by_photo(
    network: Network,
    patches: NDArray[np.float32],
    truth: NDArray[np.float32],
    photos: NDArray[np.str_],
    precision: Precision,
) -> dict[str, float]:
    """PSNR on Y in dB, border of the scale cropped, the mean over some patches of each photograph; patches (N, h, w, C) in 0..1.

    Empty for a network that makes no images, such as a classifier. Raises `InputError` for an output that is not finite.
    """
    kept = np.concatenate([np.flatnonzero(photos == photo)[:PATCHES_A_PHOTO] for photo in np.unique(photos)])
    found: dict[str, list[float]] = {}
    device = device_of(network.module)
    for start in range(0, len(kept), BATCH):
        some = kept[start : start + BATCH]
        batch = torch.from_numpy(patches[some]).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        with autocast(precision, device):
            output = network(batch.to(device)).float()
        if output.ndim != 4 or output.permute(0, 2, 3, 1).shape[1:] != truth.shape[1:]:
            return {}
        if not output.isfinite().all():
            raise InputError("its output is NaN or infinite: check its weights, or run it in float32")
        output = output.clamp(0, 1)
        for index, pixels in zip(some, output.permute(0, 2, 3, 1).cpu().numpy(), strict=True):
            found.setdefault(str(photos[index]), []).append(
                psnr_y(np.rint(pixels * 255) / 255, truth[index], network.scale)
            )
    return {photo: float(np.mean(values)) for photo, values in found.items()}
