"""EDSR, another common network without batch normalization."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.architectures.srresnet import ResidualBlock

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
_BASICSR_KEYS = {"conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight", "conv_last.weight"}
_ORIGINAL_KEYS = {"head.0.weight", "body.0.body.0.weight", "tail.1.weight"}
_ORIGINAL_NAMES = (
    (re.compile(r"head\.0\."), "conv_first."),
    (re.compile(r"body\.(\d+)\.body\.0\."), r"body.\1.conv1."),
    (re.compile(r"body\.(\d+)\.body\.2\."), r"body.\1.conv2."),
    (re.compile(r"body\.\d+\.(?=weight|bias)"), "conv_after_body."),
    (re.compile(r"tail\.0\."), "upsample."),
    (re.compile(r"tail\.1\."), "conv_last."),
)


class EDSR(nn.Module):
    """EDSR under BasicSR's weight names. It has no global residual over images.

    Input (B, in_channels, H, W) and output (B, out_channels, scale*H, scale*W), both in 0..1. Source: Lim et al. 2017.

    Args:
        in_channels: Input channels; images of three are centred on the mean colour of DIV2K inside.
        out_channels: Output channels.
        channels: Channels of the trunk.
        blocks: Residual blocks.
        scale: 3 or a power of 2.
        pixel_range: Factor of the pixels inside.
    """

    mean: Tensor

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        channels: int = 64,
        blocks: int = 16,
        scale: int = 4,
        pixel_range: float = 255.0,
    ) -> None:
        super().__init__()
        self.pixel_range = pixel_range
        mean = torch.tensor(DIV2K_MEAN) if in_channels == out_channels == 3 else torch.zeros(1)
        self.register_buffer("mean", mean.view(1, -1, 1, 1), persistent=False)
        # The authors' large model needs it to train. The weights do not contain the factor, but the width identifies
        # the model.
        residual_scale = 0.1 if channels == 256 else 1.0
        self.conv_first = nn.Conv2d(in_channels, channels, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualBlock(channels, residual_scale) for _ in range(blocks)))
        self.conv_after_body = nn.Conv2d(channels, channels, 3, 1, 1)
        self.upsample = nn.Sequential()
        for factor in _shuffles(scale):
            self.upsample.append(nn.Conv2d(channels, channels * factor * factor, 3, 1, 1))
            self.upsample.append(nn.PixelShuffle(factor))
        self.conv_last = nn.Conv2d(channels, out_channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv_first((x - self.mean) * self.pixel_range)
        features = first + self.conv_after_body(self.body(first))
        output: Tensor = self.conv_last(self.upsample(features)) / self.pixel_range + self.mean
        return output


def _shuffles(scale: int) -> list[int]:
    """The factors of the pixel shuffles: one of 3, or as many of 2 as needed."""
    if scale == 3:
        return [3]
    if scale < 1 or scale & (scale - 1):
        raise ValueError(f"EDSR has the scale 3 or a power of 2, not {scale}")
    return [2] * (scale.bit_length() - 1)


def _matches(state: State) -> bool:
    return state.keys() >= _BASICSR_KEYS or state.keys() >= _ORIGINAL_KEYS


def _read(state: State) -> ModelSpec:
    pixel_range, state = _pixel_range(state), _basicsr_names(state)
    shape = _shape(state)
    trunk_end = ("upsample:input",) if shape["scale"] > 1 else ()
    return ModelSpec(
        state=state,
        build=lambda _: EDSR(**shape, pixel_range=pixel_range),
        scale=shape["scale"],
        channels=shape["in_channels"],
        layers=(*(f"body.{n}" for n in range(shape["blocks"])), *trunk_end, "conv_last:input"),
    )


def _pixel_range(state: State) -> float:
    """255, or 1 if the colour shift in a checkpoint of the authors is that of pixels in 0..1."""
    shift = state.get("sub_mean.bias")
    return 255.0 if shift is None or float(shift.abs().max()) > 1 else 1.0


def _basicsr_names(state: State) -> State:
    """The weights under BasicSR's names, without the authors' colour shifts."""
    if "head.0.weight" not in state:
        return state
    renamed = {}
    for key, tensor in state.items():
        if not key.startswith(("sub_mean.", "add_mean.")):
            new = next((pattern.sub(name, key) for pattern, name in _ORIGINAL_NAMES if pattern.match(key)), key)
            renamed[new] = tensor
    return renamed


def _shape(state: State) -> dict[str, int]:
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    channels, scale = first.shape[0], 1
    for key, tensor in state.items():
        if re.fullmatch(r"upsample\.\d+\.weight", key):
            scale *= round((tensor.shape[0] / channels) ** 0.5)
    return {
        "in_channels": first.shape[1],
        "out_channels": last.shape[0],
        "channels": channels,
        "blocks": count_blocks(state, "body."),
        "scale": scale,
    }


ARCHITECTURE = Architecture("EDSR", _matches, _read, EDSR)
