"""SRGAN generators with the blocks of light classification networks: Fire, MobileNetV3, ShuffleNetV2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks, whole_image_note
from ddrscope.networks.architectures.srgan import NormalizedBlock, enlargements

_KEYS = {"in_conv.0.weight", "body_conv.weight", "upsample_blocks.0.0.weight", "out_conv.weight"}
_FIRST = "body.body.0."
_NOTE = whole_image_note("The blocks weight channels by their means over the whole image")


class FireBlock(nn.Module):
    """SqueezeNet's block: a 1x1 convolution that narrows, then 1x1 and 3x3 ones side by side; no residual.

    Args:
        channels: Input channels.
        squeezed: Channels after the first convolution.
        pointwise: Output channels of the 1x1 convolution.
        spatial: Output channels of the 3x3 convolution.
    """

    def __init__(self, channels: int, squeezed: int, pointwise: int, spatial: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(channels, squeezed, 1), nn.ReLU())
        self.expand1x1 = nn.Sequential(nn.Conv2d(squeezed, pointwise, 1), nn.ReLU())
        self.expand3x3 = nn.Sequential(nn.Conv2d(squeezed, spatial, 3, 1, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat((self.expand1x1(x), self.expand3x3(x)), dim=1)


def _convolution(
    channels: int, width: int, side: int, groups: int, activation: nn.Module, eps: float = 1e-5
) -> nn.Sequential:
    layers = (
        nn.Conv2d(channels, width, side, padding=side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width, eps),
    )
    return nn.Sequential(*layers, activation)


class ShuffleBlock(nn.Module):
    """ShuffleNetV2's block: half of the channels are convolved, then both halves are interleaved.

    Args:
        channels: Input and output channels, even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch2 = nn.Sequential(
            _convolution(half, half, 1, 1, nn.ReLU()),
            _convolution(half, half, 3, half, nn.Identity()),
            _convolution(half, half, 1, 1, nn.ReLU()),
        )

    def forward(self, x: Tensor) -> Tensor:
        kept, convolved = x.chunk(2, dim=1)
        return torch.stack((kept, self.branch2(convolved)), dim=2).flatten(1, 2)


class Excitation(nn.Module):
    """Factors of the channels from their means over the image."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * functional.hardsigmoid(self.fc2(self.fc1(means).relu()))


class MobileBlock(nn.Module):
    """MobileNetV3's block: widened, convolved by channel, weighted by channel, narrowed, added to the input.

    Args:
        channels: Input and output channels.
        wide: Channels inside; without the convolution that widens if there are no more.
        side: Side of the kernels of the convolution by channel, odd.
        squeezed: Channels from which the factors of the channels are made.
        activation: The activation function.
    """

    def __init__(self, channels: int, wide: int, side: int, squeezed: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        widened = [_convolution(channels, wide, 1, 1, activation(), 1e-3)] if wide != channels else []
        self.layers = nn.Sequential(
            *widened,
            _convolution(wide, wide, side, wide, activation(), 1e-3),
            Excitation(wide, squeezed),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels, 1e-3),
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.layers(x)
        return x + added


class LightweightSRGAN(nn.Module):
    """An SRGAN generator with blocks of another kind, and LeakyReLU of slope 0.1.

    Input (B, in_channels, H, W) and output (B, in_channels, scale*H, scale*W), both in 0..1. Source: Seo 2022,
    "HOw to LIghtweight SRGAN"; the blocks of Iandola et al. 2016, Ma et al. 2018, Howard et al. 2019.

    Args:
        blocks: The blocks.
        in_channels: Input and output channels.
        channels: Channels of the body.
        factors: The enlargements; their product is the scale.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], in_channels: int = 3, channels: int = 64, factors: Sequence[int] = (2, 2)
    ) -> None:
        super().__init__()
        self.in_conv = nn.Sequential(nn.Conv2d(in_channels, channels, 9, padding=4), nn.LeakyReLU(0.1))
        self.body = nn.ModuleDict({"body": nn.Sequential(*blocks)})
        self.body_conv = nn.Conv2d(channels, channels, 3, 1, 1)
        self.upsample_blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(channels, channels * factor * factor, 3, 1, 1), nn.PixelShuffle(factor), nn.LeakyReLU(0.1)
                )
                for factor in factors
            )
        )
        self.out_conv = nn.Conv2d(channels, in_channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.in_conv(x)
        features = self.upsample_blocks(first + self.body_conv(self.body["body"](first)))
        output: Tensor = self.out_conv(features)
        return output


def _blocks(state: State, channels: int, count: int) -> list[nn.Module]:
    """The blocks of the kind and the sizes of the first one; ValueError for a kind that is not known."""
    if f"{_FIRST}bn1.weight" in state:
        return [NormalizedBlock(channels, bias=False) for _ in range(count)]
    if f"{_FIRST}branch2.0.0.weight" in state:
        return [ShuffleBlock(channels) for _ in range(count)]
    if f"{_FIRST}squeeze.0.weight" in state:
        widths = [state[f"{_FIRST}{name}.0.weight"].shape[0] for name in ("squeeze", "expand1x1", "expand3x3")]
        return [FireBlock(channels, *widths) for _ in range(count)]
    # The convolution by channel is the second one if there is one that widens.
    excitation = next((n for n in (1, 2) if f"{_FIRST}layers.{n}.fc1.weight" in state), None)
    if excitation is None:
        raise ValueError("blocks of another kind than Fire, MobileNetV3, ShuffleNetV2 and residual ones")
    wide, side = state[f"{_FIRST}layers.{excitation - 1}.0.weight"].shape[::3]
    squeezed = state[f"{_FIRST}layers.{excitation}.fc1.weight"].shape[0]
    # Not in the weights: in all published ones, the first half has ReLU.
    activations = [nn.ReLU if n < count // 2 else nn.Hardswish for n in range(count)]
    return [MobileBlock(channels, wide, side, squeezed, activation) for activation in activations]


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS and any(key.startswith(_FIRST) for key in state)


def _read(state: State) -> ModelSpec:
    channels, in_channels = state["in_conv.0.weight"].shape[:2]
    count = count_blocks(state, "body.body.")
    factors = enlargements(state, "upsample_blocks.", ".0.weight", channels)
    return ModelSpec(
        state=state,
        build=lambda _: LightweightSRGAN(_blocks(state, channels, count), in_channels, channels, factors),
        scale=math.prod(factors),
        channels=in_channels,
        layers=(*(f"body.body.{n}" for n in range(count)), "out_conv:input"),
        notes=(_NOTE,) if any(".fc1." in key for key in state) else (),
    )


ARCHITECTURE = Architecture("Lightweight SRGAN", _matches, _read)
