"""Throughput of `ddrscope identify` in this process and on a local Ray cluster with one worker per core.

    python -m benchmarks.identify OUT

OUT receives ``identify.json``: images per second of 64 x 64 pixels, one tile each, in shards of 16; and, in one process, of 256 x 256
pixels, four tiles each, by either bundled identifier.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.machine import describe
from ddrscope.batch.ray_executor import RayExecutor
from ddrscope.identification import IdentificationTask, load_identifier
from ddrscope.identification.files import DESCRIPTORS
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.io.files import write_json

SIDE, SHARD, SHARDS = 64, 16, 48
LARGE, LARGE_IMAGES = 256, 12


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    by_descriptor = {"images of 256 pixels per second, by descriptor": descriptor_rates()}
    write_json(out / "identify.json", describe(("torch", "ray")) | by_descriptor | rates())


def descriptor_rates() -> dict[str, float]:
    """Images per second of 256 x 256 pixels by each bundled identifier, from pixels to verdict; the second of two passes."""
    large = [read_image(file).pixels[:LARGE, :LARGE] for file in find_images([bundled_photos()])[:LARGE_IMAGES]]
    result = {}
    for descriptor in DESCRIPTORS:
        identifier = load_identifier(descriptor=descriptor)
        for _ in range(2):
            started = time.perf_counter()
            for pixels in large:
                identifier.identify(pixels)
            result[descriptor] = len(large) / (time.perf_counter() - started)
    return result


def rates() -> dict[str, Any]:
    rate: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        photo = read_image(find_images([bundled_photos()])[0]).pixels
        for number in range(SHARD):
            part = photo[number : number + SIDE, number : number + SIDE]
            Image.fromarray((part * 255).round().astype(np.uint8)).save(Path(folder, f"{number}.png"))
        shard = find_images([folder])
        threads = torch.get_num_threads()
        for count, precision in ((1, "float32"), (threads, "float32"), (threads, "bfloat16")):
            torch.set_num_threads(count)
            worker = IdentificationTask(precision=precision).open()
            worker(shard)
            started = time.perf_counter()
            for _ in range(SHARDS // 8):
                worker(shard)
            seconds = time.perf_counter() - started
            rate[f"one process of {count} threads, {precision}"] = SHARDS // 8 * SHARD / seconds
        jobs = [(number, shard) for number in range(SHARDS)]
        times = [time.perf_counter() for _ in RayExecutor(IdentificationTask(), "local").run(jobs)]
    workers = len(os.sched_getaffinity(0))
    # Without the time until every worker has started.
    seconds = times[-1] - times[2 * workers - 1]
    rate[f"{workers} workers of one thread, float32"] = cluster_rate = (SHARDS - 2 * workers) * SHARD / seconds
    efficiency = cluster_rate / workers / rate["one process of 1 threads, float32"]
    return {"images per second": rate, "efficiency of the workers": efficiency}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
