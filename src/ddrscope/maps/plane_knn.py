"""k-NN accuracy of groups on the plane of a map."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from ddrscope.images import photograph_of

NEIGHBOURS, FOLDS = 5, 5


class PlaneKnn:
    """5-NN classification of groups on the plane.

    The neighbours of a point are sampled points of photographs in other folds, so that no image is recognized by itself
    or by a crop of the same photograph. Photographs are assigned to folds by a checksum of their names, so that the
    folds of points that are read later are the same.

    Args:
        plane: Positions of the sampled points (n, 2).
        codes: Their groups (n,).
        names: The names of their images.
        photo_from: The rule by which images belong to photographs.
    """

    def __init__(
        self, plane: NDArray[np.floating], codes: NDArray[np.integer], names: Sequence[str], photo_from: str = "prefix"
    ) -> None:
        self._photo_from = photo_from
        self._classifiers: dict[int, KNeighborsClassifier] = {}
        folds = fold_of(names, photo_from)
        for fold in range(FOLDS):
            others = folds != fold
            if others.any():
                neighbours = min(NEIGHBOURS, int(others.sum()))
                self._classifiers[fold] = KNeighborsClassifier(neighbours).fit(plane[others], codes[others])

    def count(self, plane: NDArray[np.floating], codes: NDArray[np.integer], names: Sequence[str]) -> Counts:
        """Classify points, given as in the constructor. Points without neighbours in other folds are not counted."""
        folds = fold_of(names, self._photo_from)
        counts = Counts()
        for fold, classifier in self._classifiers.items():
            chosen = folds == fold
            if chosen.any():
                correct = int((classifier.predict(plane[chosen]) == codes[chosen]).sum())
                counts += Counts(correct, int(chosen.sum()))
        return counts


@dataclass(frozen=True)
class Counts:
    """Numbers of points: classified correctly, and in all."""

    correct: int = 0
    total: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.correct + other.correct, self.total + other.total)

    @property
    def accuracy(self) -> float:
        """The share that is correct; NaN if there are no points."""
        return self.correct / self.total if self.total else float("nan")


def fold_of(names: Sequence[str], photo_from: str = "prefix") -> NDArray[np.int64]:
    """The fold of each image's photograph (n,), 0..`FOLDS` - 1."""
    photos = [photograph_of(name, photo_from) for name in names]
    return np.array([zlib.crc32(photo.encode("utf-8", "surrogatepass")) % FOLDS for photo in photos], np.int64)
