"""EfficientNet-Lite0, an ImageNet classifier: the comparison to super-resolution in claim C1."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import State
from ddrscope.networks.architectures.classifiers import resized

SIDE = 224
# The stages of EfficientNet-B0: expansion, kernel, stride of the first block, output channels, blocks.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class SamePadConv(nn.Conv2d):
    """A convolution padded as TensorFlow's ``SAME``: an odd pixel goes to the right and to the bottom."""

    def forward(self, input: Tensor) -> Tensor:
        pads: list[int] = []
        for length, side, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            missing = max((-(-length // stride) - 1) * stride + side - length, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(functional.pad(input, pads))


def _convolution(
    inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1, active: bool = True
) -> nn.Sequential:
    layers = [SamePadConv(inputs, outputs, side, stride, groups=groups, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)]
    return nn.Sequential(*layers, *([nn.ReLU6()] if active else []))


class InvertedResidual(nn.Module):
    """A 1x1 convolution that widens, a depthwise one, and a 1x1 one that narrows; a residual where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, side: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = _convolution(inputs, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(wide, wide, side, stride, groups=wide)
        self.project = _convolution(wide, outputs, 1, active=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + added if self.residual else added


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 for ImageNet: 4.7 M parameters, no squeeze-and-excitation, ReLU6.

    Maps (B, 3, H, W) in 0..1, resized to 224 x 224 (bicubic with antialiasing), to logits (B, 1000). Sources: Tan and
    Le 2019 (EfficientNet); the Lite variant as published by Google in 2020.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, 32, 3, 2)
        blocks: list[nn.Module] = []
        channels = 32
        for expansion, side, stride, outputs, count in STAGES:
            for index in range(count):
                blocks.append(InvertedResidual(channels, outputs, expansion, side, stride if index == 0 else 1))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = _convolution(channels, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = (255 * resized(x, SIDE) - 127) / 128
        features = self.head(self.blocks(self.stem(x)))
        logits: Tensor = self.classifier(torch.mean(features, dim=(2, 3)))
        return logits


_RENAMED = (
    (r"_conv_stem\.", "stem.0."), (r"_bn0\.", "stem.1."), (r"_conv_head\.", "head.0."), (r"_bn1\.", "head.1."), (r"_fc\.", "classifier."),
    (r"_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.0."), (r"_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.1."),
    (r"_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.0."), (r"_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.1."),
    (r"_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.0."), (r"_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.1."),
)  # fmt: skip


def module_names(state: State) -> State:
    """The published weights under the names of this module."""
    renamed = {}
    for key, tensor in state.items():
        for old, new in _RENAMED:
            if re.match(old, key):
                key = re.sub(f"^{old}", new, key)
                break
        renamed[key] = tensor
    return renamed


def layer_names(module: EfficientNetLite0) -> tuple[str, ...]:
    """The layers to analyze by default: the output of every block, and the input of the classifier."""
    return (*(f"blocks.{index}" for index in range(len(module.blocks))), "classifier:input")
