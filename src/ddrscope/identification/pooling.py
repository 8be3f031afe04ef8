"""Statistics of a layer's channels that do not depend on the size of the image."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError

# Less than the rounding of an image to 8 bits changes in any channel of interest.
EPSILON = 1e-4
# More positions change nothing but the time: a last HR layer has a quarter of a million in a tile.
MAX_POSITIONS = 65_536
# For percentiles, whose cost grows with the number.
MAX_SORTED_POSITIONS = 4096
# Distances in rows and columns: blur, block artifacts and interpolation leave their marks at these.
LAGS = tuple(
    (rows, columns) for step in (1, 2, 4, 8) for rows, columns in ((0, step), (step, 0), (step, step), (step, -step))
)
# The side of a cell of `local_spread`, in positions.
CELL = 8
QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)


class Channels:
    """A layer's channels over positions, with what several poolings need of them.

    Args:
        values: The channels (C, P), positions row by row in the shape of the image.
        height: Of the image at the network's input.
        width: Of the image at the network's input.
    """

    def __init__(self, values: Tensor, height: int, width: int) -> None:
        # An odd stride reaches every phase of a pixel shuffle.
        stride = -(-values.shape[1] // MAX_POSITIONS) // 2 * 2 + 1
        self.values = values[:, ::stride]
        self._all, self._ratio = values, height / width

    @cached_property
    def average(self) -> Tensor:
        """The mean of each channel, (C,)."""
        return self.values.mean(dim=1)

    @cached_property
    def spread(self) -> Tensor:
        """The standard deviation of each channel plus `EPSILON`, (C,)."""
        return self.values.std(dim=1, correction=0) + EPSILON

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
                f"{self._all.shape[1]} positions do not form rows and columns: choose poolings without neighbours"
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
    return torch.cat([mean_std(channels), _signed_log(skewness), (kurtosis + EPSILON).log()])


def percentiles(channels: Channels) -> Tensor:
    """The 1st, 10th, 50th, 90th and 99th percentile of each channel: (5C,)."""
    values = channels.values
    return _quantiles(values[:, :: max(1, values.shape[1] // MAX_SORTED_POSITIONS)])


def correlation(channels: Channels) -> Tensor:
    """`mean_std`, and the correlation of each pair of channels: (2C + C(C-1)/2,).

    It is the Gram matrix of the standardized channels (Gatys et al. 2016).
    """
    matrix = channels.unit @ channels.unit.T / channels.unit.shape[1]
    row, column = torch.triu_indices(len(matrix), len(matrix), offset=1)
    return torch.cat([mean_std(channels), matrix[row, column]])


def autocorrelation(channels: Channels) -> Tensor:
    """The correlation of each channel with itself at `LAGS`: (C times lags,); 0 for a lag larger than the image."""
    image = channels.image
    _, height, width = image.shape
    correlations = []
    for down, right in LAGS:
        if down >= height or abs(right) >= width:
            correlations.append(image.new_zeros(len(image)))
            continue
        first = image[:, : height - down, max(0, -right) : width - max(0, right)]
        second = image[:, down:, max(0, right) : width - max(0, -right)]
        correlations.append((first * second).mean((1, 2)))
    return torch.cat(correlations)


def local_spread(channels: Channels) -> Tensor:
    """Percentiles, over cells, of the log standard deviation of each channel within a cell: (5C,).

    Noise raises the lowest ones and blur lowers the highest ones, whatever the image shows.
    """
    image = channels.image[None]
    side = min(CELL, *image.shape[2:])
    average, square = functional.avg_pool2d(image, side), functional.avg_pool2d(image.square(), side)
    spread = ((square - average.square()).clamp(min=0).sqrt() + EPSILON).log()
    return _quantiles(spread[0].flatten(1))


POOLINGS: dict[str, Callable[[Channels], Tensor]] = {
    pooling.__name__: pooling
    for pooling in (mean, mean_std, moments, percentiles, correlation, autocorrelation, local_spread)
}


def _quantiles(values: Tensor) -> Tensor:
    """The `QUANTILES` of each row of (C, P), quantile by quantile: (5C,)."""
    return torch.quantile(values, torch.tensor(QUANTILES, device=values.device), dim=1).flatten()


def _signed_log(value: Tensor) -> Tensor:
    """The logarithm of 1 plus the absolute value, with the sign of the value."""
    return value.sign() * value.abs().log1p()
