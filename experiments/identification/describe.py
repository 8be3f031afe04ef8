"""Descriptors of samples, computed photograph by photograph in parallel. Finished photographs of an interrupted run are kept."""

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
from ddrscope.identification.labelled_images import LabelledImage
from ddrscope.identification.tile_descriptors import TileDescriptors, describe_images

# The folders of `make photos` that the identifier is fitted to.
FIT_FOLDERS = ("train", "val", "snapshots", "gallery")
Describe = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def describe_by_photo(
    make: Callable[[], Descriptor | Describe], samples: Sequence[LabelledImage], folder: Path, title: str
) -> TileDescriptors:
    """The descriptors of samples, which are sorted by photograph.

    Args:
        make: returns the descriptor; it is called in every process, one per processor core.
        samples: the samples, sorted by photograph.
        folder: keeps the descriptors in one folder per photograph, so that only new photographs are computed.
        title: begins the lines of progress.
    """
    tasks = [(photo, list(group)) for photo, group in groupby(samples, key=lambda sample: sample.photo)]
    started, done = time.monotonic(), 0
    tables = []
    jobs = (joblib.delayed(_describe_photo)(make, group, folder / photo) for photo, group in tasks)
    # One thread per process: two tiles in parallel are faster than one with two threads.
    for (_, group), table in zip(tasks, joblib.Parallel(joblib.cpu_count(), return_as="generator")(jobs), strict=True):
        tables.append(TileDescriptors(table.descriptors, table.images + done))
        done += len(group)
        print(f"{title}: {done}/{len(samples)} images, {time.monotonic() - started:.0f} s", flush=True)
    return TileDescriptors(
        np.concatenate([table.descriptors for table in tables]), np.concatenate([table.images for table in tables])
    )


def _describe_photo(
    make: Callable[[], Descriptor | Describe], samples: list[LabelledImage], folder: Path
) -> TileDescriptors:
    torch.set_num_threads(1)
    descriptor = make()
    return describe_images(samples, descriptor.describe if isinstance(descriptor, Descriptor) else descriptor, folder)
