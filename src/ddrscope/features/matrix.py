"""Matrices of features, N images x D features, in memory or on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ddrscope.errors import InputError

_BLOCK_BYTES = 64 << 20


class FeatureMatrix:
    """Float32 features with a row for each image, in memory or in a temporary file.

    The file has no name: it is deleted with the last reference to the matrix, and when the process ends, even if it is
    killed.
    """

    def __init__(self, data: np.ndarray) -> None:
        self._data = data

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        rows, columns = self._data.shape
        return rows, columns

    def column_blocks(self, width: int | None = None) -> Iterator[np.ndarray]:
        """Yield all columns in order, as float32 (N, w) with w <= ``width``. None: blocks of about 64 MB."""
        rows, columns = self.shape
        width = width or max(1, _BLOCK_BYTES // (4 * rows))
        for start in range(0, columns, width):
            yield np.array(self._data[:, start : start + width])

    def to_numpy(self) -> np.ndarray:
        """The whole matrix in memory, float32 (N, D)."""
        return np.array(self._data)


class RowWriter:
    """Collects the rows of a `FeatureMatrix`.

    Args:
        folder: Where the temporary file goes. None: the system's folder.
        in_memory_bytes: Rows beyond this size go to the temporary file.
    """

    def __init__(self, folder: Path | None, in_memory_bytes: int) -> None:
        self._folder = folder
        self._in_memory_bytes = in_memory_bytes
        self._blocks: list[np.ndarray] = []
        self._file: IO[bytes] | None = None
        self._rows = 0
        self._columns: int | None = None

    def append(self, rows: np.ndarray) -> None:
        """Add float32 rows (B, D). Raises `InputError` if D differs from earlier rows, or the disk is full."""
        if self._columns not in (None, rows.shape[1]):
            raise InputError(
                f"row {self._rows} has {rows.shape[1]} features, those before {self._columns}: "
                "crop the images to one size or use the pooled view"
            )
        self._columns = rows.shape[1]
        self._rows += len(rows)
        self._blocks.append(np.ascontiguousarray(rows))
        if self._file or 4 * self._rows * self._columns > self._in_memory_bytes:
            self._move_to_disk()

    def finish(self) -> FeatureMatrix:
        """The matrix of all rows. The writer cannot be used any more."""
        if not self._file:
            return FeatureMatrix(np.concatenate(self._blocks))
        # The memory map keeps the file's content after the file is closed.
        with self._file:
            return FeatureMatrix(np.memmap(self._file, np.float32, "r", shape=(self._rows, self._columns or 0)))

    def _move_to_disk(self) -> None:
        # Written, not assigned through a memory map: a full disk is then an error instead of a crash (SIGBUS).
        try:
            if not self._file:
                self._file = tempfile.TemporaryFile(dir=self._folder)
            for block in self._blocks:
                self._file.write(block.data)
            self._file.flush()
        except OSError as error:
            folder = self._folder or tempfile.gettempdir()
            raise InputError(
                f"{folder}: cannot hold the temporary features ({error.strerror}); "
                "name a folder with more free space or use the pooled view"
            ) from error
        self._blocks.clear()
