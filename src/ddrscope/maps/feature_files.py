"""Files of pooled features and the groups of their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.io.files import sha256
from ddrscope.maps.feature_tables import (
    FEATURES,
    NAME,
    feature_count,
    names_digest,
    open_features,
    read_tables,
    to_matrix,
)
from ddrscope.maps.provenance import check_origins

# Colours and markers distinguish this many groups.
MAX_GROUPS = 64
# The products of all pairs of features must fit into memory.
MAX_FEATURES = 8192
NO_LABEL = "(none)"
_LABELS_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a file: the names of their images, their groups 0..k-1 (n,), and their features (n, D)."""

    names: pa.Array
    codes: NDArray[np.int16]
    features: NDArray[np.float32]


class FeatureFiles:
    """Parquet files with the columns ``picture`` and ``features``.

    Args:
        files: The files by name.
        label: A column whose values are the groups of the rows. Default: each file is a group.

    Attributes:
        groups: The names of the groups.
        counts: The number of rows of each group (k,).
        size: The number of features D.
        digests: The SHA-256 of the files by name.
        notes: What is not known about the files.

    Raises:
        InputError: A file is of another form, the files differ in the number of features or, by their manifests, in
            what the features are, or there are more than `MAX_GROUPS` groups.
    """

    def __init__(self, files: Mapping[str, Path], label: str | None = None) -> None:
        self.files, self.label = dict(files), label
        self.size = self._common_size()
        self.digests = {name: sha256(path) for name, path in self.files.items()}
        self.notes = check_origins(self.files, self.digests)
        if label:
            counts = self._count_labels(label)
        else:
            counts = {name: open_features(path).metadata.num_rows for name, path in self.files.items()}
        if len(counts) > MAX_GROUPS:
            raise InputError(
                f"{len(counts)} groups are more than can be distinguished ({MAX_GROUPS}): give fewer files, or `label`"
            )
        self.groups = tuple(counts)
        self.counts = np.array(list(counts.values()), np.int64)
        self._code = {name: code for code, name in enumerate(self.groups)}

    def __len__(self) -> int:
        return int(self.counts.sum())

    def is_paired(self) -> bool:
        """Whether the groups are files of the same two or more images in the same order."""
        if self.label or len(self.files) < 2 or len(set(self.counts.tolist())) > 1 or self.counts[0] < 2:
            return False
        return len({names_digest(path) for path in self.files.values()}) == 1

    def rows(self, limit: int) -> Iterator[Rows]:
        """All rows, file by file in order, at most ``limit`` at a time.

        Raises:
            InputError: A row has another number of features, or features that are NaN or infinite.
        """
        columns = [NAME, FEATURES, *([self.label] if self.label else [])]
        for name, path in self.files.items():
            start = 0
            for table in read_tables(path, columns, limit):
                features = to_matrix(table, self.size, path, start)
                if self.label:
                    labels = map(_text, table[self.label].to_pylist())
                    codes = np.array([self._code[label] for label in labels], np.int16)
                else:
                    codes = np.full(len(table), self._code[name], np.int16)
                yield Rows(table[NAME].cast(pa.string()).combine_chunks(), codes, features)
                start += len(table)

    def images(self, limit: int) -> Iterator[NDArray[np.float32]]:
        """The features (P, k, D) of the images of paired files, at most ``limit`` images at a time."""
        streams = [read_tables(path, [FEATURES], limit) for path in self.files.values()]
        start = 0
        for tables in zip(*streams, strict=True):
            parts = [
                to_matrix(table, self.size, path, start)
                for table, path in zip(tables, self.files.values(), strict=True)
            ]
            yield np.stack(parts, axis=1)
            start += len(parts[0])

    def _common_size(self) -> int:
        sizes = {path: feature_count(path, self.label) for path in self.files.values()}
        first, size = next(iter(sizes.items()))
        for path, other in sizes.items():
            if other != size:
                raise InputError(
                    f"{path} has {other} features a row, {first} {size}: give files of one network, layer and view"
                )
        if size > MAX_FEATURES:
            raise InputError(f"{first} has {size} features a row, more than {MAX_FEATURES}: give pooled features")
        return size

    def _count_labels(self, label: str) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for path in self.files.values():
            for table in read_tables(path, [label], _LABELS_AT_ONCE):
                counts.update(map(_text, table[label].to_pylist()))
                if len(counts) > MAX_GROUPS:
                    raise InputError(
                        f"column {label} has more than {MAX_GROUPS} values: give a `label` with fewer values"
                    )
        return dict(sorted(counts.items()))


def _text(value: object) -> str:
    return NO_LABEL if value is None else str(value)
