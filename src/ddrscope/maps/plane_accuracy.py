"""How well the places on a plane tell the groups: of the sampled points, and of those placed after them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from ddrscope.images import photograph_of

NEIGHBOURS, FOLDS = 5, 5


class PlaneAccuracy:
    """k-NN accuracy of groups on the plane: a point's neighbours are sampled points of photographs in the other folds.

    Photographs fall into `FOLDS` folds by a checksum of their names, so that points which are read later find theirs: the same question
    is put to sampled and to placed points, and an image is never recognized by itself or by a crop of the same photograph. ``plane``
    (n, 2), ``codes`` (n,) and ``names`` are those of the sampled points.
    """

    def __init__(
        self, plane: NDArray[np.floating], codes: NDArray[np.integer], names: Sequence[str], photo_from: str = "prefix"
    ) -> None:
        self._rule = photo_from
        folds = fold_of(names, photo_from)
        self._told: dict[int, KNeighborsClassifier] = {}
        for fold in range(FOLDS):
            others = folds != fold
            if others.any():
                neighbours = min(NEIGHBOURS, int(others.sum()))
                self._told[fold] = KNeighborsClassifier(neighbours).fit(plane[others], codes[others])
        self.right = self.asked = 0

    def ask(self, plane: NDArray[np.floating], codes: NDArray[np.integer], names: Sequence[str]) -> None:
        """Count how many of these points are told right."""
        folds = fold_of(names, self._rule)
        for fold, classifier in self._told.items():
            chosen = folds == fold
            if chosen.any():
                self.right += int((classifier.predict(plane[chosen]) == codes[chosen]).sum())
                self.asked += int(chosen.sum())

    def take(self) -> float:
        """The share told right of those asked since the last time; NaN where none was."""
        share = self.right / self.asked if self.asked else float("nan")
        self.right = self.asked = 0
        return share


def fold_of(names: Sequence[str], photo_from: str = "prefix") -> NDArray[np.int64]:
    """The fold of each image's photograph, 0..`FOLDS` - 1."""
    photos = [photograph_of(name, photo_from) for name in names]
    return np.array([zlib.crc32(photo.encode("utf-8", "surrogatepass")) % FOLDS for photo in photos], np.int64)
