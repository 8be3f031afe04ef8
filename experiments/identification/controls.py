"""Does identification need a trained network, and a global residual? Compare the same descriptor of three networks.

    python -m experiments.identification.controls HR OUT

Setting: the reduced one of `experiments.identification.run` (levels 2 and 4, one tile per test image), fitted to 57 photographs, in
bfloat16. OUT keeps the descriptors of tiles, so that an interrupted run can continue, and receives ``controls.json``: the measures of
each network, and paired differences of accuracy of the first network to each.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.identification import Descriptor, DistortionIdentifier
from ddrscope.identification.evaluation import Evaluation, sample_estimate
from ddrscope.identification.tile_descriptors import fit_to_images
from ddrscope.io.files import write_json
from experiments.identification.describe import describe_by_photo
from experiments.identification.run import (
    REDUCED,
    TYPES,
    fit_samples,
    network_descriptor,
    reduce_samples,
    some_tiles,
    test_samples,
)

PHOTOS = 57
FIRST = "srgan-wgr"
NETWORKS = {
    FIRST: partial(network_descriptor, "srgan-wgr"),
    "srresnet-wogr": partial(network_descriptor, "srresnet-wogr"),
    "srgan-wgr, untrained": partial(network_descriptor, "srgan-wgr", untrained=True),
}


def main(hr: Path, out: Path) -> None:
    fit, test = reduce_samples(fit_samples(hr)["first"]), reduce_samples(test_samples(hr))
    photos = sorted({sample.photo for sample in fit})
    selected = {photos[index * len(photos) // PHOTOS] for index in range(PHOTOS)}
    fit = [sample for sample in fit if sample.photo in selected]
    results: dict[str, Any] = {}
    correct: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for name, network in NETWORKS.items():

        def make(network: partial[Descriptor] = network) -> Descriptor:
            return dataclasses.replace(network(), precision="bfloat16")

        folder = out / "controls" / name.replace(", ", "-")
        fit_table = describe_by_photo(make, fit, folder / "fit", name + REDUCED)
        test_table = describe_by_photo(partial(some_tiles, make, 1), test, folder / "test", name + REDUCED)
        # Every type and clean are equally frequent among the test images.
        unfitted = DistortionIdentifier(tuple(TYPES), parts=make().widths(), clean_share=1 / (1 + len(TYPES)))
        identifier = fit_to_images(unfitted, fit, fit_table)
        evaluation = Evaluation(test, identifier.predict_all(test_table.descriptors, test_table.images), TYPES)
        results[name] = {measure: dataclasses.asdict(estimate) for measure, estimate in evaluation.measures().items()}
        groups, everything = evaluation.groups, np.ones(len(test), bool)
        correct[name] = {
            "type_accuracy": evaluation.predicted == evaluation.truth,
            "group_accuracy": groups[evaluation.predicted] == groups[evaluation.truth],
        }
        for measure, first in correct[FIRST].items():
            difference = first.astype(float) - correct[name][measure]
            estimate = sample_estimate(partial(mean_of, difference), evaluation.photos, everything)
            results[name][f"{FIRST} minus this, {measure}"] = dataclasses.asdict(estimate)
        write_json(out / "controls.json", results)
        print(name, {measure: round(estimate["value"], 3) for measure, estimate in results[name].items()}, flush=True)


def mean_of(values: NDArray[np.float64], rows: NDArray[np.bool_]) -> float:
    return float(values[rows].mean())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
