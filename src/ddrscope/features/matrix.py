"""N images x D features, too large for memory or not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ddrscope.errors import InputError

_BLOCK_BYTES = 64 << 20


class FeatureMatrix:
    """Float32 features, one row an image, in memory or in a temporary file.

    The file has no name: it vanishes with the last reference to the matrix, and with the process, however that ends.
    """

    def __init__(self, data: np.ndarray) -> None:
        self._data = data

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        rows, columns = self._data.shape
        return rows, columns

    def column_blocks(self, width: int | None = None) -> Iterator[np.ndarray]:
        """All columns in order, as float32 (N, w) with w <= `width` (default: blocks of about 64 MB)."""
        rows, columns = self.shape
        width = width or max(1, _BLOCK_BYTES // (4 * rows))
        for start in range(0, columns, width):
            yield np.array(self._data[:, start : start + width])

    def to_numpy(self) -> np.ndarray:
        """The whole matrix in memory, float32 (N, D)."""
        return np.array(self._data)


class RowWriter:
    """Collects the rows of a FeatureMatrix in memory, and in a temporary file in `folder` beyond `in_memory_bytes`."""

    def __init__(self, folder: Path | None, in_memory_bytes: int) -> None:
        self._folder = folder
        self._in_memory_bytes = in_memory_bytes
        self._blocks: list[np.ndarray] = []
        self._file: IO[bytes] | None = None
        self._rows = 0
        self._columns: int | None = None

    def append(self, rows: np.ndarray) -> None:
        """Add float32 rows (B, D); InputError when D changes or the disk is full."""
        if self._columns not in (None, rows.shape[1]):
            raise InputError(
                f"row {self._rows} has {rows.shape[1]} features, those before {self._columns}: "
                "crop the images to one size or use the pooled view"
            )
        self._columns = rows.shape[1]
        self._rows += len(rows)
        self._blocks.append(np.ascontiguousarray(rows))
        if self._file or 4 * self._rows * self._columns > self._in_memory_bytes:
            self._spill()

    def finish(self) -> FeatureMatrix:
        """The matrix of all rows; the writer is used up."""
        if not self._file:
            return FeatureMatrix(np.concatenate(self._blocks))
        return FeatureMatrix(np.memmap(self._file, np.float32, "r", shape=(self._rows, self._columns or 0)))

    def _spill(self) -> None:
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
                "name a folder with more room or use the pooled view"
            ) from error
        self._blocks.clear()
