"""Placing all points on the plane of the sampled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ddrscope.embedding.tsne import TsneMap
from ddrscope.maps.feature_files import FeatureFiles, Rows
from ddrscope.maps.plane_knn import Counts, PlaneKnn
from ddrscope.maps.sampling import Flags, rows_with_flags
from ddrscope.progress import Progress

# A batch needs a few megabytes of features, of neighbours and of gradients.
_BATCH_ROWS = 20_000
# With fewer points in all, each is placed without the grid, which would cost more than it saves.
_GRID_FROM = 10_000


@dataclass(frozen=True, eq=False)
class Plane:
    """A t-SNE plane and the PCA before it, which turns features x into ``(x - mean) @ axes``."""

    tsne: TsneMap
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]

    def place(self, features: NDArray[np.float32], on_grid: bool) -> NDArray[np.float64]:
        """The positions (n, 2) of new points with the given features (n, D)."""
        return self.tsne.transform((features - self.mean) @ self.axes, on_grid)


def uses_grid(points: int) -> bool:
    """Whether the repulsion of so many points is read off a grid."""
    return points >= _GRID_FROM


def place_all(
    files: FeatureFiles, sampled: Flags, plane: Plane, classifier: PlaneKnn, progress: Progress
) -> tuple[pa.Table, Counts]:
    """Place every row that is not sampled.

    Args:
        files: The rows.
        sampled: Which of them are sampled; these keep the positions of ``plane``, in order.
        plane: The plane of the sampled rows.
        classifier: Classifies the placed points.
        progress: Where progress is reported.

    Returns:
        A row for each point with the columns of ``map.parquet``, and how many placed points are classified correctly.
    """
    on_grid = uses_grid(len(files))
    tables: list[pa.Table] = []
    counts, fitted = Counts(), 0
    progress.start("placing points", len(files))
    for rows, flags in rows_with_flags(files, sampled, _BATCH_ROWS):
        positions = np.empty((len(flags), 2))
        positions[flags] = plane.tsne.embedding_[fitted : fitted + flags.sum()]
        fitted += flags.sum()
        new = ~flags
        if new.any():
            positions[new] = plane.place(rows.features[new], on_grid)
            names = rows.names.filter(pa.array(new)).to_pylist()
            counts += classifier.count(positions[new], rows.codes[new], names)
        tables.append(_table(rows, positions.astype(np.float32), flags, files.groups))
        progress.advance(len(flags))
    return pa.concat_tables(tables), counts


def _table(rows: Rows, positions: NDArray[np.float32], sampled: NDArray[np.bool_], groups: Sequence[str]) -> pa.Table:
    return pa.table(
        {
            "picture": rows.names,
            "group": pa.DictionaryArray.from_arrays(pa.array(rows.codes), pa.array(groups)),
            "x": pa.array(positions[:, 0]),
            "y": pa.array(positions[:, 1]),
            "sampled": pa.array(sampled),
        }
    )
