"""Fit the bundled identifier and measure it beside baselines, on photographs that neither fitting nor any network saw.

    python tools/bench_identify.py HR OUT [ROW ...]

HR holds the folders of `tools/prepare_photos.py`: train, val, snapshots and gallery to fit to, test, which the bundled photographs join.
OUT keeps tiles' descriptors (a killed run goes on) and receives ``benchmark.json`` and ``confusion.csv``. ROW names some of the
descriptors only; ``ddr`` is also written to OUT/identifier.safetensors. Networks that cost as much as ours are compared with it at a
reduced setting, ``[reduced]``: levels 2 and 4 only, one region of a photograph for each to fit to, one tile of each test image.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ddrscope.degradations.distortions import DISTORTIONS, GROUPS, LEVELS
from ddrscope.identification import Descriptor, DistortionIdentifier, ImageIdentifier, save_identifier
from ddrscope.identification.descriptor import default_poolings
from ddrscope.identification.evaluation import STRONG, Evaluation, unseen_auroc
from ddrscope.identification.fit import TileTable, fit_to_samples
from ddrscope.identification.head import HeadSettings
from ddrscope.identification.labelled_images import Distorter, Sample
from ddrscope.identification.tiles import TILE
from ddrscope.images import bundled_photos, find_images
from ddrscope.io.files import write_json
from ddrscope.networks import load_network, reinitialized_copy
from described import FIT_FOLDERS, Describe, describe_by_photo

# One tile to fit to, because another region says more than another tile of the same; test images are, with their margin, as
# large as the bundled photographs, and two tiles of them are read, at opposite corners.
FIT_SIDE, TEST_SIDE = TILE, 240
# Regions of each photograph with two types.
PAIRS = 16
# What the bundled identifier expects in use: even odds.
CLEAN_SHARE = 0.5
# As many as our descriptor has.
PARTS = 3
REDUCED_LEVELS = {0, 2, 4}
TYPES = {distortion.name: distortion.group for distortion in DISTORTIONS}
REDUCED = " [reduced]"


def network_descriptor(name: str, untrained: bool = False) -> Descriptor:
    network = load_network(name)
    return Descriptor(reinitialized_copy(network) if untrained else network, default_poolings(network))


def imagenet_descriptor() -> Descriptor:
    """All blocks' moments: the last alone know little of damage, and their few positions have no correlations."""
    network = load_network("efficientnet-lite0")
    poolings: dict[str, tuple[str, ...]] = dict.fromkeys(network.layers[:-1], ("moments",))
    return Descriptor(network, poolings | {network.layers[-1]: ("mean",)})


