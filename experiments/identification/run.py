"""Fit the bundled identifier and compare it with baselines on held-out photographs.

    python -m experiments.identification.run HR OUT [DESCRIPTOR ...]

HR holds the folders of `make photos`: train, val, snapshots and gallery for fitting; test and the bundled photographs for evaluation.
OUT keeps the descriptors of tiles, so that an interrupted run can continue, and receives ``benchmark.json``, ``confusion.csv`` and, of
the descriptor ``ddr``, ``identifier.safetensors``. DESCRIPTOR selects keys of `DESCRIPTORS`. Expensive baselines are compared at a
reduced setting, ``[reduced]``: levels 2 and 4, one region per photograph for fitting, one tile per test image.
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
from ddrscope.identification.head import HeadSettings
from ddrscope.identification.labelled_images import DistortionSampler, LabelledImage
from ddrscope.identification.tile_descriptors import TileDescriptors, fit_to_images
from ddrscope.identification.tiles import TILE
from ddrscope.images import bundled_photos, find_images
from ddrscope.io.files import write_json
from ddrscope.networks import load_network, reinitialized_copy
from experiments.identification.describe import FIT_FOLDERS, Describe, describe_by_photo

# Side of regions in pixels. For fitting one tile each, because further regions add more than further tiles. Test regions are with their
# margin as large as the bundled photographs; two tiles at opposite corners are read.
FIT_SIDE, TEST_SIDE = TILE, 240
# Regions per photograph with two distortions.
PAIRS = 16
# Prior probability of a clean image in the bundled identifier.
CLEAN_SHARE = 0.5
# Parts of the descriptor ``ddr``.
PARTS = 3
REDUCED_LEVELS = {0, 2, 4}
TYPES = {distortion.name: distortion.group for distortion in DISTORTIONS}
REDUCED = " [reduced]"


def network_descriptor(name: str, untrained: bool = False) -> Descriptor:
    network = load_network(name)
    return Descriptor(reinitialized_copy(network) if untrained else network, default_poolings(network))


def imagenet_descriptor() -> Descriptor:
    """Moments of all blocks: the last blocks alone contain little about distortions, and too few positions for correlations."""
    network = load_network("efficientnet-lite0")
    poolings: dict[str, tuple[str, ...]] = dict.fromkeys(network.layers[:-1], ("moments",))
    return Descriptor(network, poolings | {network.layers[-1]: ("mean",)})


def raw_pixels(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tiles (n, h, w, c) shrunk to 16 x 16 pixels, (n, 256 c)."""
    small = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(tiles).permute(0, 3, 1, 2), 16)
    return small.flatten(1).numpy()


