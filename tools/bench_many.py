"""Many small pictures through `ddrscope identify`: is memory flat, and does a run that is killed again and again end in the same rows?

    python tools/bench_many.py OUT [--pictures 100000] [--fewer 10000] [--kills 10] [--precision bfloat16]

Makes the pictures (64 x 64 pixels cut from the bundled photographs, noisy, blurred or compressed, as JPEG), then runs the command on the
first ``--fewer`` and on all of them, and once more on all of them, killed by SIGKILL at random moments and resumed. OUT receives
``many.json``: seconds, peak memory (of the process; where Linux says so, without pages shared with other processes), and whether the
tables are equal row for row. Parts that are done are not done again.
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

from ddrscope.images import bundled_photos, find_pictures, read_picture
from ddrscope.store import write_json

SIDE = 64


def main(out: Path, count: int, fewer: int, kills: int, precision: str) -> None:
    pictures = out / "pictures"
    make_pictures(pictures, count)
    found: dict[str, Any] = json.loads((out / "many.json").read_text()) if (out / "many.json").exists() else {}
    lists = {}
    for number in (fewer, count):
        lists[number] = out / f"{number}.txt"
        lists[number].write_text("".join(f"{path}\n" for path in sorted(pictures.glob("*/*.jpg"))[:number]))
    command = [sys.executable, "-m", "ddrscope", "identify", "--precision", precision, "--out"]
    for number, name in ((fewer, "fewer"), (count, "all")):
        if name not in found:
            found[name] = {"pictures": number} | run([*command, str(out / f"{name}.parquet"), "--overwrite", str(lists[number])])
            write_json(out / "many.json", found)
    if "killed" not in found:
        found["killed"] = killed([*command, str(out / "killed.parquet"), str(lists[count])], kills, found["all"]["seconds"])
    one, other = (pd.read_parquet(out / f"{name}.parquet") for name in ("all", "killed"))
    found["rows"], found["rows equal"] = len(one), one.equals(other)
    found["memory of all, of that of fewer"] = found["all"]["peak bytes"] / found["fewer"]["peak bytes"]
    write_json(out / "many.json", found)
    print(json.dumps(found, indent=1))


def make_pictures(folder: Path, count: int) -> None:
    photos = [(read_picture(file).pixels * 255).round().astype(np.uint8) for file in find_pictures([bundled_photos()])]
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
        picture = Image.fromarray(part.clip(0, 255).round().astype(np.uint8))
        if number % 3 == 2:
            picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))
        picture.save(path, quality=int(rng.integers(20, 98)))


def run(command: list[str]) -> dict[str, Any]:
    """Seconds and peak memory of a command that must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": time.perf_counter() - started, "peak bytes": usage.ru_maxrss * 1024}


def killed(command: list[str], kills: int, expected: float) -> dict[str, Any]:
    """The same run killed ``kills`` times at random moments and resumed; ``expected`` seconds of an unbroken one."""
    draw, lived = random.Random(0), []
    parts = Path(command[command.index("--out") + 1] + ".parts")
    for _ in range(kills):
        again = ["--resume"] if parts.exists() else []
        process = subprocess.Popen([*command, *again], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lived.append(draw.uniform(0.02, 1.5) * expected / kills)
        try:
            process.wait(lived[-1])
            raise SystemExit(f"the run ended with {process.returncode} before it was killed: give more pictures")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"kills": kills, "seconds before each": lived}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--fewer", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16", "auto"])
    given = parser.parse_args()
    main(given.out, given.pictures, given.fewer, given.kills, given.precision)