def raw_pixels(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tiles shrunk to 16 x 16 pixels."""
    small = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(tiles).permute(0, 3, 1, 2), 16)
    return small.flatten(1).numpy()


def scene_statistics(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """BRISQUE's 36 numbers (Mittal et al. 2012), as OpenCV computes them."""
    import cv2

    rows = [
        cv2.quality.QualityBRISQUE.computeFeatures(np.rint(tile[..., ::-1] * 255).astype(np.uint8))[0] for tile in tiles
    ]
    return np.nan_to_num(np.stack(rows).astype(np.float32))


DESCRIPTORS: dict[str, Callable[[], Descriptor | Describe]] = {
    "ddr": partial(network_descriptor, "srgan-wgr"),
    "ImageNet features": imagenet_descriptor,
    "scene statistics": lambda: scene_statistics,
    "pixels": lambda: raw_pixels,
    f"without global residual{REDUCED}": partial(network_descriptor, "srresnet-wogr"),
    f"untrained{REDUCED}": partial(network_descriptor, "srgan-wgr", untrained=True),
}


def main(hr: Path, out: Path, wanted: list[str]) -> None:
    fitted, tested = fit_samples(hr), test_samples(hr)
    first, every = fitted["first"], [sample for part in fitted.values() for sample in part]
    results = out / "benchmark.json"
    known: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    for name in wanted or list(DESCRIPTORS):
        make, folder = DESCRIPTORS[name], out / "tiles" / name.replace(" ", "-")
        if name.endswith(REDUCED):
            few, few_tested = reduce_samples(first), reduce_samples(tested)
            fit_table = describe_by_photo(make, few, folder / "fit", name)
            test_table = describe_by_photo(partial(some_tiles, make, 1), few_tested, folder / "test", name)
            known[name] = evaluate(make(), few, fit_table, few_tested, test_table)
        else:
            tables = [
                describe_by_photo(make, samples, folder / part, f"{name}, {part}") for part, samples in fitted.items()
            ]
            starts = np.cumsum([0, *map(len, fitted.values())])
            fit_table = TileTable(
                np.concatenate([table.descriptors for table in tables]),
                np.concatenate([table.images + start for table, start in zip(tables, starts, strict=False)]),
            )
            test_table = describe_by_photo(partial(some_tiles, make, 2), tested, folder / "test", name)
            known[name] = evaluate(make(), every, fit_table, tested, test_table, out if name == "ddr" else None)
            few, few_tested = reduce_samples(first), reduce_samples(tested)
            few_table, one_tile = _of(fit_table, every, few), _of(_first_tiles(test_table), tested, few_tested)
            known[name + REDUCED] = evaluate(make(), few, few_table, few_tested, one_tile)
        write_json(results, known)
        for key in (name, name + REDUCED):
            if key in known:
                print(
                    key,
                    {measure: round(estimate["value"], 3) for measure, estimate in known[key]["measures"].items()},
                    flush=True,
                )


def fit_samples(hr: Path) -> dict[str, list[Sample]]:
    """By part, each photograph by photograph: a region of each photograph for each type and level, and those with two types."""
    distorters = [Distorter([hr / folder], FIT_SIDE) for folder in FIT_FOLDERS]
    parts: dict[str, list[Iterator[Sample]]] = {
        "first": [one.every_level() for one in distorters],
        "pairs": [one.pairs(PAIRS) for one in distorters],
    }
    return {part: sorted(chain(*found), key=lambda sample: sample.photo) for part, found in parts.items()}


def test_photographs(hr: Path) -> list[str | Path]:
    """What `Distorter` takes: the folder of test photographs, and the first crop of each bundled one."""
    bundled = {file.photo: file.path for file in reversed(find_images([bundled_photos()]))}
    return [hr / "test", *bundled.values()]


def test_samples(hr: Path) -> list[Sample]:
    found = Distorter(test_photographs(hr), TEST_SIDE, seed=1).every_level()
    return sorted(found, key=lambda sample: sample.photo)


def reduce_samples(samples: list[Sample]) -> list[Sample]:
    return [sample for sample in samples if max(sample.levels.values(), default=0) in REDUCED_LEVELS]


def some_tiles(make: Callable[[], Descriptor | Describe], count: int) -> Describe:
    """A description of the first tile, or of the first and the last."""
    made = make()
    describe = made.describe if isinstance(made, Descriptor) else made
    return lambda tiles: describe(tiles[[0, -1][:count]])


def evaluate(
    made: Descriptor | Describe,
    fitted: list[Sample],
    fit_table: TileTable,
    tested: list[Sample],
    test_table: TileTable,
    out: Path | None = None,
) -> dict[str, Any]:
    about = {
        "photographs": sorted({sample.photo for sample in fitted}),
        "images": len(fitted),
        "tiles": len(fit_table.images),
    }
    # Every type and clean are equally frequent among the test images.
    one = fit_to_samples(_identifier(made, TYPES, clean_share=1 / (1 + len(TYPES))), fitted, fit_table)
    evaluation = Evaluation(tested, one.find(test_table.descriptors, test_table.images), TYPES)
    if out and isinstance(made, Descriptor):
        one.clean_share = CLEAN_SHARE
        save_identifier(out / "identifier.safetensors", ImageIdentifier(made, one, TYPES, about))
        names = ["clean", *TYPES]
        pd.DataFrame(evaluation.confusion(), index=names, columns=names).to_csv(out / "confusion.csv")
    measures = {key: dataclasses.asdict(value) for key, value in evaluation.measures().items()}
    said: dict[str, Any] = {"size": fit_table.descriptors.shape[1], "fitted": about, "measures": measures}
    if not out:
        return said
    shipped = Evaluation(tested, one.find(test_table.descriptors, test_table.images), TYPES)
    said["as_bundled"] = {key: dataclasses.asdict(value) for key, value in shipped.measures().items()}
    clean = shipped.said == 0
    said["as_bundled"]["called_clean_by_level"] = [
        float(clean[shipped.levels == level].mean()) for level in range(LEVELS + 1)
    ]
    return said | {"unseen": unseen(fitted, fit_table, tested, test_table, made)}


def _identifier(made: Descriptor | Describe, types: Mapping[str, str], **settings: Any) -> DistortionIdentifier:
    """Parts are reduced each on its own where there are few; ImageNet features have a part a block."""
    parts = made.widths() if isinstance(made, Descriptor) else []
    if len(parts) <= PARTS:
        return DistortionIdentifier(tuple(types), parts=parts or None, **settings)
    return DistortionIdentifier(tuple(types), components=PARTS * DistortionIdentifier(()).components, **settings)


def unseen(
    fitted: list[Sample], fit_table: TileTable, tested: list[Sample], test_table: TileTable, made: Descriptor | Describe
) -> dict[str, float]:
    """AUROC of novelty for each group left out of the fit, at levels 3 to 5, against images with known distortions or none."""
    said = {}
    for group in GROUPS:
        kept = {name: other for name, other in TYPES.items() if other != group}
        some = [sample for sample in fitted if all(name in kept for name in sample.levels)]
        # Novelty does not ask the heads.
        one = fit_to_samples(_identifier(made, kept, head=HeadSettings(passes=1)), some, _of(fit_table, fitted, some))
        novelty = one.find(test_table.descriptors, test_table.images).novelty
        foreign = np.array([any(name not in kept for name in sample.levels) for sample in tested])
        strong = np.array([max(sample.levels.values(), default=0) >= STRONG for sample in tested])
        said[group] = unseen_auroc(novelty[~foreign], novelty[foreign & strong])
    return said


def _of(table: TileTable, samples: list[Sample], some: list[Sample]) -> TileTable:
    """The part of a table that belongs to some of its samples."""
    wanted: Mapping[int, int] = {id(sample): index for index, sample in enumerate(some)}
    number = np.array([wanted.get(id(sample), -1) for sample in samples])
    rows = number[table.images] >= 0
    return TileTable(table.descriptors[rows], number[table.images[rows]])


def _first_tiles(table: TileTable) -> TileTable:
    firsts = np.unique(table.images, return_index=True)[1]
    return TileTable(table.descriptors[firsts], table.images[firsts])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
