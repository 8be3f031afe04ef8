"""SqueezeNet 1.0 and 1.1, ImageNet classifiers: a comparison to super-resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State
from ddrscope.networks.architectures.classifiers import classifier_note, normalized, resized

SIDE = 224
# The numbers of the max poolings after the first one, and of the Fire modules between them.
_POOLS = {"1.0": (6, 11), "1.1": (5, 8)}
# Channels of the Fire modules as published: squeezed, pointwise, spatial.
FIRES = tuple((squeezed, 4 * squeezed, 4 * squeezed) for squeezed in (16, 16, 32, 32, 48, 48, 64, 64))
_KEYS = {"features.0.weight", "features.3.squeeze.weight", "features.12.squeeze.weight", "classifier.1.weight"}
# More zeros around the last map would only dilute it, and a file must not ask for any number of them.
_MAX_BORDER = 8


class Fire(nn.Module):
    """A 1x1 convolution that narrows, then 1x1 and 3x3 ones side by side, with ReLU.

    Args:
        channels: Input channels.
        squeezed: Channels after the first convolution.
        pointwise: Output channels of the 1x1 convolution.
        spatial: Output channels of the 3x3 convolution.
    """

    def __init__(self, channels: int, squeezed: int, pointwise: int, spatial: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, pointwise, 1)
        self.expand3x3 = nn.Conv2d(squeezed, spatial, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat((self.expand1x1(x), self.expand3x3(x)), dim=1).relu()


class SqueezeNet(nn.Module):
    """SqueezeNet for ImageNet under torchvision's weight names.

    Maps (B, 3, H, W) in 0..1, resized to 224 x 224 (bicubic with antialiasing), to logits (B, classes). Source:
    Iandola et al. 2016 (arXiv 1602.07360).

    Args:
        version: ``1.0`` or ``1.1``.
        first: Channels of the first convolution.
        side: Side of its kernel.
        fires: Channels of each of the eight Fire modules: squeezed, pointwise, spatial.
        classes: Classes.
        border: Zeros around the map from which the classes are computed: 0 in torchvision, 1 in Caffe.
    """

    def __init__(
        self,
        version: str = "1.1",
        first: int = 64,
        side: int = 3,
        fires: Sequence[Sequence[int]] = FIRES,
        classes: int = 1000,
        border: int = 0,
    ) -> None:
        super().__init__()
        if border > _MAX_BORDER:
            raise ValueError(f"at most {_MAX_BORDER} zeros around the last map, not {border}")
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        layers: list[nn.Module] = [nn.Conv2d(3, first, side, 2), nn.ReLU(), pool]
        channels = first
        for squeezed, pointwise, spatial in fires:
            if len(layers) in _POOLS[version]:
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            layers.append(Fire(channels, squeezed, pointwise, spatial))
            channels = pointwise + spatial
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(channels, classes, 1, padding=border), nn.ReLU())
        if border:
            # Its length tells the border when the weights are loaded again.
            self.register_buffer("border", torch.zeros(border))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(normalized(resized(x, SIDE))))
        return scores.mean(dim=(2, 3))


def fire_numbers(version: str) -> list[int]:
    """The numbers of the Fire modules in ``features``."""
    return [n for n in range(3, 13) if n not in _POOLS[version]]


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    version = "1.1" if "features.6.squeeze.weight" in state else "1.0"
    numbers = fire_numbers(version)
    first, side = state["features.0.weight"].shape[::3]
    fires = [
        [state[f"features.{n}.{part}.weight"].shape[0] for part in ("squeeze", "expand1x1", "expand3x3")]
        for n in numbers
    ]
    classes = state["classifier.1.weight"].shape[0]
    border = state["border"].numel() if "border" in state else 0
    return ModelSpec(
        state=state,
        build=lambda _: SqueezeNet(version, first, side, fires, classes, border),
        scale=1,
        channels=3,
        layers=(*(f"features.{n}" for n in numbers[:-1]), "classifier.1:input"),
        notes=(classifier_note(SIDE, "a map of 13 x 13 positions"),),
    )


ARCHITECTURE = Architecture("SqueezeNet", _matches, _read, SqueezeNet)
