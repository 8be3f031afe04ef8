"""Results of `ddrscope.map_features`, and their form in ``map.json`` and ``map.parquet``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ddrscope.metrics.estimate import NAN
from ddrscope.metrics.group_sums import GroupMeasures

# The content column is called `picture` in all files.
COLUMNS = ("picture", "group", "x", "y", "sampled")
_SHARES = ("degradation_share", "content_share", "interaction_share")


@dataclass(frozen=True)
class MapGroup:
    """A group of points: its name, the number of its points, and how many of them t-SNE was fitted to."""

    name: str
    points: int
    sampled: int

    def to_json(self) -> dict[str, Any]:
        """An entry of ``groups`` in ``map.json``."""
        return {"name": self.name, "points": self.points, "sampled": self.sampled}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MapGroup:
        """The entry that `to_json` wrote."""
        return cls(str(value["name"]), int(value["points"]), int(value["sampled"]))


@dataclass(frozen=True, kw_only=True)
class MapMeasures(GroupMeasures):
    """The measures of a map. `GroupMeasures` documents the inherited fields, which are of all points.

    Args:
        knn_plane_sampled: 5-NN accuracy of the groups on the plane, for the points that t-SNE was fitted to. Neighbours
            are fitted points of other photographs. NaN with one photograph.
        knn_plane_placed: The same for the points that were placed afterwards.
    """

    knn_plane_sampled: float
    knn_plane_placed: float

    def to_json(self) -> dict[str, Any]:
        """The object ``measures`` of ``map.json``."""
        shares = {name: value for name in _SHARES if (value := getattr(self, name)) is not None}
        return {
            "chi_pca": self.chi_pca,
            "n": self.n,
            "k": self.k,
            **shares,
            "knn_plane_sampled": self.knn_plane_sampled,
            "knn_plane_placed": self.knn_plane_placed,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MapMeasures:
        """The measures that `to_json` wrote."""
        return cls(
            chi_pca=_number(value["chi_pca"]),
            n=int(value["n"]),
            k=int(value["k"]),
            **{name: _number(value[name]) for name in _SHARES if name in value},
            knn_plane_sampled=_number(value["knn_plane_sampled"]),
            knn_plane_placed=_number(value["knn_plane_placed"]),
        )


@dataclass(frozen=True, eq=False)
class MapData:
    """The content of ``map.json`` and ``map.parquet``.

    Args:
        features: Number of features of a point.
        balanced: Whether the groups are files of the same images in the same order.
        groups: The groups.
        measures: The measures.
        components: Number of principal components that t-SNE was fitted to.
        perplexity: Perplexity of t-SNE, lowered if there are few points.
        placed_by: How points were placed: ``gradient`` or ``gradient on a grid``.
        notes: What to consider when reading the map.
        manifest: Settings, versions and machine of the run.
        table: A row for each point in the order of the files, with the columns `COLUMNS`.
    """

    features: int
    balanced: bool
    groups: tuple[MapGroup, ...]
    measures: MapMeasures
    components: int
    perplexity: float
    placed_by: str
    notes: tuple[str, ...]
    manifest: Mapping[str, Any]
    table: pa.Table

    def __len__(self) -> int:
        """The number of points."""
        return len(self.table)

    @property
    def sample_size(self) -> int:
        """The number of points that t-SNE was fitted to."""
        return sum(group.sampled for group in self.groups)

    @cached_property
    def xy(self) -> NDArray[np.float32]:
        """The positions of the points, float32 (n, 2)."""
        return np.stack([self.table[axis].to_numpy() for axis in ("x", "y")], axis=1)

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """The group of each point as its index in ``groups`` (n,)."""
        names = pa.array([group.name for group in self.groups], pa.string())
        return pc.index_in(self.table["group"].cast(pa.string()), value_set=names).to_numpy().astype(np.uint8)

    @cached_property
    def sampled(self) -> NDArray[np.bool_]:
        """Whether t-SNE was fitted to each point (n,)."""
        return self.table["sampled"].to_numpy()

    @property
    def sampled_names(self) -> list[str]:
        """The names of the images that t-SNE was fitted to, in the order of the points."""
        return list(map(str, self.table["picture"].filter(self.table["sampled"]).to_pylist()))

    def to_frame(self) -> pd.DataFrame:
        """One row for each point, with the columns of ``map.parquet`` (see docs/files.md)."""
        return self.table.to_pandas()

    def to_json(self) -> dict[str, Any]:
        """The content of ``map.json`` (see docs/files.md)."""
        return {
            "points": len(self),
            "features": self.features,
            "balanced": self.balanced,
            "groups": [group.to_json() for group in self.groups],
            "measures": self.measures.to_json(),
            "components": self.components,
            "perplexity": self.perplexity,
            "placed_by": self.placed_by,
            "notes": list(self.notes),
            "settings": self.manifest["settings"],
            "manifest": dict(self.manifest),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], table: pa.Table) -> Self:
        """The result from the content of ``map.json`` and ``map.parquet``.

        Raises:
            KeyError, TypeError, ValueError: The content is incomplete, of another form, or the files do not belong
                together.
        """
        groups = tuple(map(MapGroup.from_json, data["groups"]))
        _check_table(table, groups)
        return cls(
            features=int(data["features"]),
            balanced=bool(data["balanced"]),
            groups=groups,
            measures=MapMeasures.from_json(data["measures"]),
            components=int(data["components"]),
            perplexity=float(data["perplexity"]),
            placed_by=str(data["placed_by"]),
            notes=tuple(map(str, data["notes"])),
            manifest=data["manifest"],
            table=table,
        )


def _check_table(table: pa.Table, groups: Sequence[MapGroup]) -> None:
    if tuple(table.column_names) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    counts = {row["values"]: row["counts"] for row in pc.value_counts(table["group"].cast(pa.string())).to_pylist()}
    if counts != {group.name: group.points for group in groups if group.points}:
        raise ValueError("its points are not those of its groups")


def _number(value: Any) -> float:
    return NAN if value is None else float(value)
