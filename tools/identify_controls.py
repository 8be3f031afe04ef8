"""Does naming damage need a trained network, and one with a global residual? The same descriptor of three networks, side by side.

    python tools/identify_controls.py HR OUT

The reduced setting of `tools/bench_identify.py` (levels 2 and 4, one tile of each test image), fitted to every third photograph or so
(57) and read in bfloat16, alike for all three: it is their order that is asked for. OUT keeps tiles'
descriptors (a killed run goes on) and receives ``controls.json``: measures, and by how much the first network is right more often than
each other one, in the same images.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_identify import REDUCED, TYPES, fit_samples, network_descriptor, reduce_samples, some_tiles, test_samples
from ddrscope.identification import Descriptor, DistortionIdentifier
from ddrscope.identification.evaluation import Evaluation, jackknife
from ddrscope.identification.fit import fit_to_samples
from ddrscope.io.files import write_json
from described import describe_by_photo

PHOTOS = 57
FIRST = "srgan-wgr"
NETWORKS = {
    FIRST: partial(network_descriptor, "srgan-wgr"),
    "srresnet-wogr": partial(network_descriptor, "srresnet-wogr"),
    "srgan-wgr, untrained": partial(network_descriptor, "srgan-wgr", untrained=True),
}


def main(hr: Path, out: Path) -> None:
    fitted, tested = reduce_samples(fit_samples(hr)["first"]), reduce_samples(test_samples(hr))
    photos = sorted({sample.photo for sample in fitted})
    kept = {photos[index * len(photos) // PHOTOS] for index in range(PHOTOS)}
    fitted = [sample for sample in fitted if sample.photo in kept]
    found: dict[str, Any] = {}
    right: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for name, network in NETWORKS.items():

        def make(network: partial[Descriptor] = network) -> Descriptor:
            return dataclasses.replace(network(), precision="bfloat16")

        folder = out / "controls" / name.replace(", ", "-")
        fit_table = describe_by_photo(make, fitted, folder / "fit", name + REDUCED)
        test_table = describe_by_photo(partial(some_tiles, make, 1), tested, folder / "test", name + REDUCED)
        # Every type and clean are equally frequent among the test images.
        unfitted = DistortionIdentifier(tuple(TYPES), parts=make().widths(), clean_share=1 / (1 + len(TYPES)))
        one = fit_to_samples(unfitted, fitted, fit_table)
        evaluation = Evaluation(tested, one.find(test_table.descriptors, test_table.images), TYPES)
        found[name] = {measure: dataclasses.asdict(estimate) for measure, estimate in evaluation.measures().items()}
        groups, everything = evaluation.groups, np.ones(len(tested), bool)
        right[name] = {
            "type_accuracy": evaluation.said == evaluation.truth,
            "group_accuracy": groups[evaluation.said] == groups[evaluation.truth],
        }
        for measure, first in right[FIRST].items():
            lead = first.astype(float) - right[name][measure]
            estimate = jackknife(lambda chosen, lead=lead: float(lead[chosen].mean()), evaluation.photos, everything)  # type: ignore[misc]
            found[name][f"lead of {FIRST}, {measure}"] = dataclasses.asdict(estimate)
        write_json(out / "controls.json", found)
        print(name, {measure: round(estimate["value"], 3) for measure, estimate in found[name].items()}, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