def scene_statistics(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 36 features of BRISQUE (Mittal et al., 2012), computed by OpenCV."""
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


def main(hr: Path, out: Path, names: list[str]) -> None:
    fit, test = fit_samples(hr), test_samples(hr)
    first, every = fit["first"], [sample for part in fit.values() for sample in part]
    few, few_test = reduce_samples(first), reduce_samples(test)
    path = out / "benchmark.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names or list(DESCRIPTORS):
        make, folder = DESCRIPTORS[name], out / "tiles" / name.replace(" ", "-")
        if name.endswith(REDUCED):
            fit_table = describe_by_photo(make, few, folder / "fit", name)
            test_table = describe_by_photo(partial(some_tiles, make, 1), few_test, folder / "test", name)
            results[name] = evaluate(make(), few, fit_table, few_test, test_table)
        else:
            tables = [
                describe_by_photo(make, samples, folder / part, f"{name}, {part}") for part, samples in fit.items()
            ]
            starts = np.cumsum([0, *map(len, fit.values())])
            fit_table = TileDescriptors(
                np.concatenate([table.descriptors for table in tables]),
                np.concatenate([table.images + start for table, start in zip(tables, starts, strict=False)]),
            )
            test_table = describe_by_photo(partial(some_tiles, make, 2), test, folder / "test", name)
            results[name] = evaluate(make(), every, fit_table, test, test_table, out if name == "ddr" else None)
            few_table, one_tile = _subset(fit_table, every, few), _subset(_first_tiles(test_table), test, few_test)
            results[name + REDUCED] = evaluate(make(), few, few_table, few_test, one_tile)
        write_json(path, results)
        for key in (name, name + REDUCED):
            if key in results:
                measures = {name: round(estimate["value"], 3) for name, estimate in results[key]["measures"].items()}
                print(key, measures, flush=True)


def fit_samples(hr: Path) -> dict[str, list[LabelledImage]]:
    """Samples sorted by photograph: ``first``, a region per photograph, type and level; ``pairs``, regions with two types."""
    samplers = [DistortionSampler([hr / folder], FIT_SIDE) for folder in FIT_FOLDERS]
    parts: dict[str, list[Iterator[LabelledImage]]] = {
        "first": [sampler.every_level() for sampler in samplers],
        "pairs": [sampler.pairs(PAIRS) for sampler in samplers],
    }
    return {part: sorted(chain(*samples), key=lambda sample: sample.photo) for part, samples in parts.items()}


def test_photographs(hr: Path) -> list[str | Path]:
    """The folder of test photographs and the first crop of each bundled one, as `DistortionSampler` takes them."""
    bundled = {file.photo: file.path for file in reversed(find_images([bundled_photos()]))}
    return [hr / "test", *bundled.values()]


def test_samples(hr: Path) -> list[LabelledImage]:
    samples = DistortionSampler(test_photographs(hr), TEST_SIDE, seed=1).every_level()
    return sorted(samples, key=lambda sample: sample.photo)


def reduce_samples(samples: list[LabelledImage]) -> list[LabelledImage]:
    return [sample for sample in samples if max(sample.levels.values(), default=0) in REDUCED_LEVELS]


def some_tiles(make: Callable[[], Descriptor | Describe], count: int) -> Describe:
    """A descriptor of the first tile, or of the first and the last."""
    descriptor = make()
    describe = descriptor.describe if isinstance(descriptor, Descriptor) else descriptor
    return lambda tiles: describe(tiles[[0, -1][:count]])


def evaluate(
    descriptor: Descriptor | Describe,
    fit: list[LabelledImage],
    fit_table: TileDescriptors,
    test: list[LabelledImage],
    test_table: TileDescriptors,
    out: Path | None = None,
) -> dict[str, Any]:
    """Fit an identifier and evaluate it. With ``out`` it is saved, with further measures."""
    about = {
        "photographs": sorted({sample.photo for sample in fit}),
        "images": len(fit),
        "tiles": len(fit_table.images),
    }
    # Every type and clean are equally frequent among the test images.
    identifier = fit_to_images(_identifier(descriptor, TYPES, clean_share=1 / (1 + len(TYPES))), fit, fit_table)
    evaluation = Evaluation(test, identifier.predict_all(test_table.descriptors, test_table.images), TYPES)
    measures = {key: dataclasses.asdict(value) for key, value in evaluation.measures().items()}
    result: dict[str, Any] = {"size": fit_table.descriptors.shape[1], "fitted": about, "measures": measures}
    if not out or not isinstance(descriptor, Descriptor):
        return result
    names = ["clean", *TYPES]
    pd.DataFrame(evaluation.confusion(), index=names, columns=names).to_csv(out / "confusion.csv")
    identifier.clean_share = CLEAN_SHARE
    save_identifier(out / "identifier.safetensors", ImageIdentifier(descriptor, identifier, TYPES, about))
    bundled = Evaluation(test, identifier.predict_all(test_table.descriptors, test_table.images), TYPES)
    result["as_bundled"] = {key: dataclasses.asdict(value) for key, value in bundled.measures().items()}
    clean = bundled.predicted == 0
    result["as_bundled"]["called_clean_by_level"] = [
        float(clean[bundled.levels == level].mean()) for level in range(LEVELS + 1)
    ]
    return result | {"unseen": unseen(fit, fit_table, test, test_table, descriptor)}


def _identifier(descriptor: Descriptor | Describe, types: Mapping[str, str], **settings: Any) -> DistortionIdentifier:
    """An unfitted identifier. Few parts are reduced separately; ImageNet features, with a part per block, together."""
    parts = descriptor.widths() if isinstance(descriptor, Descriptor) else []
    if len(parts) <= PARTS:
        return DistortionIdentifier(tuple(types), parts=parts or None, **settings)
    return DistortionIdentifier(tuple(types), components=PARTS * DistortionIdentifier(()).components, **settings)


def unseen(
    fit: list[LabelledImage],
    fit_table: TileDescriptors,
    test: list[LabelledImage],
    test_table: TileDescriptors,
    descriptor: Descriptor | Describe,
) -> dict[str, float]:
    """AUROC of novelty for each group excluded from the fit: its images at levels 3 to 5 against all other test images."""
    aurocs = {}
    for group in GROUPS:
        kept = {name: other for name, other in TYPES.items() if other != group}
        subset = [sample for sample in fit if all(name in kept for name in sample.levels)]
        # Novelty does not depend on the heads: one pass is enough.
        unfitted = _identifier(descriptor, kept, head=HeadSettings(epochs=1))
        identifier = fit_to_images(unfitted, subset, _subset(fit_table, fit, subset))
        novelty = identifier.predict_all(test_table.descriptors, test_table.images).novelty
        excluded = np.array([any(name not in kept for name in sample.levels) for sample in test])
        strong = np.array([max(sample.levels.values(), default=0) >= STRONG for sample in test])
        aurocs[group] = unseen_auroc(novelty[~excluded], novelty[excluded & strong])
    return aurocs


def _subset(table: TileDescriptors, samples: list[LabelledImage], subset: list[LabelledImage]) -> TileDescriptors:
    """The rows of a table that belong to a subset of its samples."""
    positions: Mapping[int, int] = {id(sample): index for index, sample in enumerate(subset)}
    number = np.array([positions.get(id(sample), -1) for sample in samples])
    rows = number[table.images] >= 0
    return TileDescriptors(table.descriptors[rows], number[table.images[rows]])


def _first_tiles(table: TileDescriptors) -> TileDescriptors:
    firsts = np.unique(table.images, return_index=True)[1]
    return TileDescriptors(table.descriptors[firsts], table.images[firsts])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
