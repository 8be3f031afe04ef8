"""The design of a sample of features: the image, photograph and group of each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Design:
    """The labels of n rows, as names or numbers.

    Args:
        images: The image of each row (n,).
        photos: The photograph that the image is, or is a crop of (n,).
        groups: The degradation or set of the row (n,).
        folders: The folder that the photograph lies in (n,), where folders are classes; None where they are not known.

    Raises:
        ValueError: The arrays differ in length, or an image belongs to two photographs.
    """

    images: np.ndarray
    photos: np.ndarray
    groups: np.ndarray
    folders: np.ndarray | None = None

    def __post_init__(self) -> None:
        for field in ("images", "photos", "groups"):
            object.__setattr__(self, field, np.asarray(getattr(self, field)))
        if self.folders is not None:
            object.__setattr__(self, "folders", np.asarray(self.folders))
        if not len(self.images) == len(self.photos) == len(self.groups):
            raise ValueError("images, photos and groups must have one entry per row")
        if len(set(zip(self.images.tolist(), self.photos.tolist(), strict=True))) > len(np.unique(self.images)):
            raise ValueError("an image must belong to one photograph")

    def __len__(self) -> int:
        return len(self.groups)

    @cached_property
    def balanced(self) -> bool:
        """Whether each of two or more images occurs exactly once in each of two or more groups."""
        counts = cell_counts(self.images, self.groups)
        return min(counts.shape) >= 2 and bool((counts == 1).all())

    def shuffled(self, seed: int) -> Design:
        """The same design with groups permuted within each image: the control of shuffled labels."""
        groups = permutations_within(self.groups, self.images, 1, np.random.default_rng(seed))[0]
        return Design(self.images, self.photos, groups, self.folders)


def encode(labels: np.ndarray) -> np.ndarray:
    """Labels (n,) as integers 0..k-1 in the sorted order of the labels."""
    return np.unique(labels, return_inverse=True)[1]


def cell_counts(images: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The number of rows of each image in each group (images, groups), in the sorted order of both."""
    rows, columns = encode(images), encode(groups)
    shape = (rows.max(initial=-1) + 1, columns.max(initial=-1) + 1)
    return np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)


def permutations_within(labels: np.ndarray, images: np.ndarray, times: int, random: np.random.Generator) -> np.ndarray:
    """Independent random permutations of the labels (n,) within each image: (times, n)."""
    codes = encode(images)
    rows = np.argsort(codes, kind="stable")
    # The keys of an image lie between its code and the next, so that rows are sorted within each image only.
    shuffled = np.argsort(codes + random.random((times, len(codes))) / 2, axis=1)
    permuted = np.empty((times, len(codes)), dtype=labels.dtype)
    permuted[:, rows] = labels[shuffled]
    return permuted
