"""Fast-SRGAN: a small SRGAN generator with instance normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks, whole_image_note
from ddrscope.networks.architectures.srgan import Enlargement, enlargements

_KEYS = {"neck.0.weight", "neck.1.weight", "stem.0.conv1.weight", "bottleneck.0.weight", "head.0.weight"}
_NOTE = whole_image_note("Instance normalization uses the mean and the deviation of the whole image")


class InstanceNormalizedBlock(nn.Module):
    """Two 3x3 convolutions with instance normalization and a PReLU between them, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1 = nn.InstanceNorm2d(channels)
        self.relu1 = nn.PReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.InstanceNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return x + added


class FastSRGAN(nn.Module):
    """Fast-SRGAN as its authors published it in PyTorch.

    Input (B, in_channels, H, W) and output (B, in_channels, scale*H, scale*W), both in 0..1; inside, they are in -1..1
    as in training. Source: Raza 2019, after Ledig et al. 2017 (arXiv 1609.04802).

    Args:
        in_channels: Input and output channels.
        channels: Channels of the body.
        blocks: Residual blocks.
        factors: The enlargements; their product is the scale.
    """

    def __init__(
        self, in_channels: int = 3, channels: int = 64, blocks: int = 8, factors: Sequence[int] = (2, 2)
    ) -> None:
        super().__init__()
        self.neck = nn.Sequential(nn.Conv2d(in_channels, channels, 3, 1, 1), nn.PReLU())
        self.stem = nn.Sequential(*(InstanceNormalizedBlock(channels) for _ in range(blocks)))
        self.bottleneck = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.InstanceNorm2d(channels))
        self.upsampling = nn.Sequential(*(Enlargement(channels, factor) for factor in factors))
        self.head = nn.Sequential(nn.Conv2d(channels, in_channels, 3, 1, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        first = self.neck(2 * x - 1)
        output: Tensor = self.head(self.upsampling(first + self.bottleneck(self.stem(first))))
        return (output + 1) / 2


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    state = {key.replace(".relu.", ".prelu."): tensor for key, tensor in state.items()}
    channels, in_channels = state["neck.0.weight"].shape[:2]
    blocks = count_blocks(state, "stem.")
    factors = enlargements(state, "upsampling.", ".conv.weight", channels)
    return ModelSpec(
        state=state,
        build=lambda _: FastSRGAN(in_channels, channels, blocks, factors),
        scale=math.prod(factors),
        channels=in_channels,
        layers=(*(f"stem.{n}" for n in range(blocks)), "head.0:input"),
        # A single pixel has no deviation.
        minimum_size=2,
        notes=(_NOTE,),
    )


ARCHITECTURE = Architecture("Fast-SRGAN", _matches, _read, FastSRGAN)
