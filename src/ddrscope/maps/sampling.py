"""The sample of rows that t-SNE is fitted to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ddrscope.images.crops import distribute
from ddrscope.maps.feature_files import FeatureFiles, Rows
from ddrscope.progress import Progress

_READ_ROWS = 8192
# For each group, whether each of its rows, in order, is sampled.
Flags = list[NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Sample:
    """Sampled rows in the order of the files: features (n, D), groups (n,), names of images."""

    features: NDArray[np.float32]
    codes: NDArray[np.int16]
    names: list[str]


def choose_sample(counts: NDArray[np.int64], size: int, seed: int) -> Flags:
    """Choose rows at random, equally many of each group as far as its number of rows allows.

    Args:
        counts: Number of rows of each group.
        size: Number of rows in all.
        seed: Seed of the choice.
    """
    random = np.random.default_rng(seed)
    sampled = []
    for count, share in zip(counts.tolist(), distribute(counts.tolist(), size), strict=True):
        flags = np.zeros(count, bool)
        flags[random.choice(count, share, replace=False)] = True
        sampled.append(flags)
    return sampled


def rows_with_flags(files: FeatureFiles, sampled: Flags, limit: int) -> Iterator[tuple[Rows, NDArray[np.bool_]]]:
    """All rows in order, at most ``limit`` at a time, and whether each of them is sampled."""
    seen = np.zeros(len(files.groups), np.int64)
    for rows in files.rows(limit):
        flags = np.empty(len(rows.codes), bool)
        for code in np.unique(rows.codes):
            members = rows.codes == code
            flags[members] = sampled[code][seen[code] : seen[code] + members.sum()]
            seen[code] += members.sum()
        yield rows, flags


def read_sample(files: FeatureFiles, sampled: Flags, progress: Progress) -> Sample:
    """Read the sampled rows."""
    features, codes, names = [], [], []
    progress.start("sample", len(files))
    for rows, flags in rows_with_flags(files, sampled, _READ_ROWS):
        features.append(rows.features[flags])
        codes.append(rows.codes[flags])
        names += rows.names.filter(pa.array(flags)).to_pylist()
        progress.advance(len(flags))
    return Sample(np.concatenate(features), np.concatenate(codes), [str(name) for name in names])
