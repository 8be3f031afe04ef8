"""Many pictures: a row for each, shard by shard, so that a killed run goes on and a bad file costs its row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.errors import InputError
from ddrscope.identification.heatmap import write_heatmap
from ddrscope.identification.picture import PictureIdentifier
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.images import PictureFile, UnreadablePicture, read_picture
from ddrscope.store import atomic_write

SHARD_PICTURES = 16
WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".jsonl": lambda table, path: table.to_json(path, orient="records", lines=True, double_precision=6),
}


def check_format(out: Path) -> None:
    """Raise `InputError` unless ``out`` ends in a format that can be written."""
    if out.suffix not in WRITERS:
        raise InputError(f"--out {out}: tables are written as {', '.join(WRITERS)}: give the file one of these endings")


@dataclasses.dataclass(frozen=True)
class IdentificationRun:
    """Which pictures to identify by what: at most ``tiles`` tiles of each are read (None: all); maps go to ``heatmaps``."""

    identifier: PictureIdentifier
    files: Sequence[PictureFile]
    tiles: int | None = MAX_TILES
    heatmaps: Path | None = None

    def write_shards(self, folder: Path, step: Callable[[int], None] = lambda _: None) -> None:
        """Write ``00000.parquet`` ... into ``folder``, leaving out those that are there."""
        for number, start in enumerate(range(0, len(self.files), SHARD_PICTURES)):
            shard = folder / f"{number:05d}.parquet"
            chosen = self.files[start : start + SHARD_PICTURES]
            if shard.exists():
                step(len(chosen))
                continue
            rows = []
            for file in chosen:
                rows.append(self.row(file))
                step(1)
            with atomic_write(shard) as temporary:
                self.table(rows).to_parquet(temporary, index=False)

    def row(self, file: PictureFile) -> dict[str, Any]:
        """The columns of one picture; where it cannot be read or is too small, only ``path`` and ``error`` are filled."""
        try:
            pixels = read_picture(file).pixels
            finding = self.identifier.identify(pixels, self.tiles)
            if self.heatmaps:
                # With its own suffix: a folder may hold scan.tif and scan.jpg.
                target = self.heatmaps / f"{file.name}.png"
                write_heatmap(target, pixels, self.identifier.map_damage(pixels), self.identifier.groups, finding)
        except UnreadablePicture as error:
            return {"path": str(file.path), "error": error.reason}
        except InputError as error:
            return {"path": str(file.path), "error": str(error)}
        columns = {key: value for key, value in dataclasses.asdict(finding).items() if key != "probabilities"}
        present = {f"p_{name}": value for name, value in finding.probabilities.items()}
        return {"path": str(file.path)} | columns | {"error": None} | present

    def table(self, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Rows as a table whose columns have one type each, empty or not."""
        numbers = ("probability", "level", "level_low", "level_high", "novelty")
        types = {"path": "string", "type": "string", "group": "string"} | dict.fromkeys(numbers, "Float64")
        types |= {"unseen": "boolean", "error": "string"} | {f"p_{name}": "Float64" for name in self.identifier.names}
        return pd.DataFrame(list(rows), columns=list(types)).astype(types)


def join_shards(folder: Path, out: Path) -> pd.DataFrame:
    """Join the shards in ``folder`` into ``out`` and return the table."""
    table = pd.concat([pd.read_parquet(shard, dtype_backend="numpy_nullable") for shard in sorted(folder.glob("*.parquet"))])
    with atomic_write(out) as temporary:
        WRITERS[out.suffix](table, temporary)
    return table
