"""Fit the bundled identifier and measure it beside baselines, on photographs that neither fitting nor any network saw.

    python tools/bench_identify.py HR OUT [DESCRIPTOR ...]

HR holds the folders of `tools/prepare_photos.py`; OUT keeps tiles' descriptors (a killed run goes on) and receives
``benchmark.json`` and ``confusion.csv``. DESCRIPTOR names some of the rows only; ``ddr`` is also written to OUT/identifier.safetensors.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ddrscope.degradations.distortions import DISTORTIONS, GROUPS
from ddrscope.identification import Descriptor, save_identifier
from ddrscope.identification.descriptor import default_poolings
from ddrscope.identification.evaluation import STRONG, Evaluation, unseen_auroc
from ddrscope.identification.fit import TileTable, describe_samples, fit_identifier
from ddrscope.identification.samples import Distorter, Sample
from ddrscope.images import bundled_photos, find_pictures
from ddrscope.networks import load_network, random_twin
from ddrscope.store import write_json

# With its margin, a bundled photograph.
SIDE = 240
REPEATS = 1
PAIRS = 20
TYPES = {distortion.name: distortion.group for distortion in DISTORTIONS}
Describe = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def network_descriptor(name: str, untrained: bool = False) -> Descriptor:
    network = load_network(name)
    return Descriptor(random_twin(network) if untrained else network, default_poolings(network))


def raw_pixels(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tiles shrunk to 16 x 16 pixels."""
    small = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(tiles).permute(0, 3, 1, 2), 16)
    return small.flatten(1).numpy()


def scene_statistics(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """BRISQUE's 36 numbers (Mittal et al. 2012), as OpenCV computes them."""
    import cv2

    rows = [cv2.quality.QualityBRISQUE.computeFeatures(np.rint(tile[..., ::-1] * 255).astype(np.uint8))[0] for tile in tiles]
    return np.nan_to_num(np.stack(rows).astype(np.float32))


DESCRIPTORS: dict[str, Callable[[], Descriptor | Describe]] = {
    "ddr": lambda: network_descriptor("srgan-wgr"),
    "without global residual": lambda: network_descriptor("srresnet-wogr"),
    "untrained": lambda: network_descriptor("srgan-wgr", untrained=True),
    "ImageNet features": lambda: network_descriptor("efficientnet-lite0"),
    "scene statistics": lambda: scene_statistics,
    "pixels": lambda: raw_pixels,
}


def main(photos: Path, out: Path, wanted: list[str]) -> None:
    fitted = list(_fit_samples([photos / "train", photos / "val"]))
    bundled = {file.photo: file.path for file in reversed(find_pictures([bundled_photos()]))}
    tested = list(Distorter([photos / "test", *bundled.values()], SIDE, seed=1).every_level())
    results = out / "benchmark.json"
    known: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    for name in wanted or list(DESCRIPTORS):
        made = DESCRIPTORS[name]()
        describe: Describe = made.describe if isinstance(made, Descriptor) else made
        folder = out / "tiles" / name.replace(" ", "-")
        started = time.monotonic()
        fit_table = describe_samples(fitted, describe, folder / "fit", _progress(f"{name}: fit", len(fitted)))
        test_table = describe_samples(tested, describe, folder / "test", _progress(f"{name}: test", len(tested)))
        print(f"{name}: described in {time.monotonic() - started:.0f} s", flush=True)
        known[name] = evaluate(name, made, fitted, fit_table, tested, test_table, out)
        write_json(results, known)
        print(json.dumps(known[name]["measures"], indent=1), flush=True)


def evaluate(
    name: str,
    made: Descriptor | Describe,
    fitted: list[Sample],
    fit_table: TileTable,
    tested: list[Sample],
    test_table: TileTable,
    out: Path,
) -> dict[str, Any]:
    descriptor = made if isinstance(made, Descriptor) else network_descriptor("srgan-wgr")
    about = {"photographs": sorted({sample.photo for sample in fitted}), "pictures": len(fitted), "tiles": len(fit_table.pictures)}
    one = fit_identifier(fitted, fit_table, descriptor, TYPES, about)
    found = one.identifier.find(test_table.descriptors, test_table.pictures)
    evaluation = Evaluation(tested, found, TYPES)
    if name == "ddr":
        save_identifier(out / "identifier.safetensors", one)
        names = ["clean", *TYPES]
        pd.DataFrame(evaluation.confusion(), index=names, columns=names).to_csv(out / "confusion.csv")
    measures = {key: dataclasses.asdict(value) for key, value in evaluation.measures().items()}
    foreign = unseen(fitted, fit_table, tested, test_table, descriptor)
    return {"size": fit_table.descriptors.shape[1], "measures": measures, "unseen": foreign}


def unseen(
    fitted: list[Sample], fit_table: TileTable, tested: list[Sample], test_table: TileTable, descriptor: Descriptor
) -> dict[str, float]:
    """AUROC of novelty for each group left out of the fit, at levels 3 to 5, against pictures with known distortions or none."""
    said = {}
    for group in GROUPS:
        kept = {name: other for name, other in TYPES.items() if other != group}
        some, table = _without(fitted, fit_table, kept)
        one = fit_identifier(some, table, descriptor, kept, {})
        novelty = one.identifier.find(test_table.descriptors, test_table.pictures).novelty
        foreign = np.array([any(name not in kept for name in sample.levels) for sample in tested])
        strong = np.array([max(sample.levels.values(), default=0) >= STRONG for sample in tested])
        said[group] = unseen_auroc(novelty[~foreign], novelty[foreign & strong])
    return said


def _without(samples: list[Sample], table: TileTable, kept: Mapping[str, str]) -> tuple[list[Sample], TileTable]:
    index = [i for i, sample in enumerate(samples) if all(name in kept for name in sample.levels)]
    number = np.full(len(samples), -1)
    number[index] = np.arange(len(index))
    rows = number[table.pictures] >= 0
    return [samples[i] for i in index], TileTable(table.descriptors[rows], number[table.pictures[rows]])


def _fit_samples(folders: list[Path]) -> list[Sample]:
    distorter = Distorter(folders, SIDE)
    return [*distorter.every_level(REPEATS), *distorter.pairs(PAIRS)]


def _progress(what: str, total: int) -> Callable[[int], None]:
    done, started = [0], time.monotonic()

    def step(count: int) -> None:
        done[0] += count
        print(f"{what} {done[0]}/{total} {time.monotonic() - started:.0f} s", flush=True)

    return step


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
