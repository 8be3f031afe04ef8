"""What turns the outputs of a network for tiles into calibrated probabilities and intervals for images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ddrscope.identification.head import QUANTILES

COVERAGE = QUANTILES[2] - QUANTILES[0]


@dataclass(frozen=True)
class PresenceCalibration:
    """Probabilities that classes are present, from logits (Platt).

    Types mostly exclude each other, so a likely other type counts against a type.

    Args:
        weights: Of the own logit, of all others, and a constant, (3,).
        fitted_clean_share: The share of clean images among those it was fitted to.
    """

    weights: Tensor
    fitted_clean_share: Tensor

    @classmethod
    def fit(cls, logits: Tensor, present: Tensor) -> PresenceCalibration:
        """Fit to held-out images: logits and presence (N, K), clean first; NaN where one cannot tell."""
        from scipy.optimize import minimize

        own, others = _with_others(logits)
        known = ~present.isnan()
        target = present.double()[known]

        def cross_entropy(weights: NDArray[np.float64]) -> float:
            calibrated = (own * weights[0] + others * weights[1] + weights[2])[known]
            return float(functional.binary_cross_entropy_with_logits(calibrated, target))

        weights = torch.from_numpy(minimize(cross_entropy, [1.0, -1.0, 0.0], method="Nelder-Mead").x)
        return cls(weights, present[:, 0].nanmean().clamp(0.001, 0.999))

    def probabilities(self, logits: Tensor, clean_share: float) -> Tensor:
        """Probabilities (N, K) where ``clean_share`` of the images are clean."""
        expected = torch.tensor(clean_share, dtype=torch.float64)
        shifted = logits.double().clone()
        shifted[:, 0] += expected.logit() - self.fitted_clean_share.double().logit()
        own, others = _with_others(shifted)
        weights = self.weights.double()
        return (own * weights[0] + others * weights[1] + weights[2]).sigmoid()


def widening(quantiles: Tensor, values: Tensor) -> Tensor:
    """By how much intervals must be widened so that they hold 80 % of held-out values (conformal).

    Args:
        quantiles: (N, 3) on the scale on which they are widened.
        values: (N,); NaN where they are unknown.

    Raises:
        ValueError: None is known.
    """
    quantiles, values = _known(quantiles, values)
    outside = torch.maximum(quantiles[:, 0] - values, values - quantiles[:, 2])
    return torch.quantile(outside, COVERAGE)


def widened(quantiles: Tensor, by: Tensor) -> Tensor:
    """Quantiles (..., 3) with their ends moved outwards; a negative amount moves them inwards, not past the middle."""
    low, middle, high = quantiles.double().unbind(-1)
    by = by.double()
    return torch.stack([torch.minimum(low - by, middle), middle, torch.maximum(high + by, middle)], -1)


def stretch(quantiles: Tensor, values: Tensor) -> Tensor:
    """By which factor intervals must grow about their middle so that they hold 80 % of held-out values (conformal).

    Where a network is surer, its intervals are narrower, and grow by less than they would by a constant.

    Args:
        quantiles: (N, 3) on the scale on which they are stretched.
        values: (N,); NaN where they are unknown.

    Raises:
        ValueError: None is known.
    """
    quantiles, values = _known(quantiles, values)
    low, middle, high = quantiles.unbind(1)
    above = values - middle
    reach = torch.where(above > 0, high - middle, middle - low).clamp(min=1e-6)
    return torch.quantile(above.abs() / reach, COVERAGE)


def stretched(quantiles: Tensor, factor: Tensor) -> Tensor:
    """Quantiles (..., 3) whose ends are moved away from the middle by a factor."""
    low, middle, high = quantiles.double().unbind(-1)
    factor = factor.double()
    return torch.stack([middle - factor * (middle - low), middle, middle + factor * (high - middle)], -1)


def _known(quantiles: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Quantiles and values in double precision where the value is known; `ValueError` if none is."""
    known = ~values.isnan()
    if not known.any():
        raise ValueError("no held-out image has a known value to calibrate intervals with: give more images")
    return quantiles[known].double(), values[known].double()


def _with_others(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (N, K), and for each the log of the summed exponentials of all others."""
    own = logits.double()
    total = own.exp().sum(1, keepdim=True)
    return own, (total - own.exp()).clamp(min=1e-12).log()


def image_means(values: Tensor, images: NDArray[np.int64]) -> Tensor:
    """The mean over the tiles of each image."""
    index = torch.from_numpy(np.ascontiguousarray(images))
    sums = values.new_zeros((int(index.max()) + 1, *values.shape[1:])).index_add_(0, index, values)
    return sums / torch.bincount(index).reshape(-1, *[1] * (values.ndim - 1))
