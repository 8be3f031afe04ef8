"""How unlike everything known an image is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# The known images' distances are kept as so many quantiles.
STEPS = 200


class NoveltyMeasure:
    """Mahalanobis distance to the nearest known distortion at its level, as a share of known images that are nearer.

    Source: Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples".
    """

    def fit(
        self, reduced: Tensor, levels: Tensor, images: NDArray[np.int64], photos: NDArray[np.str_], folds: int
    ) -> NoveltyMeasure:
        """Fit to tiles (N, K) with the levels (N, T) of what is in them; the ordinary distances are those of photographs held out."""
        # Imported where something is fitted: to identify one image need not wait for it.
        from sklearn.model_selection import GroupKFold

        distances: list[Tensor] = []
        for kept, held_out in GroupKFold(folds).split(reduced, groups=photos):
            self._fit_centers(reduced[kept], levels[kept])
            distances.append(self._distances(reduced[held_out], np.unique(images[held_out], return_inverse=True)[1]))
        self.known_ = torch.quantile(
            torch.cat(distances).double(), torch.linspace(0, 1, STEPS + 1, dtype=torch.float64)
        )
        self._fit_centers(reduced, levels)
        return self

    def score(self, reduced: Tensor, images: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of known images that are nearer, 0 to 1, of each image."""
        distances = self._distances(reduced, images).double().numpy()
        return np.asarray(np.interp(distances, self.known_.numpy(), np.linspace(0, 1, STEPS + 1)))

    def _fit_centers(self, reduced: Tensor, levels: Tensor) -> None:
        from sklearn.covariance import LedoitWolf

        _, member = torch.unique(levels, dim=0, return_inverse=True)
        counts = torch.bincount(member)
        centers = torch.zeros(len(counts), reduced.shape[1]).index_add_(0, member, reduced) / counts[:, None]
        within = LedoitWolf(assume_centered=True).fit((reduced - centers[member]).numpy())
        self.spread_ = torch.linalg.cholesky(torch.from_numpy(within.precision_).float())
        self.centers_ = centers @ self.spread_

    def _distances(self, reduced: Tensor, images: NDArray[np.int64]) -> Tensor:
        """The distance of each image's mean tile from the nearest center."""
        index = torch.from_numpy(np.ascontiguousarray(images))
        sums = torch.zeros(int(index.max()) + 1, reduced.shape[1]).index_add_(0, index, reduced)
        means = sums / torch.bincount(index)[:, None]
        return torch.cdist(means @ self.spread_, self.centers_).amin(1)
