"""The descriptor of an image: statistics of a network's features that do not depend on the image's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.features import Precision, to_channels_first
from ddrscope.features.precision import autocast, check_precision
from ddrscope.identification.pooling import POOLINGS, Channels
from ddrscope.layers import capture
from ddrscope.networks import Network

# In smaller images a network of 3 x 3 kernels sees mostly its own padding.
MIN_SIDE = 16


@dataclass(frozen=True)
class Descriptor:
    """Describes images by statistics of a network's layers.

    Args:
        network: The network.
        poolings: The names of statistics, keys of `POOLINGS`, for each layer.
        precision: In which the network is run: ``float32``, ``bfloat16`` or ``auto``.

    Raises:
        InputError: A pooling or the precision is unknown.
    """

    network: Network
    poolings: Mapping[str, Sequence[str]]
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_precision(self.precision)
        unknown = {name for names in self.poolings.values() for name in names} - POOLINGS.keys()
        if unknown:
            raise InputError(f"pooling {min(unknown)!r} is unknown: choose from {', '.join(POOLINGS)}")

    def describe(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The descriptors (N, D) of images (N, H, W, C) in 0..1. A row depends on its image only."""
        parts = self.describe_parts(images)
        return np.concatenate([parts[layer, name] for layer, names in self.poolings.items() for name in names], axis=1)

    def widths(self) -> list[int]:
        """The length of each part of a descriptor; a part is a layer in one pooling."""
        blank = np.zeros((1, MIN_SIDE, MIN_SIDE, self.network.channels), np.float32)
        parts = self.describe_parts(blank)
        return [parts[layer, name].shape[1] for layer, names in self.poolings.items() for name in names]

    def describe_parts(self, images: NDArray[np.float32]) -> dict[tuple[str, str], NDArray[np.float32]]:
        """The descriptors of images (N, H, W, C) in parts (N, ...), by layer and pooling."""
        batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        device = next(self.network.module.parameters()).device
        batch = batch.to(device).contiguous(memory_format=torch.channels_last)
        rows: dict[tuple[str, str], list[NDArray[np.float32]]] = {}

        def pool(layer: str, features: Tensor) -> None:
            with torch.autocast(device.type, enabled=False):
                channels = Channels(to_channels_first(features, image)[0].float(), *image.shape[2:])
                for name in self.poolings[layer]:
                    rows.setdefault((layer, name), []).append(POOLINGS[name](channels).cpu().numpy())

        # One by one, so that a row does not depend on the others.
        for index in range(len(batch)):
            image = batch[index : index + 1]
            with autocast(self.precision, device):
                capture(self.network.module, image, list(self.poolings), pool, run=self.network)
        return {key: np.stack(vectors) for key, vectors in rows.items()}


def default_poolings(network: Network) -> dict[str, tuple[str, ...]]:
    """The statistics of the end of the trunk that were best for their cost on held-out photographs (docs/identification.md).

    Raises:
        InputError: The architecture of the network is unknown, so that there is no default.
    """
    layers = [layer for layer in network.layers if layer != network.last_hr_layer] or list(network.layers)
    if not layers:
        raise InputError(f"{network.name}: its architecture is unknown, so no layer can be chosen by default")
    return {layers[-1]: ("correlation", "autocorrelation", "local_spread")}
