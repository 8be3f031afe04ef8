"""SPAN with merged kernels: blocks whose attention has no parameters, without global residual."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.reconstruction import Variant, choose_variant

_KEYS = {
    "conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight", "conv_2.eval_conv.weight", "conv_cat.weight",
    "upsampler.0.weight",
}  # fmt: skip
# Of DIV2K, which the authors subtract.
_MEAN = (0.4488, 0.4371, 0.4040)
_RANGE = 255.0


class MergedConv(nn.Module):
    """A 3x3 convolution under the name that the authors give to the sum of the branches it was trained with."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.eval_conv = nn.Conv2d(channels, out_channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.eval_conv(x)
        return output


class AttentionBlock(nn.Module):
    """Three convolutions; the last one's output, with a skip, is weighted by its own sigmoid less 1/2.

    Returns the output, and the features after the first activation.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1_r = MergedConv(channels, channels)
        self.c2_r = MergedConv(channels, channels)
        self.c3_r = MergedConv(channels, channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = functional.silu(self.c1_r(x))
        last = self.c3_r(functional.silu(self.c2_r(first)))
        return (last + x) * (last.sigmoid() - 0.5), first


class SPAN(nn.Module):
    """SPAN with merged kernels, under the weight names of its authors.

    Input (B, image_channels, H, W) and output (B, image_channels, scale*H, scale*W), both in 0..1. The last HR layer,
    the input of ``upsampler.0``, has LR size. Source: Wan et al. 2023 (arXiv 2311.12770).

    Args:
        image_channels: Input and output channels.
        channels: Channels of the trunk.
        blocks: Blocks of the trunk.
        scale: Factor of the pixel shuffle.
        mean: Subtracted from the pixels, one number for each channel.
        img_range: Multiplies them afterwards.
        late_channels: Channels before the output convolution; None for ``channels``.
    """

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 48,
        blocks: int = 6,
        scale: int = 4,
        mean: Sequence[float] = _MEAN,
        img_range: float = _RANGE,
        late_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.img_range = img_range
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.conv_1 = MergedConv(image_channels, channels)
        self.block_names = tuple(f"block_{n + 1}" for n in range(blocks))
        for name in self.block_names:
            self.add_module(name, AttentionBlock(channels))
        self.conv_2 = MergedConv(channels, channels)
        late_channels = late_channels or channels
        self.conv_cat = nn.Conv2d(4 * channels, late_channels, 1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(late_channels, image_channels * scale * scale, 3, 1, 1), nn.PixelShuffle(scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = features = self.conv_1((x - self.get_buffer("mean")) * self.img_range)
        outputs, activated = [], features
        for name in self.block_names:
            features, activated = self.get_submodule(name)(features)
            outputs.append(features)
        joined = torch.cat([first, self.conv_2(features), outputs[0], activated], 1)
        output: Tensor = self.upsampler(self.conv_cat(joined))
        return output


def _matches(state: State) -> bool:
    # With the branches as well, spandrel reads it, and merges them.
    return state.keys() >= _KEYS and "conv_1.sk.weight" not in state


def _read(state: State) -> ModelSpec:
    channels, image_channels = state["conv_1.eval_conv.weight"].shape[:2]
    blocks = count_blocks({key: tensor for key, tensor in state.items() if key.startswith("block_")}, "")
    scale = round((state["upsampler.0.weight"].shape[0] / image_channels) ** 0.5)
    weights = {key: tensor for key, tensor in state.items() if key not in ("mean", "img_range")}

    def build(mean: Sequence[float], img_range: float) -> SPAN:
        return SPAN(image_channels, channels, blocks, scale, mean, img_range, state["conv_cat.weight"].shape[0])

    notes: tuple[str, ...] = ()
    mean: Sequence[float]
    if {"mean", "img_range"} <= state.keys():
        mean, img_range = state["mean"].flatten().tolist(), float(state["img_range"])
        if len(mean) != image_channels:
            raise ValueError(f"a mean of {len(mean)} channels for {image_channels}")
    else:
        shift = _MEAN if image_channels == len(_MEAN) else (sum(_MEAN) / len(_MEAN),) * image_channels
        settings: dict[str, tuple[Sequence[float], float]] = {
            "pixels as they are": ((0.0,) * image_channels, 1.0),
            "less the mean": (shift, 1.0),
            "less the mean, times 255": (shift, _RANGE),
        }
        variants = {name: Variant(functools.partial(build, *setting), scale) for name, setting in settings.items()}
        choice = choose_variant("Pixels inside", variants, weights, image_channels)
        (mean, img_range), notes = settings[choice.name], (choice.note,)
    return ModelSpec(
        state=weights,
        build=lambda _: build(mean, img_range),
        scale=scale,
        channels=image_channels,
        layers=(*(f"block_{n + 1}" for n in range(blocks)), "upsampler.0:input"),
        notes=notes,
    )


ARCHITECTURE = Architecture("SPAN", _matches, _read, SPAN)
