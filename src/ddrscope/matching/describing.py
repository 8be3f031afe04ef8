"""What tiles look like to the network of the identifier, with what content changes in it taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh

from ddrscope.identification import ImageIdentifier, load_identifier
from ddrscope.identification.compact import CompactIdentifier, TrunkDescriptor, read_descriptors

# So many directions are kept, and so much of the mean variance is added to each direction before it is inverted.
DIRECTIONS, SHRINKAGE = 24, 0.05


class TileDescriber:
    """Describes tiles by the hidden units of the compact identifier.

    Args:
        identifier: A compact identifier. Default: the bundled one.
    """

    def __init__(self, identifier: ImageIdentifier | None = None) -> None:
        identifier = identifier or load_identifier()
        assert isinstance(identifier.descriptor, TrunkDescriptor)
        assert isinstance(identifier.identifier, CompactIdentifier)
        self._descriptor, self._reader = identifier.descriptor, identifier.identifier

    def __call__(self, tiles: NDArray[np.float32]) -> NDArray[np.float64]:
        """Hidden units (N, D) of tiles (N, H, W, 3) in 0..1."""
        if not len(tiles):
            return np.empty((0, self._reader.network.settings.hidden))
        with torch.inference_mode():
            _, hidden = read_descriptors(self._reader.network, self._descriptor.describe(tiles))
        return hidden.double().numpy()


@dataclass(frozen=True)
class ContentFree:
    """Directions in which degradations differ, measured in units of how much content differs there.

    It is the discriminant analysis of Fisher with degradations as classes: what varies between photographs under one
    degradation has about variance 1 in every direction.

    Attributes:
        mean: (D,).
        directions: (D, K).
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]

    @classmethod
    def fit(cls, features: NDArray[np.float64], chains: NDArray[np.int64]) -> ContentFree:
        """Fit to features (N, D) of tiles of different photographs, and the index of the chain of each, (N,)."""
        mean = features.mean(0)
        counts = np.bincount(chains)
        sums = np.zeros((len(counts), features.shape[1]))
        np.add.at(sums, chains, features)
        centers = (sums / np.maximum(counts, 1)[:, None])[chains]
        inner = features - centers
        # Each class has lost one degree of freedom to its mean.
        within = inner.T @ inner / max(1, len(inner) - len(counts))
        between = np.cov((centers - mean).T)
        within += SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
        values, vectors = eigh(between, within)
        kept = np.argsort(-values)[:DIRECTIONS]
        return cls(mean, vectors[:, kept])

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features (N, D) along the directions, (N, K)."""
        projected: NDArray[np.float64] = (features - self.mean) @ self.directions
        return projected
