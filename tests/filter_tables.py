"""Tables of identified images, with physical columns, for tests that identify nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = "path type group probability level level_low level_high novelty unseen error blur_sigma jpeg_quality p_clean".split()


def row(path: Path | str, **values: Any) -> dict[str, Any]:
    """A row of a clean image; ``values`` are columns that differ."""
    usual = {"type": "clean", "group": "clean", "probability": 0.9, "level": 0.0, "level_low": 0.0, "level_high": 0.5}
    usual |= {"novelty": 0.5, "unseen": False, "error": None, "blur_sigma": 0.4, "jpeg_quality": 95.0, "p_clean": 0.9}
    return {"path": str(path), **usual, **values}


def failed(path: Path | str, error: str = "is corrupt") -> dict[str, Any]:
    """A row of a file that could not be read."""
    return {"path": str(path), **dict.fromkeys(COLUMNS[1:]), "error": error}


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows as the kind of table that the suffix says."""
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *sorted({name for row in rows for name in row} - set(COLUMNS))])
    frame["unseen"] = frame["unseen"].astype("boolean")
    for name in ("type", "group", "error"):
        frame[name] = frame[name].astype("string")
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path
