"""What the measurements of a list of networks share: their arguments, and going on where one was stopped."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.published_networks.checkouts import run_without_gpu
from experiments.published_networks.shares import read_rows


def measuring_arguments(description: str | None, images: str) -> argparse.Namespace:
    """``checkouts``, the folder or source ``images`` under its own name, and ``out``, which is made."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument(images)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    run_without_gpu()
    arguments.out.mkdir(parents=True, exist_ok=True)
    return arguments


def not_measured(names: Sequence[str], *files: Path) -> Iterator[str]:
    """The networks that lack rows in one of the files; the time that each took is printed."""
    for name in names:
        if all(name in set(read_rows(file).get("network", [])) for file in files):
            continue
        started = time.monotonic()
        yield name
        print(name, f"{time.monotonic() - started:.0f} s", flush=True)
