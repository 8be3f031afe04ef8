"""Measure a dozen published networks by depth (C5) and over the levels of blur, noise and JPEG (C4).

    python -m experiments.published_networks.depth_and_paths CHECKOUTS IMAGES OUT

As `experiments.published_networks.run`: the code of the checkouts is run, and networks that are done are not measured again. Each network
appends its rows to ``OUT/depth.jsonl`` and ``OUT/paths.jsonl``.
"""

from __future__ import annotations

import numpy as np
import torch

from ddrscope.analysis.layer_choice import choose_layers
from ddrscope.networks import Network
from ddrscope.study.settings import DEGRADATIONS, LEVELS
from experiments.published_networks.later_rules import DEPTH_PHOTOS, DOZEN, PATH_PHOTOS
from experiments.published_networks.measuring import measuring_arguments, not_measured
from experiments.published_networks.run import CROP, load, read_catalog
from experiments.published_networks.shares import append_rows, inputs_of, measured_layers

# More layers than this are thinned evenly.
MOST_LAYERS = 6


def main() -> None:
    arguments = measuring_arguments(__doc__, "images")
    entries = {entry["name"]: entry for entry in read_catalog()}
    levels = [*DEGRADATIONS[:1], *(f"{family}:{level:g}" for family, all_of in LEVELS.items() for level in all_of)]
    files = [arguments.out / f"{kind}.jsonl" for kind in ("depth", "paths")]
    for name in not_measured(DOZEN, *files):
        network = load(entries[name], arguments.checkouts)
        layers = evenly_spaced(network)
        inputs, settings = inputs_of(network, arguments.images, DEGRADATIONS, crop=CROP, limit=DEPTH_PHOTOS)
        append_rows(files[0], measured_layers(network, layers, inputs, settings)[0])
        inputs, settings = inputs_of(network, arguments.images, levels, crop=CROP, limit=PATH_PHOTOS)
        append_rows(files[1], measured_layers(network, layers[-1:], inputs, settings)[1])


def evenly_spaced(network: Network) -> tuple[str, ...]:
    """The default layers of a network, at most `MOST_LAYERS` of them, the first and the last included."""
    layers = choose_layers(network, None, torch.rand(1, 3, CROP // 4, CROP // 4))
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers))).round().astype(int))
    return tuple(layers[index] for index in chosen)


if __name__ == "__main__":
    main()
