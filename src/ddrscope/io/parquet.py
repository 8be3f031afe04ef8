"""Parquet files of many rows, written table by table."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(tables: Iterable[pa.Table], path: Path) -> None:
    """Write tables of one schema into one Parquet file, a row group each; memory does not grow with their number."""
    with ExitStack() as stack:
        writer = None
        for table in tables:
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)
