"""IMDN: blocks that split off a part of their channels at every step, without global residual."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks

_KEYS = {"fea_conv.weight", "IMDB1.c1.weight", "IMDB1.c5.weight", "LR_conv.weight", "upsampler.0.weight"}
_STRIDED_KEYS = _KEYS - {"fea_conv.weight"} | {"fea_conv.0.weight", "fea_conv.2.weight"}
# Without the fusion of all blocks and without attention: IMDN_RTC, and the same network under the names of KAIR.
_TRUNK_KEYS = {"model.0.weight", "model.1.sub.0.c1.weight", "model.1.sub.0.c5.weight", "model.2.weight"}
_KAIR_KEYS = {"model.0.weight", "model.1.sub.0.conv1.0.weight", "model.1.sub.0.conv1x1.weight", "model.2.weight"}
_KAIR_STEPS = {"conv1": "c1", "conv2": "c2", "conv3": "c3", "conv4": "c4", "conv1x1": "c5"}
_SLOPE = 0.05
# Input side over side of the features, of the variant whose first two convolutions have stride 2.
_STRIDE = 4


class ContrastAttention(nn.Module):
    """Weights channels by the sum of their mean and standard deviation over the image."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(x, dim=(2, 3), correction=0, keepdim=True)
        weights: Tensor = self.conv_du(deviation + mean)
        return x * weights


class DistillationBlock(nn.Module):
    """Three convolutions that each keep some channels for the end, a fourth, attention, a fusion and a skip."""

    def __init__(self, channels: int, kept: int, attention: int) -> None:
        super().__init__()
        self.kept = kept
        self.c1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.c2 = nn.Conv2d(channels - kept, channels, 3, 1, 1)
        self.c3 = nn.Conv2d(channels - kept, channels, 3, 1, 1)
        self.c4 = nn.Conv2d(channels - kept, kept, 3, 1, 1)
        self.cca = ContrastAttention(4 * kept, attention) if attention else nn.Identity()
        self.c5 = nn.Conv2d(4 * kept, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts, rest = [], x
        for step in (self.c1, self.c2, self.c3):
            features = functional.leaky_relu(step(rest), _SLOPE)
            parts.append(features[:, : self.kept])
            rest = features[:, self.kept :]
        parts.append(self.c4(rest))
        output: Tensor = self.c5(self.cca(torch.cat(parts, 1)))
        return output + x


class IMDN(nn.Module):
    """IMDN under the weight names of its authors.

    Input (B, channels_of_images, H, W) and output (B, channels_of_images, scale*H, scale*W), both in 0..1. The last HR
    layer, the input of ``upsampler.0``, has LR size. Source: Hui et al. 2019 (arXiv 1909.11856).

    Args:
        image_channels: Input and output channels.
        channels: Channels of the trunk.
        blocks: Distillation blocks.
        kept: Channels that a block keeps at each step.
        factor: Factor of the pixel shuffle: the scale, or 4 times the scale if ``strided``.
        attention: Hidden channels of the attention; 0 for none, as in IMDN_RTC.
        fused: The outputs of all blocks enter the trunk's end, not only the last one's.
        strided: The first two convolutions have stride 2, as in IMDN_AS. Other sides than multiples of 4 are padded.
        last_kernel: Side of the kernel of the trunk's last convolution.
    """

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 64,
        blocks: int = 6,
        kept: int = 16,
        factor: int = 4,
        attention: int = 4,
        fused: bool = True,
        strided: bool = False,
        last_kernel: int = 3,
    ) -> None:
        super().__init__()
        self.strided = strided
        self.fea_conv: nn.Module = nn.Conv2d(image_channels, channels, 3, 1, 1)
        if strided:
            first, second = nn.Conv2d(image_channels, channels, 3, 2, 1), nn.Conv2d(channels, channels, 3, 2, 1)
            self.fea_conv = nn.Sequential(first, nn.LeakyReLU(_SLOPE), second)
        self.block_names = tuple(f"IMDB{n + 1}" for n in range(blocks))
        for name in self.block_names:
            self.add_module(name, DistillationBlock(channels, kept, attention))
        self.c = nn.Sequential(nn.Conv2d(blocks * channels, channels, 1), nn.LeakyReLU(_SLOPE)) if fused else None
        self.LR_conv = nn.Conv2d(channels, channels, last_kernel, 1, last_kernel // 2)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, image_channels * factor * factor, 3, 1, 1), nn.PixelShuffle(factor)
        )
        self.scale = factor // _STRIDE if strided else factor

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if self.strided:
            x = functional.pad(x, (0, -width % _STRIDE, 0, -height % _STRIDE), mode="replicate")
        first = features = self.fea_conv(x)
        outputs = []
        for name in self.block_names:
            features = self.get_submodule(name)(features)
            outputs.append(features)
        if self.c is not None:
            features = self.c(torch.cat(outputs, 1))
        output: Tensor = self.upsampler(self.LR_conv(features) + first)
        return output[..., : self.scale * height, : self.scale * width]


def _matches(state: State) -> bool:
    return any(state.keys() >= keys for keys in (_KEYS, _STRIDED_KEYS, _TRUNK_KEYS, _KAIR_KEYS))


def _read(state: State) -> ModelSpec:
    state = _author_names(state)
    strided = "fea_conv.0.weight" in state
    channels, image_channels = state["fea_conv.0.weight" if strided else "fea_conv.weight"].shape[:2]
    blocks, attention = count_blocks(state, "IMDB"), state.get("IMDB1.cca.conv_du.0.weight")
    factor = round((state["upsampler.0.weight"].shape[0] / image_channels) ** 0.5)
    if strided and factor % _STRIDE:
        raise ValueError(f"IMDN with strided convolutions has a pixel shuffle by a multiple of 4, not by {factor}")

    def build(_global_residual: bool) -> IMDN:
        return IMDN(
            image_channels,
            channels,
            blocks,
            state["IMDB1.c4.weight"].shape[0],
            factor,
            attention=0 if attention is None else attention.shape[0],
            fused="c.0.weight" in state,
            strided=strided,
            last_kernel=state["LR_conv.weight"].shape[-1],
        )

    return ModelSpec(
        state=state,
        build=build,
        scale=factor // _STRIDE if strided else factor,
        channels=image_channels,
        layers=(*(f"IMDB{n + 1}" for n in range(blocks)), "upsampler.0:input"),
    )


def _author_names(state: State) -> State:
    """The weights under the names of IMDN, from those of its forms without fusion."""
    if "model.0.weight" not in state:
        return state
    blocks = count_blocks(state, "model.1.sub.") - 1
    places = {"model.0": "fea_conv", f"model.1.sub.{blocks}": "LR_conv", "model.2": "upsampler.0"}
    places |= {f"model.1.sub.{n}": f"IMDB{n + 1}" for n in range(blocks)}
    renamed = {}
    for key, tensor in state.items():
        parts = key.split(".")
        depth = 4 if key.startswith("model.1.sub.") else 2
        place, rest = ".".join(parts[:depth]), parts[depth:]
        if rest[:1] and rest[0] in _KAIR_STEPS:
            rest = [_KAIR_STEPS[rest[0]], rest[-1]]
        renamed[".".join([places.get(place, place), *rest])] = tensor
    return renamed


ARCHITECTURE = Architecture("IMDN", _matches, _read, IMDN)
