"""How does bfloat16 change identification? Evaluate the bundled identifier in both precisions on the same images.

    python -m experiments.identification.precision HR OUT

Images: those of `experiments.identification.run` at levels 2 and 4 and clean, one tile each. OUT keeps the descriptors of tiles, so that
an interrupted run can continue, and receives ``precision.json``: every measure in both precisions with its interval, paired differences
of accuracy, and the share of images with a changed type.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.features.precision import Precision
from ddrscope.identification import Descriptor, load_identifier
from ddrscope.identification.evaluation import Evaluation, sample_estimate
from ddrscope.io.files import write_json
from experiments.identification.controls import mean_of
from experiments.identification.describe import describe_by_photo
from experiments.identification.run import TYPES, reduce_samples, some_tiles, test_samples


def main(hr: Path, out: Path) -> None:
    test = reduce_samples(test_samples(hr))
    identifier = load_identifier(descriptor="ddr").identifier
    # Every type and clean are equally frequent among the test images.
    identifier.clean_share = 1 / (1 + len(TYPES))
    results: dict[str, Any] = {}
    evaluations: dict[str, Evaluation] = {}
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        make = partial(some_tiles, partial(descriptor, precision), 1)
        table = describe_by_photo(make, test, out / "precision" / precision, precision)
        evaluation = Evaluation(test, identifier.predict_all(table.descriptors, table.images), TYPES)
        results[precision] = {name: dataclasses.asdict(estimate) for name, estimate in evaluation.measures().items()}
        evaluations[precision] = evaluation
    exact, rounded = evaluations["float32"], evaluations["bfloat16"]
    changes = {
        "type_accuracy, bfloat16 - float32": hits(rounded, "type") - hits(exact, "type"),
        "group_accuracy, bfloat16 - float32": hits(rounded, "group") - hits(exact, "group"),
        "changed type": (rounded.predicted != exact.predicted).astype(float),
        "changed type, probability in float32 at least 0.5": changed_if_confident(exact, rounded),
    }
    for name, values in changes.items():
        results[name] = dataclasses.asdict(sample_estimate(partial(mean_of, values), exact.photos, ~np.isnan(values)))
    probability_changes = np.abs(rounded.predictions.probabilities - exact.predictions.probabilities)
    results["largest change of a probability"] = float(probability_changes.max())
    results["mean change of a probability"] = float(probability_changes.mean())
    write_json(out / "precision.json", results)
    for name, value in results.items():
        print(name, value)


def descriptor(precision: Precision) -> Descriptor:
    described = load_identifier(precision=precision, descriptor="ddr").descriptor
    assert isinstance(described, Descriptor)
    return described


def hits(evaluation: Evaluation, kind: str) -> NDArray[np.float64]:
    """1 for each image with the right type or group, else 0."""
    names = evaluation.groups if kind == "group" else evaluation.names
    return (names[evaluation.predicted] == names[evaluation.truth]).astype(float)


def changed_if_confident(exact: Evaluation, rounded: Evaluation) -> NDArray[np.float64]:
    """1 for each image with a changed type, else 0; NaN if the first probability is below 0.5."""
    confident = exact.predictions.probabilities.max(1) >= 0.5
    return np.where(confident, rounded.predicted != exact.predicted, np.nan)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
