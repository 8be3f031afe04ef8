"""The compact network that reads tiles: which distortions are present, how strong, and what that is in physical units."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.identification.head import QUANTILES
from ddrscope.identification.scales import SCALES, damage_of
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


# How much the estimates count beside the classes.
ESTIMATES_SHARE = 2.0


@dataclass
class Loss:
    """The loss of a `TileNetwork`, and its parts.

    Args:
        weights: Of each part.
    """

    weights: dict[str, float] = field(
        default_factory=lambda: {"presence": 1.0, "levels": 0.3, "estimates": 1.0, "damage": 0.5, "details": 0.2}
    )

    def __call__(self, outputs: TileOutputs, levels: Tensor, truths: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The loss of tiles whose levels (N, T) and truths (N, M) are partly unknown (NaN)."""
        count = len(ESTIMATES)
        damaged = damage_of(truths[:, :count])
        scaled = torch.stack([SCALES[name].forward(truths[:, i]) for i, name in enumerate(ESTIMATES)], 1)
        direction, answers = truths[:, count : count + 2], truths[:, count + 2 : count + 2 + len(QUESTIONS)]
        parts = {
            "presence": presence_loss(outputs.presence, levels),
            "levels": _pinball(outputs.levels, torch.where(levels > 0, levels, torch.nan)),
            "estimates": _pinball(outputs.estimates, scaled.masked_fill(damaged != 1, torch.nan)) * ESTIMATES_SHARE,
            "damage": _known(functional.binary_cross_entropy_with_logits, outputs.damage, damaged) * count,
            "details": _known(functional.mse_loss, outputs.direction, direction)
            + _known(functional.binary_cross_entropy_with_logits, outputs.answers, answers)
            + functional.cross_entropy(outputs.interpolation, truths[:, -1].long(), ignore_index=-1, reduction="sum")
            / max(1, int((truths[:, -1] >= 0).sum())),
        }
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}


def presence_loss(logits: Tensor, levels: Tensor) -> Tensor:
    """Cross entropy of each type alone and of the types against each other, without those that one cannot tell."""
    unknown = levels.isnan()
    present = (levels > 0).float()
    clean = 1 - present.amax(1, keepdim=True)
    # A tile with a distortion that is perhaps there is neither clean nor not.
    clean_unknown = (clean > 0) & unknown.any(1, keepdim=True)
    present = torch.cat([clean, present], 1)
    known = ~torch.cat([clean_unknown, unknown], 1)
    separate = functional.binary_cross_entropy_with_logits(logits, present, reduction="none")
    separate = (separate * known).sum(1)
    exclusive = -logits.masked_fill(~known, -30.0).log_softmax(1)
    target = present * known
    exclusive = (exclusive * target).sum(1) / target.sum(1).clamp(min=1)
    return (separate / 5 + exclusive).mean()


def _pinball(quantiles: Tensor, values: Tensor) -> Tensor:
    """The pinball loss (N, K, 3) of values (N, K), the mean over those that are known."""
    known = ~values.isnan()
    error = values.nan_to_num()[..., None] - quantiles
    marks = quantiles.new_tensor(QUANTILES)
    loss = torch.maximum(marks * error, (marks - 1) * error).sum(2)
    return (loss * known).sum() / known.sum().clamp(min=1)


def _known(loss, outputs: Tensor, values: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    known = ~values.isnan()
    if not known.any():
        return outputs.sum() * 0
    result: Tensor = loss(outputs[known], values[known])
    return result
