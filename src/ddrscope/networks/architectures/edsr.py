"""EDSR, the other network without batch normalization that many SR projects start from."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.srresnet import ResidualBlock

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
_ORIGINAL_NAMES = (
    (re.compile(r"head\.0\."), "conv_first."),
    (re.compile(r"body\.(\d+)\.body\.0\."), r"body.\1.conv1."),
    (re.compile(r"body\.(\d+)\.body\.2\."), r"body.\1.conv2."),
    (re.compile(r"body\.\d+\.(?=weight|bias)"), "conv_after_body."),
    (re.compile(r"tail\.0\."), "upsample."),
    (re.compile(r"tail\.1\."), "conv_last."),
)


class EDSR(nn.Module):
    """EDSR under BasicSR's weight names; it has no global residual over images.

    Input (B, in_channels, H, W) and output ``(B, out_channels, scale*H, scale*W)``, both in 0..1. Inside, images of three
    channels are centred on DIV2K's mean colour and all are multiplied by ``pixel_range``. Source: Lim et al. 2017.
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
        # The authors' large model does not train without it; weights do not tell, the width does.
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
        return self.conv_last(self.upsample(features)) / self.pixel_range + self.mean


def _shuffles(scale: int) -> list[int]:
    """The pixel shuffles that enlarge by ``scale``: one of 3, or as many of 2 as it takes."""
    if scale == 3:
        return [3]
    if scale < 1 or scale & (scale - 1):
        raise ValueError(f"EDSR enlarges by 3 or a power of 2, not by {scale}")
    return [2] * (scale.bit_length() - 1)


def edsr_weights(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], float]:
    """Weights under BasicSR's names, from those or the authors' (``head``, ``body.N.body.0``, ``tail``), and the pixel range.

    The authors' colour shifts are dropped; their size tells whether the network works in 0..255 or in 0..1.
    """
    shift = state.get("sub_mean.bias")
    pixel_range = 255.0 if shift is None or float(shift.abs().max()) > 1 else 1.0
    if "head.0.weight" not in state:
        return state, pixel_range
    renamed = {}
    for key, tensor in state.items():
        if not key.startswith(("sub_mean.", "add_mean.")):
            new = next((pattern.sub(name, key) for pattern, name in _ORIGINAL_NAMES if pattern.match(key)), key)
            renamed[new] = tensor
    return renamed, pixel_range


def edsr_shape(state: dict[str, Tensor]) -> dict[str, int]:
    """Read the constructor's arguments, but for ``pixel_range``, from weights under BasicSR's names."""
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    channels = first.shape[0]
    scale = 1
    for key, tensor in state.items():
        if re.fullmatch(r"upsample\.\d+\.weight", key):
            scale *= round((tensor.shape[0] / channels) ** 0.5)
    return {
        "in_channels": first.shape[1],
        "out_channels": last.shape[0],
        "channels": channels,
        "blocks": len({key.split(".")[1] for key in state if key.startswith("body.")}),
        "scale": scale,
    }
