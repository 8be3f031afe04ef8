"""CARN and PCARN: cascades of residual blocks; their mobile forms have grouped convolutions and shared blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks

_KEYS = {"sub_mean.shifter.weight", "add_mean.shifter.weight", "entry.weight", "exit.weight"}
_CARN_KEYS = _KEYS | {"b1.b1.body.0.weight", "c1.body.0.weight"}
_PCARN_KEYS = _KEYS | {"b1.b1.conv1.weight", "c1.weight"}
_PCARN_NAMES = (
    (re.compile(r"\.conv1\."), ".body.0."),
    (re.compile(r"\.conv2\."), ".body.2."),
    (re.compile(r"\.pw\."), ".body.4."),
    (re.compile(r"\b(c[123])\.(?=weight|bias)"), r"\1.body.0."),
)
_BLOCKS = ("b1", "b2", "b3")
# The ends of a network for several scales, in the order in which they are preferred, and that of one for one scale.
_BRANCHES = ("up4", "up3", "up2", "up")


class ColorMap(nn.Module):
    """A fixed linear map of colours: a convolution that is neither trained nor drawn anew."""

    weight: Tensor
    bias: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.eye(channels).view(channels, channels, 1, 1))
        self.register_buffer("bias", torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias)


class Residual(nn.Module):
    """Two 3x3 convolutions, a skip and a ReLU; with groups, a 1x1 convolution follows the two."""

    def __init__(self, channels: int, groups: int | None) -> None:
        super().__init__()
        steps: list[nn.Module] = [
            nn.Conv2d(channels, channels, 3, 1, 1, groups=groups or 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, groups=groups or 1),
        ]
        if groups is not None:
            steps += [nn.ReLU(), nn.Conv2d(channels, channels, 1)]
        self.body = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = (self.body(x) + x).relu()
        return output


class Fusion(nn.Module):
    """A 1x1 convolution of joined features, with ReLU in CARN."""

    def __init__(self, in_channels: int, channels: int, rectified: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.ReLU() if rectified else nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.body(x)
        return output


class Cascade(nn.Module):
    """Three blocks; after each, everything so far is fused into the input of the next one.

    Args:
        blocks: Three blocks, or one that is used three times.
        channels: Their channels.
        rectified: The fusions end with a ReLU.
    """

    def __init__(self, blocks: Sequence[nn.Module], channels: int, rectified: bool) -> None:
        super().__init__()
        self.order = _BLOCKS if len(blocks) == len(_BLOCKS) else _BLOCKS[:1] * len(_BLOCKS)
        for name, block in zip(_BLOCKS, blocks, strict=False):
            self.add_module(name, block)
        self.c1 = Fusion(2 * channels, channels, rectified)
        self.c2 = Fusion(3 * channels, channels, rectified)
        self.c3 = Fusion(4 * channels, channels, rectified)

    def forward(self, x: Tensor) -> Tensor:
        joined, features = x, x
        for name, fusion in zip(self.order, (self.c1, self.c2, self.c3), strict=True):
            joined = torch.cat([joined, self.get_submodule(name)(features)], 1)
            features = fusion(joined)
        return features


class CARN(nn.Module):
    """CARN and PCARN under the weight names of CARN, with one of their scales.

    Input (B, image_channels, H, W) and output (B, image_channels, scale*H, scale*W), both in 0..1. The weights shift
    the mean colour at both ends. Sources: Ahn et al. 2018 (arXiv 1803.08664) and 2020 (PCARN, arXiv 1903.02240).

    Args:
        image_channels: Input and output channels.
        channels: Channels of the body.
        factors: Factors of the pixel shuffles.
        photo_realistic: PCARN: fusions without ReLU, and a skip over the body.
        groups: Groups of the convolutions of the blocks in the mobile forms (CARN-M, PCARN-M); None for the others.
        shared: The three blocks of a cascade are one.
        late_groups: Groups of the convolutions before the pixel shuffles.
    """

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 64,
        factors: Sequence[int] = (2, 2),
        photo_realistic: bool = False,
        groups: int | None = None,
        shared: bool = False,
        late_groups: int = 1,
    ) -> None:
        super().__init__()
        self.photo_realistic = photo_realistic
        self.sub_mean = nn.Sequential()
        self.sub_mean.add_module("shifter", ColorMap(image_channels))
        self.add_mean = nn.Sequential()
        self.add_mean.add_module("shifter", ColorMap(image_channels))
        self.entry = nn.Conv2d(image_channels, channels, 3, 1, 1)
        self.body = Cascade(
            [
                Cascade([Residual(channels, groups) for _ in range(1 if shared else 3)], channels, not photo_realistic)
                for _ in _BLOCKS
            ],
            channels,
            not photo_realistic,
        )
        self.upsample = nn.Sequential()
        for factor in factors:
            self.upsample.append(nn.Conv2d(channels, channels * factor * factor, 3, 1, 1, groups=late_groups))
            self.upsample.append(nn.ReLU())
            self.upsample.append(nn.PixelShuffle(factor))
        self.exit = nn.Conv2d(channels, image_channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.entry(self.sub_mean(x))
        features = self.body(first)
        if self.photo_realistic:
            features = features + first
        output: Tensor = self.add_mean(self.exit(self.upsample(features)))
        return output


def _read(state: State) -> ModelSpec:
    photo_realistic = "c1.weight" in state
    state, branch, branches = _one_branch(_carn_names(state))
    channels, image_channels = state["entry.weight"].shape[:2]
    factors = [
        round((state[f"upsample.{3 * n}.weight"].shape[0] / channels) ** 0.5)
        for n in range(count_blocks(state, "upsample."))
    ]
    scale = 1
    for factor in factors:
        scale *= factor
    shared = _shares_blocks(state)
    if shared:
        state = {key: tensor for key, tensor in state.items() if not re.match(r"body\.b[123]\.b[23]\.", key)}
    groups = channels // state["body.b1.b1.body.0.weight"].shape[1] if "body.b1.b1.body.4.weight" in state else None

    def build(_global_residual: bool) -> CARN:
        late_groups = channels // state["upsample.0.weight"].shape[1]
        return CARN(image_channels, channels, factors, photo_realistic, groups, shared, late_groups)

    others = ", ".join(f"upsample.{name}" for name in branches if name != branch)
    note = f"The checkpoint has several scales: upsample.{branch} is used, not {others}."
    return ModelSpec(
        state=state,
        build=build,
        scale=scale,
        channels=image_channels,
        layers=(*(f"body.{name}" for name in _BLOCKS), "upsample:input", "exit:input"),
        notes=(note,) if others else (),
    )


def _carn_names(state: State) -> State:
    """The weights under the names of CARN, with the prefix ``body.`` for the cascade."""
    renamed = {}
    for key, tensor in state.items():
        new = key
        for pattern, name in _PCARN_NAMES:
            new = pattern.sub(name, new)
        renamed[f"body.{new}" if re.match(r"[bc][123]\.", new) else new] = tensor
    return renamed


def _one_branch(state: State) -> tuple[State, str, list[str]]:
    """The weights with one of the ends, at ``upsample.``; its name; the names of all of them."""
    branches = [name for name in _BRANCHES if f"upsample.{name}.body.0.weight" in state]
    kept = {}
    for key, tensor in state.items():
        match = re.match(r"upsample\.(\w+)\.body\.", key)
        if not match or match[1] not in branches[1:]:
            kept[key.replace(f"upsample.{branches[0]}.body.", "upsample.", 1)] = tensor
    return kept, branches[0], branches


def _shares_blocks(state: State) -> bool:
    """Whether the three blocks of each cascade are one: saved once, as in CARN-M, or three times, as in PCARN-M."""
    for key, tensor in state.items():
        match = re.match(r"(body\.b[123]\.)b[23](\..*)", key)
        if match and not torch.equal(tensor, state[f"{match[1]}b1{match[2]}"]):
            return False
    return True


ARCHITECTURES = (
    Architecture("CARN", lambda state: state.keys() >= _CARN_KEYS, _read),
    Architecture("PCARN", lambda state: state.keys() >= _PCARN_KEYS, _read),
)
