"""`ddrscope identify` on many small images: is memory constant, and does a run that is killed and resumed give the same rows?

    python -m benchmarks.many_images OUT [--part unbroken|killed] [--images 100000] [--fewer 10000] [--kills 10] [--lives SECONDS]

Writes the images (64 x 64 pixels of the bundled photographs, noisy, blurred or compressed, as JPEG), then runs the command on the first
``--fewer`` and on all of them, and again on all of them, killed by SIGKILL at random times and resumed. OUT receives ``unbroken.json``
(seconds, peak memory), ``killed.json`` (seconds and finished shards before each kill), and ``many-images.json``: whether memory is
constant and the tables are equal. Finished parts are not repeated. The two parts may run at the same time if seconds do not matter.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.io.files import write_json

SIDE = 64


def main(arguments: argparse.Namespace) -> None:
    out, count, fewer = arguments.out, arguments.images, arguments.fewer
    parts = [arguments.part] if arguments.part else ["unbroken", "killed"]
    images = out / "images"
    make_images(images, count)
    lists = {}
    for number in (fewer, count):
        lists[number] = out / f"{number}.txt"
        lists[number].write_text("".join(f"{path}\n" for path in sorted(images.glob("*/*.jpg"))[:number]))
    command = [sys.executable, "-m", "ddrscope", "identify", "--precision", arguments.precision, "--out"]
    unbroken, killed = read_if_exists(out / "unbroken.json"), read_if_exists(out / "killed.json")
    if "unbroken" in parts:
        for number, name in ((fewer, "fewer"), (count, "all")):
            if name not in unbroken:
                words = [*command, str(out / f"{name}.parquet"), "--overwrite", str(lists[number])]
                unbroken[name] = {"images": number} | run(words)
                write_json(out / "unbroken.json", unbroken)
    if "killed" in parts and not killed.get("finished"):
        if arguments.lives is None and "fewer" not in unbroken:
            raise SystemExit(
                "the time until a kill depends on the unbroken runs: run --part unbroken first, or give --lives"
            )
        lives = arguments.lives or unbroken["fewer"]["seconds"] * count / fewer / arguments.kills
        run_killed(
            [*command, str(out / "killed.parquet"), str(lists[count])], arguments.kills, lives, out / "killed.json"
        )
    if "all" in unbroken and read_if_exists(out / "killed.json").get("finished"):
        compare(out, unbroken)


def compare(out: Path, unbroken: dict[str, Any]) -> None:
    one, other = (pd.read_parquet(out / f"{name}.parquet") for name in ("all", "killed"))
    results = unbroken | {
        "killed": read_if_exists(out / "killed.json"),
        "rows": len(one),
        "rows equal": one.equals(other),
        "memory of all / memory of fewer": unbroken["all"]["peak bytes"] / unbroken["fewer"]["peak bytes"],
    }
    write_json(out / "many-images.json", results)
    print(json.dumps(results, indent=1))


def read_if_exists(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def make_images(folder: Path, count: int) -> None:
    photos = [(read_image(file).pixels * 255).round().astype(np.uint8) for file in find_images([bundled_photos()])]
    for number in range(count):
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        photo = photos[number % len(photos)]
        top, left = (rng.integers(0, side - SIDE + 1) for side in photo.shape[:2])
        part = photo[top : top + SIDE, left : left + SIDE].astype(float)
        if number % 3 == 1:
            part += rng.normal(0, rng.uniform(5, 30), part.shape)
        image = Image.fromarray(part.clip(0, 255).round().astype(np.uint8))
        if number % 3 == 2:
            image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))
        image.save(path, quality=int(rng.integers(20, 98)))


def run(command: list[str]) -> dict[str, Any]:
    """Seconds and peak memory of a command that must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": time.perf_counter() - started, "peak bytes": usage.ru_maxrss * 1024}


def run_killed(command: list[str], kills: int, lives: float, record: Path) -> None:
    """Kill a run ``kills`` times, each time 0.02 to 1.5 times ``lives`` seconds after its start, and resume it."""
    draw = random.Random(0)
    times = [draw.uniform(0.02, 1.5) * lives for _ in range(kills)]
    parts = Path(command[command.index("--out") + 1] + ".parts")
    results = read_if_exists(record) or {"kills": []}
    for seconds in times[len(results["kills"]) :]:
        process = subprocess.Popen(resumed(command, parts), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
            raise SystemExit(f"the run ended with {process.returncode} before it was killed: give more images")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shards = sum(1 for _ in parts.rglob("*.parquet")) if parts.exists() else 0
        results["kills"].append({"seconds": seconds, "shards": shards})
        write_json(record, results)
    subprocess.run(resumed(command, parts), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    write_json(record, results | {"finished": True})


def resumed(command: list[str], parts: Path) -> list[str]:
    return [*command, "--resume"] if parts.exists() else command


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", choices=["unbroken", "killed"], help="only this part")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--fewer", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument(
        "--lives", type=float, help="mean seconds until a kill (default: a tenth of the time for all images)"
    )
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16", "auto"])
    arguments = parser.parse_args()
    main(arguments)
