"""From a layer's channels over positions to a few statistics that do not depend on the size of the image."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError

# Below the rounding of an image's 8 bits in any channel worth looking at.
TINY = 1e-4
# More positions say the same and take their time: a last HR layer has a quarter of a million in a tile.
POSITIONS = 65_536
# Rows and columns from one position to the other: what blur, blocks and interpolation leave alike lies at these distances.
LAGS = tuple(
    (rows, columns) for step in (1, 2, 4, 8) for rows, columns in ((0, step), (step, 0), (step, step), (step, -step))
)
# Positions a side of the cells whose spreads are compared.
CELL = 8
RANKS = (0.01, 0.1, 0.5, 0.9, 0.99)


class Channels:
    """A layer's channels (C, P) over at most `POSITIONS` positions, spread evenly, with what several poolings need of them.

    ``height`` and ``width`` are those of the image at the network's input; positions are taken to lie in rows of its shape.
    """

    def __init__(self, values: Tensor, height: int, width: int) -> None:
        # An odd stride meets every phase of a pixel shuffle.
        stride = -(-values.shape[1] // POSITIONS) // 2 * 2 + 1
        self.values = values[:, ::stride]
        self._all, self._ratio = values, height / width

    @cached_property
    def average(self) -> Tensor:
        """The mean of each channel, (C,)."""
        return self.values.mean(dim=1)

    @cached_property
    def spread(self) -> Tensor:
        """The standard deviation of each channel and `TINY` more, (C,)."""
        return self.values.std(dim=1, correction=0) + TINY

    @cached_property
    def unit(self) -> Tensor:
        """The channels with mean 0 and standard deviation 1; a constant channel becomes 0."""
        return (self.values - self.average[:, None]).div_(self.spread[:, None])

    @cached_property
    def image(self) -> Tensor:
        """All positions as an image (C, rows, columns), each channel with mean 0 and standard deviation 1."""
        rows = round((self._all.shape[1] * self._ratio) ** 0.5)
        if rows == 0 or self._all.shape[1] % rows:
            raise InputError(
                f"{self._all.shape[1]} positions do not lie in rows and columns: choose poolings that need no neighbours"
            )
        return ((self._all - self.average[:, None]) / self.spread[:, None]).unflatten(1, (rows, -1))


def mean(channels: Channels) -> Tensor:
    """The mean of each channel: (C,)."""
    return channels.average


def mean_std(channels: Channels) -> Tensor:
    """Mean and log standard deviation of each channel: (2C,)."""
    return torch.cat([channels.average, channels.spread.log()])


def moments(channels: Channels) -> Tensor:
    """Mean, log standard deviation, skewness and log kurtosis of each channel: (4C,)."""
    squares = channels.unit.square()
    positions = squares.shape[1]
    skewness = torch.linalg.vecdot(squares, channels.unit) / positions
    kurtosis = torch.linalg.vecdot(squares, squares) / positions
    return torch.cat([mean_std(channels), _tamed(skewness), (kurtosis + TINY).log()])


def percentiles(channels: Channels) -> Tensor:
    """The 1st, 10th, 50th, 90th and 99th percentile of each channel: (5C,)."""
    # Kth values of a few thousand positions say the same as of all of them, at a tenth of the time.
    seen = channels.values[:, :: max(1, channels.values.shape[1] // 4096)]
    return _at_ranks(seen)


def correlation(channels: Channels) -> Tensor:
    """`mean_std` and the correlation of each two channels, the Gram matrix of the standardized channels: (2C + C(C-1)/2,)."""
    together = channels.unit @ channels.unit.T / channels.unit.shape[1]
    row, column = torch.triu_indices(len(together), len(together), offset=1)
    return torch.cat([mean_std(channels), together[row, column]])


def autocorrelation(channels: Channels) -> Tensor:
    """How alike each channel is to itself at `LAGS`: (C times lags,); a lag that leaves the image is 0."""
    image = channels.image
    _, height, width = image.shape
    alike = []
    for down, right in LAGS:
        if down >= height or abs(right) >= width:
            alike.append(image.new_zeros(len(image)))
            continue
        first = image[:, : height - down, max(0, -right) : width - max(0, right)]
        second = image[:, down:, max(0, right) : width - max(0, -right)]
        alike.append((first * second).mean((1, 2)))
    return torch.cat(alike)


def local_spread(channels: Channels) -> Tensor:
    """Percentiles over cells of the log standard deviation of each channel within a cell: (5C,).

    Noise fills the quietest cells, blur empties the liveliest, whatever the image shows.
    """
    image = channels.image[None]
    side = min(CELL, *image.shape[2:])
    average, square = functional.avg_pool2d(image, side), functional.avg_pool2d(image.square(), side)
    spread = ((square - average.square()).clamp(min=0).sqrt() + TINY).log()
    return _at_ranks(spread[0].flatten(1))


POOLINGS: dict[str, Callable[[Channels], Tensor]] = {
    pooling.__name__: pooling
    for pooling in (mean, mean_std, moments, percentiles, correlation, autocorrelation, local_spread)
}


def _at_ranks(values: Tensor) -> Tensor:
    """The `RANKS` of each row of (C, P), rank by rank: (5C,)."""
    return torch.quantile(values, torch.tensor(RANKS, device=values.device), dim=1).flatten()


def _tamed(value: Tensor) -> Tensor:
    """Small values as they are, large ones as their logarithm, with the sign kept."""
    return value.sign() * value.abs().log1p()
