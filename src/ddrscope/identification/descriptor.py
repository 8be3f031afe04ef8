"""The descriptor of an image: pooled features of a network off the shelf, whatever the image's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.features import Precision, capture, to_channels_first
from ddrscope.features.precision import autocast, check_precision
from ddrscope.identification.pooling import POOLINGS, Channels
from ddrscope.networks import Network

# A network of 3 x 3 kernels sees nothing but its own padding in less.
SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Descriptor:
    """Which statistics of which layers of ``network`` describe an image: ``poolings`` by layer, names as in `POOLINGS`."""

    network: Network
    poolings: Mapping[str, Sequence[str]]
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_precision(self.precision)
        unknown = {name for names in self.poolings.values() for name in names} - POOLINGS.keys()
        if unknown:
            raise InputError(f"pooling {min(unknown)!r} is unknown: choose from {', '.join(POOLINGS)}")

    def describe(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """The descriptors (N, D) of images (N, H, W, C) in 0..1; each row is that of its image alone."""
        parts = self.describe_parts(images)
        return np.concatenate([parts[layer, name] for layer, names in self.poolings.items() for name in names], axis=1)

    def widths(self) -> list[int]:
        """How many numbers each part of a descriptor has, a part being a layer in one pooling."""
        blank = np.zeros((1, SMALLEST_SIDE, SMALLEST_SIDE, self.network.channels), np.float32)
        sizes = {key: rows.shape[1] for key, rows in self.describe_parts(blank).items()}
        return [sizes[layer, name] for layer, names in self.poolings.items() for name in names]

    def describe_parts(self, images: NDArray[np.float32]) -> dict[tuple[str, str], NDArray[np.float32]]:
        """The same, by layer and pooling."""
        batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        device = next(self.network.module.parameters()).device
        batch = batch.to(device).contiguous(memory_format=torch.channels_last)
        rows: dict[tuple[str, str], list[NDArray[np.float32]]] = {}

        def reduce(layer: str, tensor: Tensor) -> None:
            with torch.autocast(device.type, enabled=False):
                channels = Channels(to_channels_first(tensor, one)[0].float(), *one.shape[2:])
                for name in self.poolings[layer]:
                    rows.setdefault((layer, name), []).append(POOLINGS[name](channels).cpu().numpy())

        for index in range(len(batch)):
            one = batch[index : index + 1]
            with autocast(self.precision, device):
                capture(self.network.module, one, list(self.poolings), reduce, run=self.network)
        return {key: np.stack(found) for key, found in rows.items()}


def default_poolings(network: Network) -> dict[str, tuple[str, ...]]:
    """What was found best for its cost on photographs held out (docs/identification.md): all of the trunk's end."""
    layers = [layer for layer in network.layers if layer != network.last_hr_layer] or list(network.layers)
    if not layers:
        raise InputError(
            f"{network.name}: its layers are not known by heart, so what describes an image cannot be chosen"
        )
    return {layers[-1]: ("correlation", "autocorrelation", "local_spread")}
