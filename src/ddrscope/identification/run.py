"""Many pictures: a row for each, shard by shard, so that a killed run goes on and a bad file costs its row."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ddrscope.errors import InputError, escaped, printable
from ddrscope.identification.heatmap import write_heatmap
from ddrscope.identification.picture import PictureIdentifier
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.images import PictureFile, UnreadablePicture, read_picture
from ddrscope.store import atomic_write

SHARD_PICTURES = 16
# Shards are joined so many rows at a time, whatever their number: memory stays the same.
ROWS_AT_ONCE = 8192


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
        shown = escaped(str(file.path))  # tables hold no bytes without an encoding
        try:
            pixels = read_picture(file).pixels
            finding = self.identifier.identify(pixels, self.tiles)
            if self.heatmaps:
                # With its own suffix: a folder may hold scan.tif and scan.jpg.
                target = self.heatmaps / f"{file.name}.png"
                write_heatmap(target, pixels, self.identifier.map_damage(pixels), self.identifier.groups, finding)
        except UnreadablePicture as error:
            return {"path": shown, "error": error.reason}
        except InputError as error:
            return {"path": shown, "error": printable(str(error))}
        columns = {key: value for key, value in dataclasses.asdict(finding).items() if key != "probabilities"}
        present = {f"p_{name}": value for name, value in finding.probabilities.items()}
        return {"path": shown} | columns | {"error": None} | present

    def table(self, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Rows as a table whose columns have one type each, empty or not."""
        numbers = ("probability", "level", "level_low", "level_high", "novelty")
        types = {"path": "string", "type": "string", "group": "string"} | dict.fromkeys(numbers, "Float64")
        types |= {"unseen": "boolean", "error": "string"} | {f"p_{name}": "Float64" for name in self.identifier.names}
        return pd.DataFrame(list(rows), columns=list(types)).astype(types)


@dataclasses.dataclass
class Summary:
    """What a finished table holds: its rows, the pictures unlike anything known, how many of each group, the bad files and why."""

    rows: int = 0
    unseen: int = 0
    groups: Counter[str] = dataclasses.field(default_factory=Counter)
    bad: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def add(self, table: pd.DataFrame) -> None:
        self.rows += len(table)
        self.unseen += int(table["unseen"].sum())
        self.groups.update(table["group"].dropna())
        bad = table[table["error"].notna()]
        self.bad += zip(bad["path"], bad["error"], strict=True)


def join_shards(folder: Path, out: Path) -> Summary:
    """Join the shards in ``folder`` into ``out``, piece by piece, and say what it holds."""
    summary = Summary()
    with atomic_write(out) as temporary:
        WRITERS[out.suffix](_pieces(folder, summary), temporary)
    return summary


def _pieces(folder: Path, summary: Summary) -> Iterator[pd.DataFrame]:
    shards, count = sorted(folder.glob("*.parquet")), ROWS_AT_ONCE // SHARD_PICTURES
    for start in range(0, len(shards), count):
        read = [pd.read_parquet(shard, dtype_backend="numpy_nullable") for shard in shards[start : start + count]]
        piece = pd.concat(read, ignore_index=True)
        summary.add(piece)
        yield piece


def _write_parquet(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    with ExitStack() as stack:
        writer = None
        for piece in pieces:
            table = pa.Table.from_pandas(piece, preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)


def _write_csv(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    for number, piece in enumerate(pieces):
        piece.to_csv(path, index=False, mode="a", header=number == 0)


def _write_jsonl(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    for piece in pieces:
        piece.to_json(path, orient="records", lines=True, double_precision=6, mode="a")


WRITERS: dict[str, Callable[[Iterator[pd.DataFrame], Path], None]] = {
    ".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl,
}  # fmt: skip
