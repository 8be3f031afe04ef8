"""Does naming damage need a trained network, and one with a global residual? The same descriptor of three networks, side by side.

    python tools/identify_controls.py HR OUT

The reduced setting of `tools/bench_identify.py` (levels 2 and 4, one tile of each test picture), fitted to every third photograph or so
(57) and read in bfloat16, alike for all three: it is their order that is asked for. OUT keeps tiles'
descriptors (a killed run goes on) and receives ``controls.json``.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bench_identify import REDUCED, evaluate, fit_samples, network_descriptor, reduce_samples, some_tiles, test_samples
from ddrscope.identification import Descriptor
from ddrscope.store import write_json
from described import describe_by_photo

PHOTOS = 57
NETWORKS = {
    "srgan-wgr": partial(network_descriptor, "srgan-wgr"),
    "srresnet-wogr": partial(network_descriptor, "srresnet-wogr"),
    "srgan-wgr, untrained": partial(network_descriptor, "srgan-wgr", untrained=True),
}


def main(hr: Path, out: Path) -> None:
    fitted, tested = reduce_samples(fit_samples(hr)["first"]), reduce_samples(test_samples(hr))
    photos = sorted({sample.photo for sample in fitted})
    kept = {photos[index * len(photos) // PHOTOS] for index in range(PHOTOS)}
    fitted = [sample for sample in fitted if sample.photo in kept]
    found: dict[str, Any] = {}
    for name, network in NETWORKS.items():

        def make(network: partial[Descriptor] = network) -> Descriptor:
            return dataclasses.replace(network(), precision="bfloat16")

        folder = out / "controls" / name.replace(", ", "-")
        fit_table = describe_by_photo(make, fitted, folder / "fit", name + REDUCED)
        test_table = describe_by_photo(partial(some_tiles, make, 1), tested, folder / "test", name + REDUCED)
        found[name] = evaluate(make(), fitted, fit_table, tested, test_table)
        write_json(out / "controls.json", found)
        print(name, {measure: round(estimate["value"], 3) for measure, estimate in found[name]["measures"].items()}, flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
