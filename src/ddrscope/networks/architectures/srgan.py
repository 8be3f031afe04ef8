"""The generator of SRGAN: residual blocks with batch normalization, PReLU, and tanh at the end."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks

# Some ports keep the residual blocks in a list of their own, others between the first block and the last two.
_KEYS = {"block1.0.weight", "block1.1.weight"}
_NORMS = {"block2.bn1.weight", "residual_blocks.0.bn1.weight"}
# As an exported network has them.
_MODULE_KEYS = {"head.0.weight", "head.1.weight", "body.0.bn1.weight", "body_end.0.weight", "output.weight"}


class NormalizedBlock(nn.Module):
    """Two 3x3 convolutions with batch normalization and a PReLU between them, added to the input.

    Args:
        channels: Input and output channels.
        slopes: Slopes of the PReLU: 1, or one for each channel.
        bias: Whether the convolutions have biases.
    """

    def __init__(self, channels: int, slopes: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU(slopes)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=bias)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))
        return x + added


class Enlargement(nn.Sequential):
    """A 3x3 convolution, a pixel shuffle and a PReLU."""

    def __init__(self, channels: int, factor: int, slopes: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels * factor * factor, 3, 1, 1)
        self.pixel_shuffle = nn.PixelShuffle(factor)
        self.prelu = nn.PReLU(slopes)


class SRGAN(nn.Module):
    """The generator of SRGAN as in its common PyTorch port.

    Input (B, in_channels, H, W) and output (B, in_channels, scale*H, scale*W), both in 0..1: the output is
    (tanh + 1) / 2. Source: Ledig et al. 2017 (arXiv 1609.04802).

    Args:
        in_channels: Input and output channels.
        channels: Channels of the body.
        blocks: Residual blocks; 16 as published, 5 in the common port.
        factors: The enlargements; their product is the scale.
        sides: Sides of the kernels of the first and of the last convolution, odd.
        slopes: Slopes of each PReLU: 1, or one for each channel.
    """

    def __init__(
        self,
        in_channels: int = 3,
        channels: int = 64,
        blocks: int = 5,
        factors: Sequence[int] = (2, 2),
        sides: tuple[int, int] = (9, 9),
        slopes: int = 1,
    ) -> None:
        super().__init__()
        first, last = sides
        self.head = nn.Sequential(nn.Conv2d(in_channels, channels, first, padding=first // 2), nn.PReLU(slopes))
        self.body = nn.Sequential(*(NormalizedBlock(channels, slopes) for _ in range(blocks)))
        self.body_end = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels))
        self.upsampling = nn.Sequential(*(Enlargement(channels, factor, slopes) for factor in factors))
        self.output = nn.Conv2d(channels, in_channels, last, padding=last // 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.head(x)
        features = self.upsampling(first + self.body_end(self.body(first)))
        return (torch.tanh(self.output(features)) + 1) / 2


def enlargements(state: State, prefix: str, suffix: str, channels: int) -> list[int]:
    """The factors of the convolutions ``prefix`` + number + ``suffix`` before pixel shuffles, in order."""
    widths = [state[f"{prefix}{n}{suffix}"].shape[0] for n in range(count_blocks(state, prefix))]
    return [round((width / channels) ** 0.5) for width in widths]


def _module_names(state: State) -> State:
    """The weights under the names of `SRGAN`: the port numbers all blocks from the first to the last, from 1."""
    if state.keys() >= _MODULE_KEYS:
        return state
    found = {int(match[1]) for match in (re.match(r"block(\d{1,4})\.", key) for key in state) if match}
    first, *between, body_end, tail = sorted(found)
    places = {first: "head", body_end: "body_end", **{number: f"body.{n}" for n, number in enumerate(between)}}

    def rename(key: str) -> str:
        if key.startswith("residual_blocks."):
            return "body." + key.removeprefix("residual_blocks.")
        match = re.fullmatch(r"block(\d{1,4})\.(.+)", key)
        if match is None:
            return key
        number, rest = int(match[1]), match[2]
        if number != tail:
            return f"{places[number]}.{rest}"
        # The last block holds the enlargements and, after them, the output convolution.
        return re.sub(r"^\d+\.", "output.", rest) if re.fullmatch(r"\d+\.(weight|bias)", rest) else f"upsampling.{rest}"

    return {rename(key): tensor for key, tensor in state.items()}


def _matches(state: State) -> bool:
    return state.keys() >= _MODULE_KEYS or (state.keys() >= _KEYS and bool(_NORMS & state.keys()))


def _read(state: State) -> ModelSpec:
    state = _module_names(state)
    channels, in_channels, first, _ = state["head.0.weight"].shape
    blocks, slopes = count_blocks(state, "body."), state["head.1.weight"].numel()
    factors = enlargements(state, "upsampling.", ".conv.weight", channels)
    sides = (first, state["output.weight"].shape[-1])
    return ModelSpec(
        state=state,
        build=lambda _: SRGAN(in_channels, channels, blocks, factors, sides, slopes),
        scale=math.prod(factors),
        channels=in_channels,
        layers=(*(f"body.{n}" for n in range(blocks)), "output:input"),
    )


ARCHITECTURE = Architecture("SRGAN", _matches, _read, SRGAN)
