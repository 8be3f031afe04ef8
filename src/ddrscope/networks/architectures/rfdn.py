"""RFDN: feature distillation by 1x1 convolutions beside the trunk, and spatial attention, without global residual."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.reconstruction import Variant, choose_variant

_KEYS = {
    "fea_conv.weight", "B1.c1_d.weight", "B1.c1_r.weight", "B1.c4.weight", "B1.esa.conv_max.weight", "c.0.weight",
    "LR_conv.weight", "upsampler.0.weight",
}  # fmt: skip
_SLOPE = 0.05
# The convolution and the pooling inside the attention need it.
MINIMUM_SIZE = 15


class Form(NamedTuple):
    """What the weights of an RFDN do not contain.

    Args:
        pixel_range: Factor of the pixels inside.
        dilations: Of the three convolutions of a block.
        skips: Each of these convolutions has a skip.
    """

    pixel_range: float = 255.0
    dilations: tuple[int, int, int] = (1, 1, 1)
    skips: bool = True


# The published forms: the authors', and two of the NTIRE challenge of 2022.
_FORMS = {
    "0..255": Form(),
    "0..1": Form(1.0),
    "0..255 with dilation": Form(dilations=(1, 2, 5)),
    "0..1 with dilation": Form(1.0, dilations=(1, 2, 5)),
    "0..255 without skips": Form(skips=False),
    "0..1 without skips": Form(1.0, skips=False),
}


class SpatialAttention(nn.Module):
    """Weights every value by a map that is computed on a coarse grid (ESA, Liu et al. 2020).

    Args:
        channels: Channels.
        hidden: Channels of the map's computation.
        refined: Three convolutions on the coarse grid, as in RFDN; otherwise one, as in RLFN.
    """

    def __init__(self, channels: int, hidden: int, refined: bool) -> None:
        super().__init__()
        self.refined = refined
        self.conv1 = nn.Conv2d(channels, hidden, 1)
        self.conv_f = nn.Conv2d(hidden, hidden, 1)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, 2)
        self.conv3 = nn.Conv2d(hidden, hidden, 3, 1, 1)
        if refined:
            self.conv_max = nn.Conv2d(hidden, hidden, 3, 1, 1)
            self.conv3_ = nn.Conv2d(hidden, hidden, 3, 1, 1)
        self.conv4 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.conv1(x)
        coarse = functional.max_pool2d(self.conv2(fine), 7, 3)
        if self.refined:
            coarse = self.conv3_(self.conv3(self.conv_max(coarse).relu()).relu())
        else:
            coarse = self.conv3(coarse)
        coarse = functional.interpolate(coarse, x.shape[-2:], mode="bilinear", align_corners=False)
        weights: Tensor = self.conv4(coarse + self.conv_f(fine)).sigmoid()
        return x * weights


class DistillationBlock(nn.Module):
    """Three convolutions with skips, each with a narrow 1x1 convolution beside it, a fourth, and attention."""

    def __init__(self, channels: int, narrow: int, hidden: int, form: Form) -> None:
        super().__init__()
        self.skips = form.skips
        self.c1_d, self.c2_d, self.c3_d = (nn.Conv2d(channels, narrow, 1) for _ in range(3))
        self.c1_r, self.c2_r, self.c3_r = (
            nn.Conv2d(channels, channels, 3, 1, dilation, dilation) for dilation in form.dilations
        )
        self.c4 = nn.Conv2d(channels, narrow, 3, 1, 1)
        self.c5 = nn.Conv2d(4 * narrow, channels, 1)
        self.esa = SpatialAttention(channels, hidden, refined=True)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for beside, step in ((self.c1_d, self.c1_r), (self.c2_d, self.c2_r), (self.c3_d, self.c3_r)):
            kept.append(beside(x))
            x = functional.leaky_relu(step(x) + x if self.skips else step(x), _SLOPE)
        kept.append(self.c4(x))
        output: Tensor = self.esa(self.c5(functional.leaky_relu(torch.cat(kept, 1), _SLOPE)))
        return output


class RFDN(nn.Module):
    """RFDN under the weight names of its authors.

    Input (B, image_channels, H, W) and output (B, image_channels, scale*H, scale*W), both in 0..1, with sides from 15
    pixels. The last HR layer, the input of ``upsampler.0``, has LR size. Source: Liu et al. 2020 (arXiv 2009.11551).

    Args:
        image_channels: Input and output channels.
        channels: Channels of the trunk.
        blocks: Blocks.
        narrow: Channels of the 1x1 convolutions beside the trunk.
        hidden: Channels inside the attention.
        scale: Factor of the pixel shuffle.
        form: What the weights do not contain.
    """

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 50,
        blocks: int = 4,
        narrow: int = 25,
        hidden: int = 12,
        scale: int = 4,
        form: Form | None = None,
    ) -> None:
        super().__init__()
        form = form or Form()
        self.pixel_range = form.pixel_range
        self.fea_conv = nn.Conv2d(image_channels, channels, 3, 1, 1)
        self.block_names = tuple(f"B{n + 1}" for n in range(blocks))
        for name in self.block_names:
            self.add_module(name, DistillationBlock(channels, narrow, hidden, form))
        self.c = nn.Sequential(nn.Conv2d(blocks * channels, channels, 1), nn.LeakyReLU(_SLOPE))
        self.LR_conv = nn.Conv2d(channels, channels, 3, 1, 1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, image_channels * scale * scale, 3, 1, 1), nn.PixelShuffle(scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = features = self.fea_conv(x * self.pixel_range)
        outputs = []
        for name in self.block_names:
            features = self.get_submodule(name)(features)
            outputs.append(features)
        output: Tensor = self.upsampler(self.LR_conv(self.c(torch.cat(outputs, 1))) + first)
        return output / self.pixel_range


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    channels, image_channels = state["fea_conv.weight"].shape[:2]
    narrow, hidden = state["B1.c1_d.weight"].shape[0], state["B1.esa.conv1.weight"].shape[0]
    blocks = count_blocks(state, "B")
    scale = round((state["upsampler.0.weight"].shape[0] / image_channels) ** 0.5)

    def variant(form: Form) -> Variant:
        return Variant(lambda: RFDN(image_channels, channels, blocks, narrow, hidden, scale, form), scale)

    variants = {name: variant(form) for name, form in _FORMS.items()}
    choice = choose_variant("Pixel range and form", variants, state, image_channels)
    return ModelSpec(
        state=state,
        build=lambda _: variants[choice.name].build(),
        scale=scale,
        channels=image_channels,
        layers=(*(f"B{n + 1}" for n in range(blocks)), "upsampler.0:input"),
        minimum_size=MINIMUM_SIZE,
        notes=(choice.note,),
    )


ARCHITECTURE = Architecture("RFDN", _matches, _read, RFDN)
