"""Two sets of tiles side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.io.files import atomic_write
from ddrscope.viz.fonts import Figure, plain

# Tiles of each set in a row.
COLUMNS = 5
DPI = 110


def write_tile_sheet(path: Path, title: str, sets: Mapping[str, Sequence[NDArray[np.float32]]]) -> None:
    """Write a PNG with sets of tiles side by side; atomically.

    Args:
        path: The file.
        title: Stands above.
        sets: Tiles (H, W, 3) in 0..1 by heading.
    """
    rows = max(-(-len(tiles) // COLUMNS) for tiles in sets.values())
    figure = Figure(figsize=(6 * len(sets), 1.2 * rows + 1.2), layout="constrained")
    figure.suptitle(textwrap.fill(plain(title), 55 * len(sets)), fontsize=11)
    halves = figure.subfigures(1, len(sets), squeeze=False, wspace=0.04)[0]
    for half, (heading, tiles) in zip(halves, sets.items(), strict=True):
        half.suptitle(plain(heading), fontsize=11, weight="bold")
        panels = half.subplots(rows, COLUMNS, squeeze=False)
        for panel in panels.flat:
            panel.axis("off")
        for panel, tile in zip(panels.flat, tiles, strict=False):
            panel.imshow(tile, interpolation="nearest")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)
