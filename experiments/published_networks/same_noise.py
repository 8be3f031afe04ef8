"""Measure networks with one and the same pattern of noise in all photographs: the second intervention of `later_rules`.

    python -m experiments.published_networks.same_noise CHECKOUTS IMAGES OUT

In ``noise:20`` every photograph has noise of its own. Here one pattern is added to all. Each network appends its rows, with
patterns of their own and with one pattern, to ``OUT/same_noise.jsonl``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ddrscope.analysis.input_rows import InputRows
from ddrscope.analysis.layer_choice import choose_layers
from ddrscope.study.settings import DEGRADATIONS
from experiments.published_networks.later_rules import DEPTH_PHOTOS, HIDDEN, SAME_NOISE_BESIDE
from experiments.published_networks.measuring import measuring_arguments, not_measured
from experiments.published_networks.run import CROP, load, read_catalog
from experiments.published_networks.shares import append_rows, inputs_of, measured_layers

SIGMA = 20 / 255


def main() -> None:
    arguments = measuring_arguments(__doc__, "images")
    file = arguments.out / "same_noise.jsonl"
    entries = {entry["name"]: entry for entry in read_catalog()}
    for name in not_measured((*HIDDEN, *SAME_NOISE_BESIDE), file):
        network = load(entries[name], arguments.checkouts)
        inputs, settings = inputs_of(network, arguments.images, DEGRADATIONS, crop=CROP, limit=DEPTH_PHOTOS)
        layers = choose_layers(network, (), inputs.sample())
        own, _ = measured_layers(network, layers, inputs, settings)
        one, _ = measured_layers(network, layers, with_one_pattern(inputs), settings)
        append_rows(file, pd.concat([own.assign(one_pattern=False), one.assign(one_pattern=True)]))


def with_one_pattern(inputs: InputRows, seed: int = 0) -> InputRows:
    """The same rows, but the noisy ones made of the clean ones and one pattern of noise, clipped and in steps of 8 bits."""
    clean = {row.image: row.pixels for row in inputs.rows if row.group == "clean"}
    shape = next(iter(clean.values())).shape
    pattern = np.random.default_rng(seed).normal(scale=SIGMA, size=shape)
    rows = []
    for row in inputs.rows:
        if row.family == "noise":
            noisy = np.rint(255 * np.clip(clean[row.image] + pattern, 0, 1)) / 255
            row = replace(row, pixels=noisy.astype(np.float32))
        rows.append(row)
    return InputRows(rows, inputs.skipped, inputs.notes)


if __name__ == "__main__":
    main()
