"""Record what the commands give, and compare two recordings: for a redesign that must not change results.

    python scripts/record_outputs.py record OUT
    python scripts/record_outputs.py compare BEFORE AFTER

Records `ddrscope analyze` (as `make demo` runs it), `identify` on the bundled crops, `generalize` and `upscale` on two of them, in one
thread and float32. Two recordings are equal when numbers in JSON and in tables agree to 1e-6 and pixels are the same. Record both on
one machine: t-SNE depends on it.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ddrscope.images import bundled_photos

TOLERANCE = 1e-6
SAME = ["--threads", "1", "--precision", "float32"]
# What two runs of the same code do not share.
VOLATILE = ("manifest", "created", "versions", "machine", "out", "report", "seconds", "path", "source")


def record(out: Path) -> None:
    """Run the commands; their results lie in folders of ``out``."""
    crops = bundled_photos()
    two = [str(crops / name) for name in ("astronaut__1.png", "coffee__1.png")]
    run("analyze", "--out", out / "analyze", *SAME)
    run("identify", crops, "--out", out / "identify.parquet", *SAME)
    run("generalize", "srresnet-wgr", "srresnet-wogr", "--images", two[0], "--images", two[1], "--degrade", "clean", "--degrade", "blur:2",
        "--degrade", "noise:20", "--patch", "64", "--patches", "32", "--components", "12", "--out", out / "generalize", *SAME)  # fmt: skip
    run("upscale", *two, "--network", "blind-ddr", "--out", out / "upscale", *SAME)


def run(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "ddrscope", *map(str, words)], check=True)


def compare(before: Path, after: Path) -> list[str]:
    """How the two recordings differ, a line each."""
    lines = []
    for name in ("analyze/analysis.json", "generalize/generalization.json", "upscale/upscale.json"):
        one, other = (json.loads((folder / name).read_text()) for folder in (before, after))
        lines += [f"{name}: {line}" for line in differences(one, other)]
    for name in ("analyze/embedding.parquet", "identify.parquet"):
        one, other = (pd.read_parquet(folder / name) for folder in (before, after))
        lines += [f"{name}: {line}" for line in table_differences(one, other)]
    for name in sorted(str(path.relative_to(before)) for path in (before / "upscale").rglob("*.png")):
        if not np.array_equal(np.asarray(Image.open(before / name)), np.asarray(Image.open(after / name))):
            lines.append(f"{name}: different pixels")
    return lines


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two JSON values differ; keys in `VOLATILE` are passed over."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other} - {*VOLATILE}):
            if key in one and key in other:
                yield from differences(one[key], other[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}: only in one"
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{where}[{place}]")
    elif isinstance(one, float | int) and isinstance(other, float | int):
        if not math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{where}: {one} and {other}"
    elif one != other:
        yield f"{where}: {str(one)[:80]} and {str(other)[:80]}"


def table_differences(one: pd.DataFrame, other: pd.DataFrame) -> Iterator[str]:
    """Where two tables differ: columns, rows, values; paths are passed over."""
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        yield f"{list(one.columns)} x {len(one)} and {list(other.columns)} x {len(other)}"
        return
    for column in one.columns.drop("path", errors="ignore"):
        if pd.api.types.is_numeric_dtype(one[column]):
            if not np.allclose(one[column], other[column], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
                yield f"{column}: up to {(one[column] - other[column]).abs().max()} apart"
        elif not one[column].fillna("").equals(other[column].fillna("")):
            yield f"{column}: other values"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", out]:
            record(Path(out))
        case ["compare", before, after]:
            lines = compare(Path(before), Path(after))
            print("\n".join(lines) or "equal")
            sys.exit(bool(lines))
        case _:
            sys.exit(__doc__)
