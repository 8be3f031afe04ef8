"""A table of identified images, in memory or in a file that is read a few thousand rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.compute as pc

from ddrscope.io.paths import expand_path
from ddrscope.results.identification import IdentifiedImage
from ddrscope.results.identification_files import read_names, read_tables, to_table, write_tables

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class IdentificationSummary:
    """What a table holds.

    Args:
        images: The number of rows.
        unseen: How many images are unlike all known ones.
        types: How many images are of each type, clean included, the most frequent first.
        groups: The same for groups.
        group_of: The group of each type in the table.
        errors: Why images are not identified, by path.
    """

    images: int
    unseen: int
    types: Mapping[str, int]
    groups: Mapping[str, int]
    group_of: Mapping[str, str]
    errors: Mapping[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class IdentificationTable:
    """Identified images in the order of their names; iterate over it for the rows.

    Args:
        names: Clean and the types of the identifier.
        rows: The rows, if they are in memory.
        path: The file that holds them otherwise: .parquet, .csv or .jsonl.
    """

    names: tuple[str, ...]
    rows: tuple[IdentifiedImage, ...] | None = None
    path: Path | None = None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The table in a file that `save` or `ddrscope.identify` wrote; rows are read as they are needed.

        Raises:
            InputError: The file cannot be read as such a table.
        """
        path = expand_path(path)
        return cls(read_names(path), path=path)

    def save(self, path: str | Path) -> Path:
        """Write the table as .parquet, .csv or .jsonl, and return the path."""
        path = expand_path(path)
        write_tables(self.tables(), path)
        return path

    def tables(self) -> Iterator[pa.Table]:
        """The rows as Arrow tables; only one is in memory at a time if the rows are in a file."""
        if self.rows is not None or self.path is None:
            yield to_table(self.rows or (), self.names)
        else:
            yield from read_tables(self.path, self.names)

    def __iter__(self) -> Iterator[IdentifiedImage]:
        if self.rows is not None:
            yield from self.rows
            return
        for table in self.tables():
            yield from map(IdentifiedImage.from_row, table.to_pylist())

    def __len__(self) -> int:
        return self.summary.images

    @cached_property
    def summary(self) -> IdentificationSummary:
        """Counts, and the errors."""
        images = unseen = 0
        types: Counter[str] = Counter()
        groups: Counter[str] = Counter()
        group_of: dict[str, str] = {}
        errors: dict[str, str] = {}
        for table in self.tables():
            images += len(table)
            unseen += pc.sum(table["unseen"]).as_py() or 0
            row_types, row_groups = (table[column].drop_null().to_pylist() for column in ("type", "group"))
            types.update(row_types)
            groups.update(row_groups)
            group_of.update(zip(row_types, row_groups, strict=True))
            failed = table.filter(table["error"].is_valid())
            errors.update(zip(failed["path"].to_pylist(), failed["error"].to_pylist(), strict=True))
        return IdentificationSummary(
            images, unseen, dict(types.most_common()), dict(groups.most_common()), group_of, errors
        )

    def to_frame(self) -> pd.DataFrame:
        """All rows as a data frame with the columns of the file: see docs/files.md."""
        return to_frame(self.tables())

    def __repr__(self) -> str:
        # Without reading the file.
        return f"{type(self).__name__}({f'path={self.path}' if self.rows is None else f'{len(self.rows)} images'})"


def to_frame(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Tables as one data frame, with pandas' types for columns with missing values."""
    import pandas as pd

    kinds = {pa.large_string(): pd.StringDtype(), pa.bool_(): pd.BooleanDtype(), pa.float64(): pd.Float64Dtype()}
    return pa.concat_tables(tables).to_pandas(types_mapper=kinds.get)
