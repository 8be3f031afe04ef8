"""Measure classifiers and published SR networks on photographs of several classes (C1).

    python -m experiments.published_networks.classes CHECKOUTS CLASSES OUT

CLASSES has a folder of photographs for each class. CHECKOUTS also has songhan+SqueezeNet-Deep-Compression; EfficientNet-Lite0 is a package
(see ``ddrscope models list``). Each network appends the rows of its last layer and of the pixels to ``OUT/classes.jsonl``.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image
from safetensors.torch import save_file

import ddrscope
from ddrscope.analysis.layer_choice import choose_layers
from ddrscope.metrics.layer_measures import content_groups
from ddrscope.networks import Network
from ddrscope.study.settings import CLASSIFIER, DEGRADATIONS
from experiments.published_networks.later_rules import CLASSIFIERS, SHOWN_BESIDE, SUPER_RESOLUTION
from experiments.published_networks.measuring import measuring_arguments, not_measured
from experiments.published_networks.run import load, read_catalog
from experiments.published_networks.shares import append_rows, inputs_of, measured_layers
from scripts.convert_squeezenet import converted, decode

SQUEEZENET = Path("songhan+SqueezeNet-Deep-Compression") / "compressed_SqueezeNet.net"
# After the photographs are halved: they are JPEG files, whose blocks would not be clean. The smallest one then has 131 pixels.
CROP = 128


def main() -> None:
    arguments = measuring_arguments(__doc__, "classes")
    file = arguments.out / "classes.jsonl"
    entries = {entry["name"]: entry for entry in read_catalog()}
    for name in not_measured((*CLASSIFIERS, *SUPER_RESOLUTION, *SHOWN_BESIDE), file):
        network = load(entries[name], arguments.checkouts) if name in entries else classifier(name, arguments.checkouts)
        with tempfile.TemporaryDirectory() as halves:
            write_halves(Path(arguments.classes), Path(halves))
            inputs, settings = inputs_of(network, halves, DEGRADATIONS, crop=CROP, content="folder")
        layers = choose_layers(network, (), inputs.sample())
        table, _ = measured_layers(network, layers, inputs, settings)
        design = inputs.design
        append_rows(file, table.assign(photos=len(set(design.photos)), classes=content_groups(design, "folder")))


def write_halves(classes: Path, folder: Path) -> None:
    """Write the photographs of all classes at half their size, each into the folder of its class."""
    for path in sorted(classes.glob("*/*")):
        (folder / path.parent.name).mkdir(exist_ok=True)
        with Image.open(path) as image:
            image.convert("RGB").reduce(2).save(folder / path.parent.name / f"{path.stem}.png")


def classifier(name: str, checkouts: Path) -> Network:
    """A classifier of `CLASSIFIERS`."""
    if name == "EfficientNet-Lite0":
        return replace(ddrscope.load_network(CLASSIFIER), name=name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "squeezenet.safetensors"
        save_file(converted(decode((checkouts / SQUEEZENET).read_bytes())), path)
        return replace(ddrscope.load_network(path), name=name)


if __name__ == "__main__":
    main()
