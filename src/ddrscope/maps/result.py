"""A map of many points, in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write, read_json, write_json
from ddrscope.io.paths import expand_path
from ddrscope.results.maps import MapData

# What a run writes at the top of its folder.
OUTPUTS = ("map.json", "map.parquet", "map.html", "figures")
_ROW_GROUP = 20_000


@dataclass(frozen=True, eq=False)
class MapResult(MapData):
    """The result of `ddrscope.map_features`."""

    def save(self, folder: str | Path) -> Path:
        """Write ``map.parquet``, ``figures/``, ``map.html`` and ``map.json``.

        Returns:
            The path of the page.
        """
        from ddrscope.viz.point_map_page import write_map

        folder = expand_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "map.parquet") as temporary:
            pq.write_table(self.table, temporary, row_group_size=_ROW_GROUP)
        page = write_map(self, folder)
        # Last, since its presence says that the result is complete.
        write_json(folder / "map.json", self.to_json())
        return page

    @classmethod
    def load(cls, folder: str | Path) -> MapResult:
        """Read what `save` wrote.

        Raises:
            InputError: The folder holds no map.
        """
        folder = expand_path(folder)
        try:
            data = read_json(folder / "map.json")
            return cls.from_json(data, pq.read_table(folder / "map.parquet"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise InputError(f"{folder} holds no finished map ({type(error).__name__}: {error})") from None

    def plot(self) -> Figure:
        """Plot all points on the plane, coloured by group."""
        from ddrscope.viz.point_map_figures import map_figure

        return map_figure(self)

    def _repr_html_(self) -> str:
        """The page inside a frame."""
        from ddrscope.viz.point_map_page import map_html
        from ddrscope.viz.writing import framed

        return framed(map_html(self))
