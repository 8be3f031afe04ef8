"""How long `ddrscope map` takes, what it needs, and whether its page stays usable, at the numbers of points that are named.

    python tools/bench_map.py OUT --points 100000 1000000

Run it with nothing else on the machine. The points are real pooled features (last HR layer of srgan-wgr; crops of 64 pixels of the bundled
photographs in four degradations), drawn again and again with a little noise: `NOISE` times the standard deviation of each feature in
its group. So they are as many as asked, and lie about 480 true images. Needs Chromium for the page.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from ddrscope.images import find_images
from ddrscope.images.files import bundled_photos

DEGRADATIONS = {"clean": "clean", "blur2": "blur:2", "blur4": "blur:4", "noise20": "noise:20"}
CROP, NOISE, BATCH = 64, 0.3, 50_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
COMMAND = [sys.executable, "-m", "ddrscope"]


def main(out: Path, numbers: list[int], threads: int) -> None:
    real = features(out / "real", threads)
    for number in numbers:
        folder = out / str(number)
        sources = [
            f"{name}={many(path, folder / f'{name}.parquet', number // len(real))}" for name, path in real.items()
        ]
        began = time.perf_counter()
        words = ["map", *sources, "--out", str(folder / "map"), "--threads", str(threads), "--overwrite", "--json"]
        said = subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.PIPE).stdout
        seconds = time.perf_counter() - began
        # The largest of all children so far: give the numbers in ascending order.
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        measures = json.loads(said)["measures"]
        print(f"{number} points: {seconds:.0f} s, {memory:.0f} MB at most, measures {measures}", flush=True)
        for name in ("map.parquet", "map.html"):
            print(f"  {name}: {(folder / 'map' / name).stat().st_size / 1e6:.1f} MB")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            print("  page:", look(chromium, folder / "map" / "map.html"), flush=True)
            chromium.close()


def features(folder: Path, threads: int) -> dict[str, Path]:
    """The features of the crops, a file for each degradation, by name."""
    crops = folder / "crops"
    crops.mkdir(parents=True, exist_ok=True)
    for file in find_images([bundled_photos()]):
        image = Image.open(file.path).convert("RGB")
        for top in range(0, image.height - CROP + 1, CROP):
            for left in range(0, image.width - CROP + 1, CROP):
                mark = "-" if "__" in Path(file.path).stem else "__"
                image.crop((left, top, left + CROP, top + CROP)).save(
                    crops / f"{Path(file.path).stem}{mark}{top}-{left}.png"
                )
    for name, degradation in DEGRADATIONS.items():
        words = [
            "features",
            "srgan-wgr",
            "--images",
            str(crops),
            "--degrade",
            degradation,
            "--crop",
            str(CROP),
            "--view",
            "pooled",
        ]
        words += ["--out", str(folder / f"{name}.parquet"), "--threads", str(threads), "--resume"]
        subprocess.run([*COMMAND, *words], check=True)
    return {name: folder / f"{name}.parquet" for name in DEGRADATIONS}


def many(source: Path, target: Path, rows: int) -> Path:
    """Write ``rows`` rows drawn from those of ``source``, the same images in every file, each with noise of its own."""
    table = pq.read_table(source)
    names = np.array(table["picture"].to_pylist())
    values = table["features"].combine_chunks().flatten().to_numpy().reshape(len(names), -1)
    which, noise = np.random.default_rng(0), np.random.default_rng(list(source.stem.encode()))
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for start in range(0, rows, BATCH):
        drawn = which.integers(len(names), size=min(BATCH, rows - start))
        made = values[drawn] + NOISE * values.std(axis=0) * noise.standard_normal((len(drawn), values.shape[1]))
        column = pa.FixedSizeListArray.from_arrays(pa.array(made.astype(np.float32).ravel()), values.shape[1])
        called = [f"{Path(names[index]).stem}-{start + place}" for place, index in enumerate(drawn)]
        part = pa.table({"picture": called, "features": column})
        writer = writer or pq.ParquetWriter(target, part.schema)
        writer.write_table(part)
    if writer:
        writer.close()
    return target


def look(browser: Browser, page: Path) -> str:
    """Seconds until the first image, milliseconds of later ones at several zooms, the memory of the page's process."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    began = time.perf_counter()
    tab.goto(page.resolve().as_uri())
    tab.wait_for_function("document.getElementById('plane').dataset.milliseconds")
    loaded = time.perf_counter() - began
    taken = []
    for button in ["closer"] * 8 + ["farther"] * 4:
        # From the click to after the frame that shows it.
        taken.append(tab.evaluate(
            "id => new Promise(done => { const began = performance.now(); document.getElementById(id).click();"
            " requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began))); })", button
        ))  # fmt: skip
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [one["id"] for one in processes if one["type"] == "renderer"]
    peaks = [int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024 for pid in pids]
    return f"first image after {loaded:.2f} s, then {np.median(taken):.0f} ms (at most {max(taken):.0f}) a frame, {max(peaks):.0f} MB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How long ddrscope map takes.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    main(given.out, given.points, given.threads)
