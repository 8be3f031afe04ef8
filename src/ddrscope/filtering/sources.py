"""The rows to decide about: those of a table, or those of images that are identified first."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ddrscope.batch.output_files import check_finished, parts_path
from ddrscope.filtering.columns import bind, kinds_of
from ddrscope.filtering.conditions import Condition, columns, ends_of
from ddrscope.filtering.tables import Candidate, candidates, read_table
from ddrscope.images import find_images
from ddrscope.images.remote import is_remote
from ddrscope.io.files import is_file, sha256
from ddrscope.io.paths import expand, expand_path
from ddrscope.progress import Progress
from ddrscope.results.identification_files import schema_of

TABLE = "identification.parquet"


@dataclass(frozen=True)
class Identifying:
    """How images are identified: the arguments are those of `ddrscope.identify`."""

    tiles: int | None
    identifier: Path | None
    device: str
    precision: str
    threads: int

    def empty_table(self) -> pa.Table:
        """A table of the columns that there will be, so that expressions are checked before the work."""
        from ddrscope.identification import load_identifier

        return schema_of(load_identifier(self.identifier).names).empty_table()

    def rows(self, sources: Sequence[str | Path], progress: Progress | None) -> pa.Table:
        """The table in memory."""
        from ddrscope.identification import identify

        return pa.concat_tables(identify(sources, progress=progress, **vars(self)).tables())

    def write(self, sources: Sequence[str | Path], out: Path, progress: Progress | None) -> None:
        """Write the table, or continue to write it."""
        from ddrscope.identification import identify

        identify(sources, out=out, resume=True, progress=progress, **vars(self))

    def to_manifest(self) -> dict[str, Any]:
        """What decides whether two runs are the same."""
        return {"tiles": self.tiles, "identifier": sha256(self.identifier) if self.identifier else "bundled"}


def companion(table: Path) -> Path:
    """The file beside a table that lists its images."""
    return table.with_name(f"{table.name}.images")


def rows_of(
    table: pa.Table, conditions: Sequence[Condition], index: Path | None = None
) -> tuple[list[Candidate], list[Condition]]:
    """The rows of a table with the columns that the conditions need, and the conditions with the names of its columns.

    Raises:
        InputError: A condition does not fit the table.
    """
    kinds = kinds_of(table.schema)
    bound = [bind(condition, kinds) for condition in conditions]
    compared = [name for condition in bound for name in columns(condition)]
    ends = [end for name in compared for end in ends_of(name) if end in kinds]
    return candidates(table, [*compared, *ends], index), bound


def identified(
    sources: Sequence[str | Path], identifying: Identifying, out: Path, move: bool, progress: Progress | None
) -> tuple[pa.Table, Path]:
    """The table of a run's images and its index, in the folder of the run; what an earlier run did is kept.

    Raises:
        RunConflictError: The table was changed, or is of other settings; or images are gone or have changed.
    """
    table = out / TABLE
    if move and is_file(table) and not parts_path(table).exists():
        # Some images may be in their new places already, so they are not looked for again.
        check_finished(table, {}, [companion(table)])
    else:
        identifying.write(sources, table, progress)
    return read_table(table), companion(table)


def only_given(rows: Sequence[Candidate], sources: Sequence[str | Path]) -> list[Candidate]:
    """The rows, with an error in those of files that are not below the sources.

    The table of a run that is continued may come from elsewhere, and must not have other files moved.
    """
    prefixes: list[Path] = []
    listed: set[str] = set()
    for source in map(str, sources):
        path = Path(source) if is_remote(source) else Path(os.path.abspath(expand(source)))
        if path.is_file() and path.suffix.lower() in (".txt", ".lst"):
            listed.update(os.path.abspath(file.path) for file in find_images([path]) if isinstance(file.path, Path))
            continue
        while glob.has_magic(str(path)) and not path.exists():
            path = path.parent
        prefixes.append(path)

    def fault(row: Candidate) -> str | None:
        if row.error is not None or isinstance(row.file.path, str):
            return row.error
        path = Path(os.path.abspath(row.file.path))
        above = [prefix for prefix in prefixes if path.is_relative_to(prefix)]
        if str(path) in listed:
            return None
        if not above:
            return "lies outside of the images that are given"
        # The name in such a table may hide a link.
        real = Path(os.path.realpath(path))
        inside = any(real.is_relative_to(os.path.realpath(prefix)) for prefix in above)
        return None if inside else "a symbolic link leads to it out of the images that are given"

    return [replace(row, error=fault(row)) for row in rows]


def absolute(source: str | Path) -> str:
    """A source as the manifest has it: the same from every working directory."""
    text = str(source)
    return text if is_remote(text) else os.path.abspath(expand_path(text))
