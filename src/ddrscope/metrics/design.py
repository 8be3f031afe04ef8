"""Which image, photograph and group (degradation or set) each row of a study is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Design:
    """Labels of n rows: the image shown, the photograph it is a crop of, and the group (degradation or set) it is in.

    Each is an array (n,) of names or numbers. An image belongs to one photograph.
    """

    images: np.ndarray
    photos: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        for field in ("images", "photos", "groups"):
            object.__setattr__(self, field, np.asarray(getattr(self, field)))
        if not len(self.images) == len(self.photos) == len(self.groups):
            raise ValueError("images, photos and groups must have one entry per row")
        if len(set(zip(self.images.tolist(), self.photos.tolist(), strict=True))) > len(np.unique(self.images)):
            raise ValueError("an image must belong to one photograph")

    def __len__(self) -> int:
        return len(self.groups)

    @cached_property
    def balanced(self) -> bool:
        """Whether each of two or more images meets each of two or more groups exactly once."""
        counts = cell_counts(self.images, self.groups)
        return min(counts.shape) >= 2 and bool((counts == 1).all())

    def shuffled(self, seed: int) -> Design:
        """The control of shuffled labels: the same design with groups permuted within each image."""
        groups = permutations_within(self.groups, self.images, 1, np.random.default_rng(seed))[0]
        return Design(self.images, self.photos, groups)


def encode(labels: np.ndarray) -> np.ndarray:
    """Labels as integers 0..k-1 in sorted order of the labels."""
    return np.unique(labels, return_inverse=True)[1]


def cell_counts(images: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Number of rows of each image in each group, (images, groups), in sorted order of both."""
    rows, columns = encode(images), encode(groups)
    shape = (rows.max(initial=-1) + 1, columns.max(initial=-1) + 1)
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def permutations_within(labels: np.ndarray, images: np.ndarray, times: int, random: np.random.Generator) -> np.ndarray:
    """The labels permuted within each image, independently `times` times: (times, n)."""
    codes = encode(images)
    rows = np.argsort(codes, kind="stable")
    # Keys of one image stay between its code and the next, so sorting shuffles rows inside each image only.
    shuffled = np.argsort(codes + random.random((times, len(codes))) / 2, axis=1)
    permuted = np.empty((times, len(codes)), dtype=labels.dtype)
    permuted[:, rows] = labels[shuffled]
    return permuted
