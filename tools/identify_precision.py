"""What bfloat16 moves in identification: the bundled identifier in both precisions, on the same images of the test photographs.

    python tools/identify_precision.py HR OUT

The test images of `tools/bench_identify.py` at levels 2 and 4 and clean, one tile of each. OUT keeps tiles' descriptors (a killed run
goes on) and receives ``precision.json``: every measure in both precisions with its interval, how much the share of right types and groups
changes in the same images, and how often another type is said.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_identify import TYPES, reduce_samples, some_tiles, test_samples
from ddrscope.features.precision import Precision
from ddrscope.identification import Descriptor, load_identifier
from ddrscope.identification.evaluation import Evaluation, jackknife
from ddrscope.io.files import write_json
from described import describe_by_photo


def main(hr: Path, out: Path) -> None:
    tested = reduce_samples(test_samples(hr))
    fitted = load_identifier().identifier
    # Every type and clean are equally frequent among the test images.
    fitted.clean_share = 1 / (1 + len(TYPES))
    found: dict[str, Any] = {}
    read: dict[str, Evaluation] = {}
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        make = partial(some_tiles, partial(descriptor, precision), 1)
        table = describe_by_photo(make, tested, out / "precision" / precision, precision)
        read[precision] = Evaluation(tested, fitted.find(table.descriptors, table.images), TYPES)
        found[precision] = {name: dataclasses.asdict(estimate) for name, estimate in read[precision].measures().items()}
    exact, rough = read["float32"], read["bfloat16"]
    changes = {
        "type_accuracy, bfloat16 less float32": hits(rough, "type") - hits(exact, "type"),
        "group_accuracy, bfloat16 less float32": hits(rough, "group") - hits(exact, "group"),
        "another type said": (rough.said != exact.said).astype(float),
        "another type said, probability of the first at least a half": changed_where_sure(exact, rough),
    }
    everything = np.ones(len(tested), bool)
    for name, values in changes.items():
        among = everything & ~np.isnan(values)
        estimate = jackknife(lambda chosen, values=values: float(values[chosen].mean()), exact.photos, among)  # type: ignore[misc]
        found[name] = dataclasses.asdict(estimate)
    found["largest change of a probability"] = float(
        np.abs(rough.found.probabilities - exact.found.probabilities).max()
    )
    found["mean change of a probability"] = float(np.abs(rough.found.probabilities - exact.found.probabilities).mean())
    write_json(out / "precision.json", found)
    for name, value in found.items():
        print(name, value)


def descriptor(precision: Precision) -> Descriptor:
    return load_identifier(precision=precision).descriptor


def hits(one: Evaluation, kind: str) -> NDArray[np.float64]:
    names = one.groups if kind == "group" else one.names
    return (names[one.said] == names[one.truth]).astype(float)


def changed_where_sure(exact: Evaluation, rough: Evaluation) -> NDArray[np.float64]:
    """1 where another type is said; NaN where the first was no sure one."""
    sure = exact.found.probabilities.max(1) >= 0.5
    return np.where(sure, rough.said != exact.said, np.nan)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
