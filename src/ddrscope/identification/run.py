"""Many images: a row for each, a bad file costing its own, and the rows as one table."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ddrscope.batch.shards import DIGEST, pack, write_parquet
from ddrscope.errors import InputError, escaped, printable
from ddrscope.identification.files import load_identifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.images import ImageFile, read_ahead
from ddrscope.images.reading import ReadResult
from ddrscope.io.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd

# Shards are joined so many rows at a time, whatever their number: memory stays the same.
ROWS_AT_ONCE = 8192


def check_format(out: Path) -> None:
    """Raise `InputError` unless ``out`` ends in a format that can be written."""
    if out.suffix not in WRITERS:
        raise InputError(f"--out {out}: tables are written as {', '.join(WRITERS)}: give the file one of these endings")


def heatmap_of(folder: Path, file: ImageFile) -> Path:
    """Where the map of an image goes: with its own suffix, since a folder may hold scan.tif and scan.jpg."""
    return folder / f"{file.name}.png"


@dataclasses.dataclass(frozen=True)
class IdentifyTask:
    """What a worker, here or on another machine, must be told to identify images: the options of `ddrscope identify`."""

    identifier: Path | None = None
    tiles: int | None = MAX_TILES
    heatmaps: Path | None = None
    device: str = "cpu"
    precision: str = "float32"

    def open(self) -> Identification:
        """Load what is needed; `InputError` as `load_identifier`."""
        return Identification(load_identifier(self.identifier, self.device, self.precision), self.tiles, self.heatmaps)


@dataclasses.dataclass(frozen=True)
class Identification:
    """Identifies image files: at most ``tiles`` tiles of each are read (None: all); maps go to the folder ``heatmaps``."""

    identifier: ImageIdentifier
    tiles: int | None = MAX_TILES
    heatmaps: Path | None = None

    def __call__(self, files: Sequence[ImageFile]) -> bytes:
        """The shard of these images."""
        rows, digests = [], []
        for reading in read_ahead(files):
            rows.append(self.row(reading))
            digests.append(reading.sha256)
        table = pa.Table.from_pandas(self.table(rows), preserve_index=False)
        return pack(table.append_column(DIGEST, pa.array(digests, pa.string())))

    def rows(self, files: Iterable[ImageFile]) -> Iterator[dict[str, Any]]:
        """The columns of one image after the other."""
        return map(self.row, read_ahead(files))

    def row(self, reading: ReadResult) -> dict[str, Any]:
        """The columns of one image; where it cannot be read or is too small, only ``path`` and ``error`` are filled."""
        path = {"path": escaped(str(reading.file.path))}  # tables hold no bytes without an encoding
        if reading.image is None:
            return path | {"error": reading.error.reason if reading.error else ""}
        pixels = reading.image.pixels
        try:
            finding = self.identifier.identify(pixels, self.tiles)
            if self.heatmaps:
                # Drawing is imported where something is drawn.
                from ddrscope.viz.heatmap import write_heatmap

                target = heatmap_of(self.heatmaps, reading.file)
                write_heatmap(target, pixels, self.identifier.map_distortions(pixels), self.identifier.groups, finding)
        except InputError as error:
            return path | {"error": printable(str(error))}
        columns = {key: value for key, value in dataclasses.asdict(finding).items() if key != "probabilities"}
        present = {f"p_{name}": value for name, value in finding.probabilities.items()}
        return path | columns | {"error": None} | present

    def table(self, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Rows as a table whose columns have one type each, empty or not."""
        # Imported where a table is made: to identify one image need not wait for it.
        import pandas as pd

        numbers = ("probability", "level", "level_low", "level_high", "novelty")
        types = {"path": "string", "type": "string", "group": "string"} | dict.fromkeys(numbers, "Float64")
        types |= {"unseen": "boolean", "error": "string"} | {f"p_{name}": "Float64" for name in self.identifier.names}
        return pd.DataFrame(list(rows), columns=list(types)).astype(types)


@dataclasses.dataclass
class Summary:
    """What a finished table holds: its rows, the images unlike anything known, how many of each group, the bad files and why."""

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


def join_tables(tables: Iterable[pa.Table], out: Path) -> Summary:
    """Write the tables of all shards into ``out``, piece by piece, and say what it holds."""
    summary = Summary()
    with atomic_write(out) as temporary:
        WRITERS[out.suffix](_pieces(tables, summary), temporary)
    return summary


def _pieces(tables: Iterable[pa.Table], summary: Summary) -> Iterator[pd.DataFrame]:
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table.drop_columns([DIGEST]))
        if sum(map(len, waiting)) >= ROWS_AT_ONCE:
            yield _counted(waiting, summary)
            waiting = []
    if waiting:
        yield _counted(waiting, summary)


def _counted(tables: list[pa.Table], summary: Summary) -> pd.DataFrame:
    piece = pa.concat_tables(tables).to_pandas()
    summary.add(piece)
    return piece


def _write_parquet(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    write_parquet((pa.Table.from_pandas(piece, preserve_index=False) for piece in pieces), path)


def _write_csv(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    for number, piece in enumerate(pieces):
        piece.to_csv(path, index=False, mode="a", header=number == 0)


def _write_jsonl(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    for piece in pieces:
        piece.to_json(path, orient="records", lines=True, double_precision=6, mode="a")


WRITERS: dict[str, Callable[[Iterator[pd.DataFrame], Path], None]] = {
    ".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl,
}  # fmt: skip
