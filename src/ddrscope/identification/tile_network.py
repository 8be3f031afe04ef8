"""The compact network that reads tiles: which distortions are present, how strong, and what that is in physical units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.identification.head import QUANTILES
from ddrscope.results.vocabulary import ESTIMATES, INTERPOLATIONS, QUESTIONS

# By how much the detail of a tile is amplified.
DETAIL_GAIN = 8.0
# Local means are taken over cells, so many a side; and so many statistics of each channel.
CELLS, STATISTICS = 8, 4
# Channels of each stage are reduced to so many before their products are taken.
REDUCED = 32


@dataclass(frozen=True)
class TileNetworkSettings:
    """The shape of a `TileNetwork`.

    Args:
        widths: Channels of each stage; each halves the resolution, the first one by turning 2 x 2 pixels into channels.
        depths: Residual blocks of each stage after its first convolution.
        hidden: Units of the layer between features and outputs.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    depths: tuple[int, ...] = (2, 2, 2)
    hidden: int = 256


@dataclass(frozen=True)
class TileOutputs:
    """What the network says of N tiles.

    Args:
        presence: Logits of clean and the T types, (N, 1 + T).
        levels: Quantiles of the level of each type if it is present, (N, T, 3).
        estimates: Quantiles of the P estimates on their `Scale`, if there is such damage, (N, P, 3).
        damage: Logits that there is, (N, P).
        direction: Cosine and sine of twice the angle of the motion, (N, 2).
        answers: Logits of the yes or no questions, (N, Q).
        interpolation: Logits of the interpolation of an enlargement, (N, 4).
    """

    presence: Tensor
    levels: Tensor
    estimates: Tensor
    damage: Tensor
    direction: Tensor
    answers: Tensor
    interpolation: Tensor


class TileNetwork(nn.Module):
    """A convolutional network whose features are statistics of each stage's channels over the tile.

    It reads a tile and its detail, the difference from a local mean, which is amplified: what most distortions change is
    faint beside what an image shows. There is no batch normalization in its trunk, since it would hide how strong the
    detail is. The statistics of a channel are its mean, the logarithm of its standard deviation, and the largest and the
    smallest local mean: noise shows where there is least detail, and blur where there is most. Products of channels say
    how neighbouring pixels depend on each other (bilinear pooling, Lin et al. 2015).

    Args:
        types: The number T of distortions.
        settings: Its shape.
    """

    def __init__(self, types: int, settings: TileNetworkSettings | None = None) -> None:
        super().__init__()
        self.types, self.settings = types, settings or TileNetworkSettings()
        self.stages, self.reductions = nn.ModuleList(), nn.ModuleList()
        before = 2 * 3 * 2**2
        for index, (width, depth) in enumerate(zip(self.settings.widths, self.settings.depths, strict=True)):
            first = nn.Conv2d(before, width, 3, 2 if index else 1, 1)
            nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
            blocks = [ResidualBlock(width) for _ in range(depth)]
            self.stages.append(nn.Sequential(nn.Sequential(first, nn.ReLU(inplace=True)), *blocks))
            self.reductions.append(nn.Conv2d(width, REDUCED, 1, bias=False))
            before = width
        self.sizes = (STATISTICS * sum(self.settings.widths), len(self.stages) * REDUCED * (REDUCED + 1) // 2)
        sizes = {
            "presence": 1 + types,
            "levels": types * len(QUANTILES),
            "estimates": len(ESTIMATES) * len(QUANTILES),
            "damage": len(ESTIMATES),
            "direction": 2,
            "answers": len(QUESTIONS),
            "interpolation": len(INTERPOLATIONS),
        }
        self.normalizations = nn.ModuleList(nn.LayerNorm(size) for size in self.sizes)
        self.readers = nn.ModuleList(nn.Linear(size, self.settings.hidden) for size in self.sizes)
        self.activation = nn.Sequential(nn.GELU(), nn.Dropout(0.1))
        self.heads = nn.ModuleDict({name: nn.Linear(self.settings.hidden, size) for name, size in sizes.items()})

    def features(self, tiles: Tensor) -> Tensor:
        """Tiles (N, 3, H, W) in 0..1 to features (N, D)."""
        detail = DETAIL_GAIN * (tiles - functional.avg_pool2d(functional.pad(tiles, (1, 1, 1, 1), "replicate"), 3, 1))
        # Nothing is lost, and filters may differ between odd and even pixels, as codecs and sensors do.
        values, pooled = functional.pixel_unshuffle(torch.cat([tiles - 0.5, detail], 1), 2), []
        correlations = []
        for stage, reduction in zip(self.stages, self.reductions, strict=True):
            values = stage(values)
            mean, square = (each.mean((2, 3), dtype=torch.float32) for each in (values, values.square()))
            deviation = (square - mean.square()).clamp(min=0) + 1e-4
            local = functional.avg_pool2d(values, max(1, min(values.shape[2:]) // CELLS)).float()
            pooled += [_compressed(mean), deviation.log() / 2]
            pooled += [_compressed(extreme) for extreme in (local.amax((2, 3)), local.amin((2, 3)))]
            correlations.append(_products(reduction(values)))
        return torch.cat(pooled + correlations, 1)

    def forward(self, tiles: Tensor) -> TileOutputs:
        """Tiles (N, 3, H, W) in 0..1 to outputs."""
        return self.read(self.features(tiles))

    def read(self, features: Tensor) -> TileOutputs:
        """Features (N, D) to outputs."""
        return self.read_hidden(self.hide(features))

    def hide(self, features: Tensor) -> Tensor:
        """Features (N, D) to hidden units (N, H)."""
        parts = features.split(self.sizes, 1)
        read = zip(self.readers, self.normalizations, parts, strict=True)
        hidden: Tensor = self.activation(torch.stack([reader(norm(part)) for reader, norm, part in read]).sum(0))
        return hidden

    def read_hidden(self, hidden: Tensor) -> TileOutputs:
        """Hidden units (N, H) to outputs."""
        values = {name: head(hidden) for name, head in self.heads.items()}
        for name in ("levels", "estimates"):
            values[name] = _ordered(values[name].unflatten(1, (-1, len(QUANTILES))))
        return TileOutputs(**values)


def _products(values: Tensor) -> Tensor:
    """The mean products of all pairs of channels (N, C, H, W), compressed: (N, C (C + 1) / 2)."""
    flat = values.flatten(2)
    products = (flat @ flat.transpose(1, 2)).float() / flat.shape[2]
    row, column = torch.triu_indices(flat.shape[1], flat.shape[1])
    return _compressed(products[:, row, column])


def _compressed(values: Tensor) -> Tensor:
    """The logarithm of 1 plus the absolute value, with the sign of the value: without it a strange tile has huge features."""
    return values.sign() * values.abs().log1p()


class ResidualBlock(nn.Module):
    """A convolution beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = functional.relu(self.convolution(values)) + values
        # As much as before: the sum of two like values.
        return result * 0.7


def _ordered(values: Tensor) -> Tensor:
    """Quantiles in order by construction: the middle, and the distances of the ends from it."""
    below, middle, above = values.unbind(2)
    return torch.stack([middle - functional.softplus(below), middle, middle + functional.softplus(above)], 2)
