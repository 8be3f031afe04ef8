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
# Values of a channel are counted in 256 bins; shares are given for so many wider ones, and strengths of so many bands of
# the spectrum of the counts.
BINS, WIDE_BINS, BANDS = 256, 32, 16
TONES = 3 * (WIDE_BINS + BANDS + 2)


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
    how neighbouring pixels depend on each other (bilinear pooling, Lin et al. 2015). The histogram of each channel shows
    exposure and, by gaps and peaks, that tones were changed after they had been rounded (Stamm and Liu 2010).

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
        self.sizes = (STATISTICS * sum(self.settings.widths), len(self.stages) * REDUCED * (REDUCED + 1) // 2, TONES)
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
        return torch.cat([*pooled, *correlations, tones(tiles)], 1)

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


def tones(tiles: Tensor) -> Tensor:
    """What the histograms of tiles (N, 3, H, W) in 0..1 show: (N, `TONES`), of the order of 1.

    For each channel, the square roots of the shares of `WIDE_BINS` ranges of values, the logarithms of the strengths of
    `BANDS` frequencies of the counts above a smooth histogram's, and the shares of the values 0 and 255.
    """
    count, channels = tiles.shape[:2]
    values = (tiles.detach().float() * (BINS - 1)).round().clamp(0, BINS - 1).long().flatten(2)
    # One histogram for each tile and channel, side by side.
    places = values + BINS * torch.arange(count * channels, device=tiles.device).view(count, channels, 1)
    counts = torch.bincount(places.flatten(), minlength=BINS * count * channels).view(count, channels, BINS)
    shares = counts / counts.sum(2, keepdim=True)
    wide = shares.unflatten(2, (WIDE_BINS, -1)).sum(3).sqrt()
    # Roots have the same variance whatever the count; the ends are left out, since clipping is no comb.
    inner = counts.float().sqrt()[..., 1:-1]
    smooth = functional.avg_pool1d(functional.pad(inner, (4, 4), "replicate"), 9, 1)
    strengths = torch.fft.rfft(inner - smooth).abs().square()[..., -BANDS * 6 :]
    bands = (strengths.unflatten(2, (BANDS, -1)).amax(3) + 1).log() / 4
    return torch.cat([wide.flatten(1), bands.flatten(1), shares[..., [0, -1]].sqrt().flatten(1)], 1)


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
