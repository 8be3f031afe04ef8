"""PAN: attention of single pixels, and a bilinear global residual."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.reconstruction import Variant, choose_variant

_KEYS = {"conv_first.weight", "SCPA_trunk.0.conv1_a.weight", "trunk_conv.weight", "upconv1.weight", "conv_last.weight"}
_SLOPE = 0.2


class PixelAttention(nn.Module):
    """Weights every value by the sigmoid of a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.conv(x).sigmoid()
        return x * weights


class AttentionConv(nn.Module):
    """Two 3x3 convolutions with pixel attention in between, which is computed from the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.k2 = nn.Conv2d(channels, channels, 1)
        self.k3 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.k4 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.k4(self.k3(x) * self.k2(x).sigmoid())
        return output


class SelfCalibratedBlock(nn.Module):
    """Two narrow branches, one of them with pixel attention, their fusion, and a skip."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1_a = nn.Conv2d(channels, width, 1, bias=False)
        self.conv1_b = nn.Conv2d(channels, width, 1, bias=False)
        self.k1 = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False))
        self.PAConv = AttentionConv(width)
        self.conv3 = nn.Conv2d(2 * width, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        plain = self.k1(functional.leaky_relu(self.conv1_a(x), _SLOPE))
        attended = self.PAConv(functional.leaky_relu(self.conv1_b(x), _SLOPE))
        output: Tensor = self.conv3(functional.leaky_relu(torch.cat([plain, attended], 1), _SLOPE))
        return output + x


class PAN(nn.Module):
    """PAN under the weight names of its authors.

    Input (B, image_channels, H, W) and output (B, image_channels, scale*H, scale*W), both in 0..1. Source: Zhao et
    al. 2020 (arXiv 2010.01073).

    Args:
        image_channels: Input and output channels.
        channels: Channels of the trunk.
        width: Channels of each branch of a block.
        blocks: Blocks of the trunk.
        late_channels: Channels after the trunk.
        scale: 4 enlarges twice by 2, any other scale once.
    """

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 40,
        width: int = 20,
        blocks: int = 16,
        late_channels: int = 24,
        scale: int = 4,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = nn.Conv2d(image_channels, channels, 3, 1, 1)
        self.SCPA_trunk = nn.Sequential(*(SelfCalibratedBlock(channels, width) for _ in range(blocks)))
        self.trunk_conv = nn.Conv2d(channels, channels, 3, 1, 1)
        self.upconv1 = nn.Conv2d(channels, late_channels, 3, 1, 1)
        self.att1 = PixelAttention(late_channels)
        self.HRconv1 = nn.Conv2d(late_channels, late_channels, 3, 1, 1)
        if scale == 4:
            self.upconv2 = nn.Conv2d(late_channels, late_channels, 3, 1, 1)
            self.att2 = PixelAttention(late_channels)
            self.HRconv2 = nn.Conv2d(late_channels, late_channels, 3, 1, 1)
        self.conv_last = nn.Conv2d(late_channels, image_channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv_first(x)
        features = first + self.trunk_conv(self.SCPA_trunk(first))
        if self.scale == 4:
            features = _enlarged(features, 2, self.upconv1, self.att1, self.HRconv1)
            features = _enlarged(features, 2, self.upconv2, self.att2, self.HRconv2)
        else:
            features = _enlarged(features, self.scale, self.upconv1, self.att1, self.HRconv1)
        output: Tensor = self.conv_last(features)
        return output + functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


def _enlarged(x: Tensor, factor: int, first: nn.Module, attention: nn.Module, last: nn.Module) -> Tensor:
    x = functional.interpolate(x, scale_factor=factor, mode="nearest")
    return functional.leaky_relu(last(functional.leaky_relu(attention(first(x)), _SLOPE)), _SLOPE)


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    channels, image_channels = state["conv_first.weight"].shape[:2]
    width, late_channels = state["SCPA_trunk.0.conv1_a.weight"].shape[0], state["upconv1.weight"].shape[0]
    blocks = count_blocks(state, "SCPA_trunk.")

    def build(scale: int) -> PAN:
        return PAN(image_channels, channels, width, blocks, late_channels, scale)

    scale, notes = 4, []
    if "upconv2.weight" not in state:
        # The weights for the scales 2 and 3 have the same names and shapes.
        variants = {"x2": Variant(lambda: build(2), 2), "x3": Variant(lambda: build(3), 3)}
        choice = choose_variant("Scale", variants, state, image_channels)
        scale, notes = variants[choice.name].scale, [choice.note]
    return ModelSpec(
        state=state,
        build=lambda _: build(scale),
        scale=scale,
        channels=image_channels,
        layers=(*(f"SCPA_trunk.{n}" for n in range(blocks)), "conv_last:input"),
        global_residual=True,
        notes=tuple(notes),
    )


ARCHITECTURE = Architecture("PAN", _matches, _read, PAN)
