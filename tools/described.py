"""Descriptors of samples for the tools, photograph by photograph and several at once; what a killed run has finished is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray

from ddrscope.identification import Descriptor
from ddrscope.identification.fit import TileTable, describe_samples
from ddrscope.identification.labelled_images import Sample

# Of `tools/prepare_photos.py`: the photographs to fit to.
FIT_FOLDERS = ("train", "val", "snapshots", "gallery")
Describe = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def describe_by_photo(
    make: Callable[[], Descriptor | Describe], samples: Sequence[Sample], folder: Path, title: str
) -> TileTable:
    """The descriptors of samples sorted by photograph; ``make`` is called in every process, one for each processor core.

    Each photograph has its folder, so that another one costs no more than itself.
    """
    tasks = [(photo, list(group)) for photo, group in groupby(samples, key=lambda sample: sample.photo)]
    started, done = time.monotonic(), 0
    tables, before = [], 0
    jobs = (joblib.delayed(_describe_photo)(make, group, folder / photo) for photo, group in tasks)
    # One thread a process: two tiles side by side run faster than one by two threads.
    for (_, group), table in zip(tasks, joblib.Parallel(joblib.cpu_count(), return_as="generator")(jobs), strict=True):
        tables.append(TileTable(table.descriptors, table.images + before))
        before += len(group)
        done += len(group)
        print(f"{title}: {done}/{len(samples)} images, {time.monotonic() - started:.0f} s", flush=True)
    return TileTable(
        np.concatenate([table.descriptors for table in tables]), np.concatenate([table.images for table in tables])
    )


def _describe_photo(make: Callable[[], Descriptor | Describe], samples: list[Sample], folder: Path) -> TileTable:
    torch.set_num_threads(1)
    made = make()
    return describe_samples(samples, made.describe if isinstance(made, Descriptor) else made, folder)
