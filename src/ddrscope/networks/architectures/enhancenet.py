"""EnhanceNet: residual blocks, nearest-neighbour enlargements, and a bicubic global residual."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.corner_resize import enlarge_from_corner

_KEYS = {
    "entry.weight",
    "body.0.conv1.weight",
    "body.0.conv2.weight",
    "up1.weight",
    "up2.weight",
    "late.weight",
    "exit.weight",
}
_SCALE = 4
# Of the training images, by the authors.
_MEAN = (0.47614917, 0.45001204, 0.40904046)


class ResidualBlock(nn.Module):
    """Two convolutions with a ReLU in between, and a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x).relu())


class EnhanceNet(nn.Module):
    """EnhanceNet x4; input (B, 3, H, W) and output (B, 3, 4*H, 4*W) in 0..1. Source: Sajjadi et al. 2017 (arXiv 1612.07919).

    Args:
        channels: Channels of all layers.
        blocks: Residual blocks.
    """

    def __init__(self, channels: int = 64, blocks: int = 10) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, -1, 1, 1), persistent=False)
        self.entry = nn.Conv2d(len(_MEAN), channels, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.up1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.up2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.late = nn.Conv2d(channels, channels, 3, 1, 1)
        self.exit = nn.Conv2d(channels, len(_MEAN), 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(self.entry(x - self.get_buffer("mean")).relu())
        for convolution in (self.up1, self.up2):
            features = convolution(functional.interpolate(features, scale_factor=2, mode="nearest")).relu()
        output: Tensor = self.exit(self.late(features).relu())
        return output + enlarge_from_corner(x, _SCALE)


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    channels, blocks = state["entry.weight"].shape[0], count_blocks(state, "body.")
    return ModelSpec(
        state=state,
        build=lambda _: EnhanceNet(channels, blocks),
        scale=_SCALE,
        channels=len(_MEAN),
        layers=(*(f"body.{n}" for n in range(blocks)), "exit:input"),
        global_residual=True,
    )


ARCHITECTURE = Architecture("EnhanceNet", _matches, _read, EnhanceNet)
