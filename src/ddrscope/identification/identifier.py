"""The distortion identifier: from descriptors to the probability and level of each distortion, and to novelty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ddrscope.errors import InputError
from ddrscope.identification.calibration import PresenceCalibration, image_means, widened, widening
from ddrscope.identification.head import QUANTILES, Head, HeadSettings, fit_head, presence_of
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.identification.predictions import Predictions
from ddrscope.results.vocabulary import CLEAN

# In units of the mean variance: whitening alone would lift the last components, which are mostly noise. With this only
# the very largest are scaled down.
WHITENING_SHRINKAGE = 30.0
# Components are clipped at so many standard deviations, so that an image unlike all others does not upset the heads.
CLIP_SIGMA = 6.0


class DistortionIdentifier:
    """A multi-label classifier of distortions by descriptors, several of them (tiles) to an image, as in scikit-learn.

    A head is fitted for each fold, without the photographs of that fold, and calibrated on them; predictions are the
    average of the heads. The heads read principal components of the descriptors.

    Args:
        types: The names of the distortions, without clean.
        parts: The lengths of the parts of a descriptor, each reduced on its own, so that a short part is not drowned by a
            long one. Default: one part.
        components: The largest number of principal components of each part.
        folds: The number of groups of photographs.
        clean_share: The share of clean images to expect, which is not that of the images the identifier is fitted to.
        head: How the heads are fitted.
        seed: Of the components and of the heads.
    """

    def __init__(
        self,
        types: Sequence[str],
        *,
        parts: Sequence[int] | None = None,
        components: int = 256,
        folds: int = 4,
        clean_share: float = 0.5,
        head: HeadSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.parts = parts
        self.types, self.components, self.folds, self.head, self.seed = types, components, folds, head, seed
        self.clean_share = clean_share

    def fit(
        self, descriptors: ArrayLike, levels: ArrayLike, images: ArrayLike, photos: ArrayLike
    ) -> DistortionIdentifier:
        """Fit to the descriptors of tiles.

        Args:
            descriptors: (N, D).
            levels: The level of each type in each tile, (N, T), 0 where it is absent.
            images: The number of the image of each tile, (N,).
            photos: The photograph of each tile, (N,).

        Raises:
            InputError: There are fewer photographs than folds.
        """
        # Imported late, since identifying an image does not need it.
        from sklearn.model_selection import GroupKFold

        rows = np.asarray(descriptors, dtype=np.float32)
        graded = torch.as_tensor(np.asarray(levels), dtype=torch.float32)
        images, photos = np.unique(np.asarray(images), return_inverse=True)[1], np.asarray(photos)
        if len(np.unique(photos)) < self.folds:
            raise InputError(
                f"{len(np.unique(photos))} photographs are too few to hold out {self.folds} folds of them: give more"
            )
        self._fit_reduction(rows)
        reduced = self._reduce(rows)
        self.heads_: list[Head] = []
        logits = torch.zeros(len(rows), 1 + len(self.types))
        quantiles = torch.zeros(len(rows), len(self.types), len(QUANTILES))
        for fold, (kept, held_out) in enumerate(GroupKFold(self.folds).split(rows, groups=photos)):
            head = fit_head(reduced[kept], graded[kept], self.head or HeadSettings(), self.seed + fold)
            with torch.inference_mode():
                logits[held_out], quantiles[held_out] = head(reduced[held_out])
            self.heads_.append(head)
        self._calibrate(image_means(logits, images), image_means(quantiles, images), image_means(graded, images))
        self.novelty_ = NoveltyMeasure().fit(reduced, graded, images, photos, self.folds)
        return self

    def predict_all(self, descriptors: ArrayLike, images: ArrayLike | None = None) -> Predictions:
        """Probabilities, levels and novelty of images.

        Args:
            descriptors: Of tiles, (N, D).
            images: The number of the image of each tile, (N,). Default: each row is an image.

        Raises:
            InputError: The descriptors have another length than those the identifier was fitted to.
        """
        reduced = self._reduce(np.asarray(descriptors, dtype=np.float32))
        members = np.arange(len(reduced)) if images is None else np.unique(np.asarray(images), return_inverse=True)[1]
        with torch.inference_mode():
            outputs = [head(reduced) for head in self.heads_]
            logits = image_means(torch.stack([presence for presence, _ in outputs]).mean(0), members)
            quantiles = image_means(torch.stack([levels for _, levels in outputs]).mean(0), members)
        return Predictions(
            self.calibration_.probabilities(logits, self.clean_share).numpy(),
            widened(quantiles, self.widening_).clamp(1, 5).numpy(),
            self.novelty_.score(reduced, members),
        )

    def predict_proba(self, descriptors: ArrayLike, images: ArrayLike | None = None) -> NDArray[np.float64]:
        """The probability that each of clean and the types is present, (N, 1 + T)."""
        return self.predict_all(descriptors, images).probabilities

    def predict(self, descriptors: ArrayLike, images: ArrayLike | None = None) -> NDArray[np.str_]:
        """The likeliest of clean and the types, (N,)."""
        return np.array([CLEAN, *self.types])[self.predict_proba(descriptors, images).argmax(1)]

    def _fit_reduction(self, rows: NDArray[np.float32]) -> None:
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        self.centers_: list[Tensor] = []
        self.bases_: list[Tensor] = []
        self.clip_limits_: list[Tensor] = []
        for part in np.split(rows, np.cumsum(self.parts or [rows.shape[1]])[:-1], axis=1):
            scaler = StandardScaler().fit(part)
            count = min(self.components, *part.shape)
            pca = PCA(count, svd_solver="randomized", random_state=self.seed).fit(scaler.transform(part))
            variances = pca.explained_variance_
            lengths = np.sqrt(variances + WHITENING_SHRINKAGE * variances.mean())
            # A mean variance of 1, as the initial weights of a head expect.
            lengths *= np.sqrt((variances / lengths**2).mean())
            self.centers_.append(torch.from_numpy(scaler.mean_).float())
            self.bases_.append(torch.from_numpy(pca.components_.T / scaler.scale_[:, None] / lengths).float())
            self.clip_limits_.append(torch.from_numpy(CLIP_SIGMA * np.sqrt(variances) / lengths).float())

    def _reduce(self, rows: NDArray[np.float32]) -> Tensor:
        widths = [len(center) for center in self.centers_]
        if rows.ndim != 2 or rows.shape[1] != sum(widths):
            raise InputError(f"descriptors of shape {rows.shape} do not fit: (N, {sum(widths)}) are needed")
        parts = torch.from_numpy(rows).split(widths, 1)
        fitted = zip(parts, self.centers_, self.bases_, self.clip_limits_, strict=True)
        return torch.cat([((part - center) @ basis).clamp(-limit, limit) for part, center, basis, limit in fitted], 1)

    def _calibrate(self, logits: Tensor, quantiles: Tensor, levels: Tensor) -> None:
        present = presence_of(levels)
        self.calibration_ = PresenceCalibration.fit(logits, present)
        known = present[:, 1:] > 0
        self.widening_ = widening(quantiles[known], levels[known])
