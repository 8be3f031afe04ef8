"""Features of many images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ddrscope.io.paths import expand_path
from ddrscope.results.extraction_files import (
    ERROR,
    FEATURES,
    NAME,
    ROW_TYPE,
    check_out,
    count_rows,
    read_features,
    read_names,
    write_features,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ExtractedFeatures:
    """Features of images, in memory or in a file that is read as it is needed.

    Args:
        layer: The layer they are of; None if it is not known.
        view: ``flattened`` (C*H*W numbers) or ``pooled`` (the means and standard deviations of the C channels); None if
            it is not known.
        skipped: Why images have no features, by path.
        path: The file with the features, .npy or .parquet.
        arrays: The names and the features, if they are in memory.
    """

    layer: str | None = None
    view: str | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    arrays: tuple[Sequence[str], NDArray[np.float32]] | None = None

    @classmethod
    def load(cls, path: str | Path) -> ExtractedFeatures:
        """The features in a file that `save` or `ddrscope.extract_features` wrote."""
        return cls(path=expand_path(path))

    def save(self, path: str | Path) -> Path:
        """Write the features as FILE.npy, with the names in FILE.txt, or as FILE.parquet; return the path."""
        path = expand_path(path)
        check_out(path)
        write_features(self._tables, path)
        return path

    @cached_property
    def names(self) -> Sequence[str]:
        """The name of the image of each row."""
        return self.arrays[0] if self.arrays else read_names(self._file)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """The features, float32 (N, D), rows in the order of ``names``."""
        return self.arrays[1] if self.arrays else read_features(self._file)

    def __len__(self) -> int:
        return len(self.arrays[0]) if self.arrays else count_rows(self._file)

    def to_frame(self) -> pd.DataFrame:
        """A row for each image, a column for each feature, and the names as index."""
        import pandas as pd

        return pd.DataFrame(self.features, index=pd.Index(self.names, name="image"))

    def __repr__(self) -> str:
        where = f", path={self.path}" if self.path else ""
        return f"{type(self).__name__}({len(self)} images, layer={self.layer}, view={self.view}{where})"

    @property
    def _file(self) -> Path:
        if self.path is None:
            raise ValueError("neither a path nor arrays are given")
        return self.path

    def _tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        content = {
            NAME: pa.array(self.names, pa.string()),
            FEATURES: pa.array(list(self.features), ROW_TYPE),
            ERROR: pa.nulls(len(self), pa.string()),
        }
        yield pa.table({name: content[name] for name in columns})
