"""Which picture, photograph and group (degradation or set) each row of a study is."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Design:
    """Labels of n rows: the picture shown, the photograph it is a crop of, and the group (degradation or set) it is in.

    Each is an array (n,) of names or numbers. A picture belongs to one photograph.
    """

    pictures: np.ndarray
    photos: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        for field in ("pictures", "photos", "groups"):
            object.__setattr__(self, field, np.asarray(getattr(self, field)))
        if not len(self.pictures) == len(self.photos) == len(self.groups):
            raise ValueError("pictures, photos and groups must have one entry per row")
        if len(set(zip(self.pictures.tolist(), self.photos.tolist(), strict=True))) > len(np.unique(self.pictures)):
            raise ValueError("a picture must belong to one photograph")

    def __len__(self) -> int:
        return len(self.groups)

    @cached_property
    def balanced(self) -> bool:
        """Whether each of two or more pictures meets each of two or more groups exactly once."""
        counts = cell_counts(self.pictures, self.groups)
        return min(counts.shape) >= 2 and bool((counts == 1).all())

    def shuffled(self, seed: int) -> Design:
        """The control of shuffled labels: the same design with groups permuted within each picture."""
        groups = permutations_within(self.groups, self.pictures, 1, np.random.default_rng(seed))[0]
        return Design(self.pictures, self.photos, groups)


def encode(labels: np.ndarray) -> np.ndarray:
    """Labels as integers 0..k-1 in sorted order of the labels."""
    return np.unique(labels, return_inverse=True)[1]


def cell_counts(pictures: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Number of rows of each picture in each group, (pictures, groups), in sorted order of both."""
    rows, columns = encode(pictures), encode(groups)
    shape = (rows.max(initial=-1) + 1, columns.max(initial=-1) + 1)
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def permutations_within(
    labels: np.ndarray, pictures: np.ndarray, times: int, random: np.random.Generator
) -> np.ndarray:
    """The labels permuted within each picture, independently `times` times: (times, n)."""
    codes = encode(pictures)
    rows = np.argsort(codes, kind="stable")
    # Keys of one picture stay between its code and the next, so sorting shuffles rows inside each picture only.
    shuffled = np.argsort(codes + random.random((times, len(codes))) / 2, axis=1)
    permuted = np.empty((times, len(codes)), dtype=labels.dtype)
    permuted[:, rows] = labels[shuffled]
    return permuted
