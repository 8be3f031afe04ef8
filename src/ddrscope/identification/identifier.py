"""The identifier: from descriptors to the probability of each distortion, its level, and how unlike anything known an image is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.identification.head import QUANTILES, Head, HeadSettings, fit_head, presence_of
from ddrscope.identification.novelty import NoveltyMeasure

CLEAN = "clean"
# Whitening lifts components that are mostly noise: they are only scaled alike, but for the very largest.
WHITENING_SHRINKAGE = 30.0
# Components beyond so many standard deviations say no more: an image unlike all others must not upset the head.
FARTHEST = 6.0


@dataclass(frozen=True)
class Predictions:
    """What is found in N images.

    ``probabilities`` (N, 1 + T): that each type is present, clean first; they need not sum to 1. ``levels`` (N, T, 3): the middle
    between the ends of the 80 % interval, 1 to 5. ``novelty`` (N,): the share of images of known distortions that are more ordinary.
    """

    probabilities: NDArray[np.float64]
    levels: NDArray[np.float64]
    novelty: NDArray[np.float64]


class DistortionIdentifier:
    """Names distortions by descriptors, several descriptors (tiles) to an image; fitted, predicts as scikit-learn's classifiers do.

    ``types`` are the names of the distortions, without clean. As many heads as ``folds`` are fitted, each without the photographs of one
    fold, on which it is then calibrated; what they say is averaged. The heads see principal components, hardly whitened: at most
    ``components`` of each part of the descriptor, whose widths are ``parts`` (None: of one part), so that no part drowns in a larger
    one. ``clean_share`` is the share of clean images to expect, since it is not that of the images fitted to.
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
        """Fit to tiles' descriptors (N, D), the levels (N, T) of each type in them (0: absent), and what image and photograph each is of.

        Raises `InputError` with fewer photographs than folds.
        """
        # Imported where something is fitted: to identify one image need not wait for it.
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
        self._calibrate(_by_image(logits, images), _by_image(quantiles, images), _by_image(graded, images))
        self.novelty_ = NoveltyMeasure().fit(reduced, graded, images, photos, self.folds)
        return self

    def find(self, descriptors: ArrayLike, images: ArrayLike | None = None) -> Predictions:
        """What is found in the images whose tiles have these descriptors (N, D); without ``images`` each row is an image."""
        reduced = self._reduce(np.asarray(descriptors, dtype=np.float32))
        members = np.arange(len(reduced)) if images is None else np.unique(np.asarray(images), return_inverse=True)[1]
        with torch.inference_mode():
            said = [head(reduced) for head in self.heads_]
            logits = _by_image(torch.stack([one for one, _ in said]).mean(0), members)
            quantiles = _by_image(torch.stack([other for _, other in said]).mean(0), members)
        ends = quantiles.double() + torch.tensor([-1.0, 0.0, 1.0]) * self.widening_
        return Predictions(
            self._probabilities(logits).numpy(), ends.clamp(1, 5).numpy(), self.novelty_.score(reduced, members)
        )

    def predict_proba(self, descriptors: ArrayLike, images: ArrayLike | None = None) -> NDArray[np.float64]:
        """The probability that each of clean and the types is present: (N, 1 + T)."""
        return self.find(descriptors, images).probabilities

    def predict(self, descriptors: ArrayLike, images: ArrayLike | None = None) -> NDArray[np.str_]:
        """The likeliest of clean and the types."""
        return np.array([CLEAN, *self.types])[self.predict_proba(descriptors, images).argmax(1)]

    def _fit_reduction(self, rows: NDArray[np.float32]) -> None:
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        self.centers_: list[Tensor] = []
        self.bases_: list[Tensor] = []
        self.reaches_: list[Tensor] = []
        for part in np.split(rows, np.cumsum(self.parts or [rows.shape[1]])[:-1], axis=1):
            scaler = StandardScaler().fit(part)
            count = min(self.components, *part.shape)
            pca = PCA(count, svd_solver="randomized", random_state=self.seed).fit(scaler.transform(part))
            variances = pca.explained_variance_
            lengths = np.sqrt(variances + WHITENING_SHRINKAGE * variances.mean())
            # On average 1 long, as a head expects what it reads to be.
            lengths *= np.sqrt((variances / lengths**2).mean())
            self.centers_.append(torch.from_numpy(scaler.mean_).float())
            self.bases_.append(torch.from_numpy(pca.components_.T / scaler.scale_[:, None] / lengths).float())
            self.reaches_.append(torch.from_numpy(FARTHEST * np.sqrt(variances) / lengths).float())

    def _reduce(self, rows: NDArray[np.float32]) -> Tensor:
        widths = [len(center) for center in self.centers_]
        if rows.ndim != 2 or rows.shape[1] != sum(widths):
            raise InputError(f"descriptors of shape {rows.shape} do not fit: (N, {sum(widths)}) are needed")
        parts = zip(torch.from_numpy(rows).split(widths, 1), self.centers_, self.bases_, self.reaches_, strict=True)
        return torch.cat([((part - center) @ basis).clamp(-reach, reach) for part, center, basis, reach in parts], 1)

    def _calibrate(self, logits: Tensor, quantiles: Tensor, levels: Tensor) -> None:
        """Weights of the logits (Platt), widening of the intervals (conformal), on images no head was fitted to."""
        from scipy.optimize import minimize

        present = presence_of(levels).double()
        own, rivals = _against_rivals(logits)

        def cross_entropy(weights: NDArray[np.float64]) -> float:
            return float(
                functional.binary_cross_entropy_with_logits(
                    own * weights[0] + rivals * weights[1] + weights[2], present
                )
            )

        self.calibration_ = torch.from_numpy(minimize(cross_entropy, [1.0, -1.0, 0.0], method="Nelder-Mead").x)
        self.fitted_clean_share_ = present[:, 0].mean().clamp(0.001, 0.999)
        known = present[:, 1:] > 0
        low, _, high = quantiles.unbind(2)
        outside = torch.maximum(low - levels, levels - high)[known].double()
        self.widening_ = torch.quantile(outside, QUANTILES[2] - QUANTILES[0])

    def _probabilities(self, logits: Tensor) -> Tensor:
        expected = torch.tensor(self.clean_share, dtype=torch.float64)
        own = logits.double().clone()
        own[:, 0] += expected.logit() - self.fitted_clean_share_.double().logit()
        own, rivals = _against_rivals(own)
        weights = self.calibration_.double()
        return (own * weights[0] + rivals * weights[1] + weights[2]).sigmoid()


def _against_rivals(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The logits (N, K), and what all others together say: types mostly exclude each other, so a sure rival counts against a type."""
    own = logits.double()
    together = own.exp().sum(1, keepdim=True)
    return own, (together - own.exp()).clamp(min=1e-12).log()


def _by_image(values: Tensor, images: NDArray[np.int64]) -> Tensor:
    """The means over each image's tiles."""
    index = torch.from_numpy(np.ascontiguousarray(images))
    sums = values.new_zeros((int(index.max()) + 1, *values.shape[1:])).index_add_(0, index, values)
    return sums / torch.bincount(index).reshape(-1, *[1] * (values.ndim - 1))
