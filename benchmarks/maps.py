"""Time and memory of `ddrscope map`, and response times of its page, for given numbers of points.

    python -m benchmarks.maps OUT --points 100000 1000000

Run it alone on the machine. The points are pooled features (last HR layer of srgan-wgr; crops of 64 pixels of the bundled photographs in
four degradations), sampled with replacement, plus noise of `NOISE` standard deviations of each feature in its group: they lie around
480 real images. Needs Chromium for the page.
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
    files = features(out / "real", threads)
    for number in numbers:
        folder = out / str(number)
        sources = [
            f"{name}={resample(path, folder / f'{name}.parquet', number // len(files))}" for name, path in files.items()
        ]
        started = time.perf_counter()
        words = ["map", *sources, "--out", str(folder / "map"), "--threads", str(threads), "--overwrite", "--json"]
        output = subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.PIPE).stdout
        seconds = time.perf_counter() - started
        # The maximum over all child processes so far: give the numbers in ascending order.
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        measures = json.loads(output)["measures"]
        print(f"{number} points: {seconds:.0f} s, peak {memory:.0f} MB, measures {measures}", flush=True)
        for name in ("map.parquet", "map.html"):
            print(f"  {name}: {(folder / 'map' / name).stat().st_size / 1e6:.1f} MB")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            print("  page:", page_times(chromium, folder / "map" / "map.html"), flush=True)
            chromium.close()


def features(folder: Path, threads: int) -> dict[str, Path]:
    """Files with the features of the crops, by name of the degradation."""
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
        words = ["features", "srgan-wgr", "--images", str(crops), "--degrade", degradation, "--crop", str(CROP)]
        words += ["--view", "pooled", "--out", str(folder / f"{name}.parquet"), "--threads", str(threads), "--resume"]
        subprocess.run([*COMMAND, *words], check=True)
    return {name: folder / f"{name}.parquet" for name in DEGRADATIONS}


def resample(source: Path, target: Path, rows: int) -> Path:
    """Write ``rows`` rows sampled from those of ``source`` plus noise. The sampled images are the same for every source."""
    table = pq.read_table(source)
    names = np.array(table["picture"].to_pylist())
    values = table["features"].combine_chunks().flatten().to_numpy().reshape(len(names), -1)
    sampling, noise = np.random.default_rng(0), np.random.default_rng(list(source.stem.encode()))
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for start in range(0, rows, BATCH):
        sample = sampling.integers(len(names), size=min(BATCH, rows - start))
        points = values[sample] + NOISE * values.std(axis=0) * noise.standard_normal((len(sample), values.shape[1]))
        column = pa.FixedSizeListArray.from_arrays(pa.array(points.astype(np.float32).ravel()), values.shape[1])
        labels = [f"{Path(names[index]).stem}-{start + offset}" for offset, index in enumerate(sample)]
        part = pa.table({"picture": labels, "features": column})
        writer = writer or pq.ParquetWriter(target, part.schema)
        writer.write_table(part)
    if writer:
        writer.close()
    return target


def page_times(browser: Browser, page: Path) -> str:
    """Seconds until the first frame, milliseconds per frame at several zooms, peak memory of the page's process."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    started = time.perf_counter()
    tab.goto(page.resolve().as_uri())
    tab.wait_for_function("document.getElementById('plane').dataset.milliseconds")
    loaded = time.perf_counter() - started
    frames = []
    for button in ["closer"] * 8 + ["farther"] * 4:
        # From the click until the frame that shows its effect is done.
        frames.append(tab.evaluate(
            "id => new Promise(done => { const started = performance.now(); document.getElementById(id).click();"
            " requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - started))); })", button
        ))  # fmt: skip
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [process["id"] for process in processes if process["type"] == "renderer"]
    peaks = [int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024 for pid in pids]
    return f"first frame {loaded:.2f} s, then {np.median(frames):.0f} ms (at most {max(frames):.0f}) per frame, {max(peaks):.0f} MB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.out, arguments.points, arguments.threads)
