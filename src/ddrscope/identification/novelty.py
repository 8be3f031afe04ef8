"""How unlike all known images an image is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# The distances of the known images are kept as so many quantiles.
QUANTILE_STEPS = 200


class NoveltyMeasure:
    """Mahalanobis distance to the nearest known distortion and level, as the share of known images that are nearer.

    Source: Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples".
    """

    def fit(
        self, reduced: Tensor, levels: Tensor, images: NDArray[np.int64], photos: NDArray[np.str_], folds: int
    ) -> NoveltyMeasure:
        """Fit to tiles; the known distances are those of held-out photographs.

        Args:
            reduced: Reduced descriptors (N, K) of tiles.
            levels: Levels (N, T) of each distortion in them, 0 where it is absent.
            images: The number (N,) of the image of each tile.
            photos: The photograph (N,) of each tile.
            folds: The number of groups of photographs that are held out in turn.
        """
        # Imported late, since identifying an image does not need it.
        from sklearn.model_selection import GroupKFold

        distances: list[Tensor] = []
        for kept, held_out in GroupKFold(folds).split(reduced, groups=photos):
            self._fit_centers(reduced[kept], levels[kept])
            distances.append(self._distances(reduced[held_out], np.unique(images[held_out], return_inverse=True)[1]))
        steps = torch.linspace(0, 1, QUANTILE_STEPS + 1, dtype=torch.float64)
        self.known_ = torch.quantile(torch.cat(distances).double(), steps)
        self._fit_centers(reduced, levels)
        return self

    def score(self, reduced: Tensor, images: NDArray[np.int64]) -> NDArray[np.float64]:
        """The share of known images that are nearer, 0 to 1, of each image; ``images`` as for `fit`."""
        distances = self._distances(reduced, images).double().numpy()
        return np.asarray(np.interp(distances, self.known_.numpy(), np.linspace(0, 1, QUANTILE_STEPS + 1)))

    def _fit_centers(self, reduced: Tensor, levels: Tensor) -> None:
        from sklearn.covariance import LedoitWolf

        _, member = torch.unique(levels, dim=0, return_inverse=True)
        counts = torch.bincount(member)
        centers = torch.zeros(len(counts), reduced.shape[1]).index_add_(0, member, reduced) / counts[:, None]
        within = LedoitWolf(assume_centered=True).fit((reduced - centers[member]).numpy())
        self.spread_ = torch.linalg.cholesky(torch.from_numpy(within.precision_).float())
        self.centers_ = centers @ self.spread_

    def _distances(self, reduced: Tensor, images: NDArray[np.int64]) -> Tensor:
        """The distance of the mean of each image's tiles from the nearest center."""
        index = torch.from_numpy(np.ascontiguousarray(images))
        sums = torch.zeros(int(index.max()) + 1, reduced.shape[1]).index_add_(0, index, reduced)
        means = sums / torch.bincount(index)[:, None]
        return torch.cdist(means @ self.spread_, self.centers_).amin(1)
