"""What a map of many points holds, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.io.files import write_json

# What a run writes at the top of its folder.
OUTPUTS = ("map.json", "map.parquet", "map.html", "figures")


@dataclass(frozen=True, eq=False)
class MapResult:
    """``data`` is map.json; ``xy`` float32 (n, 2) and ``codes`` (n,) are the places and groups of all rows, in the order of the files.

    ``flags`` say for each group which of its rows, in order, were sampled; ``names`` are those of the sampled rows, in the files' order.
    """

    data: dict[str, Any]
    xy: NDArray[np.float32]
    codes: NDArray[np.int16]
    flags: list[NDArray[np.bool_]]
    names: list[str]

    @property
    def groups(self) -> list[str]:
        """Their names, in the order of the codes."""
        return [group["name"] for group in self.data["groups"]]

    def sampled(self) -> NDArray[np.bool_]:
        """For each row whether it was sampled, (n,)."""
        found = np.empty(len(self.codes), bool)
        for code, flags in enumerate(self.flags):
            found[self.codes == code] = flags
        return found

    def save(self, folder: Path) -> Path:
        """Write figures, map.html and, last, map.json into ``folder``, where map.parquet is; return the page's path."""
        from ddrscope.viz.point_map import write_map

        page = write_map(self, folder)
        write_json(folder / "map.json", self.data)
        return page
