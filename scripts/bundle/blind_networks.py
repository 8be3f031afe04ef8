"""Copy the two blind networks, with and without guidance by DDR, into the package and write their cards.

    python -m scripts.bundle.blind_networks RUNS COMPARISON MACHINE

RUNS holds two folders of `ddrscope train blind-compact`: ``blind-ddr``, and ``blind-plain`` with guidance=none, both evaluated with
``--test``. COMPARISON is the output of `experiments.guidance.compare_published`; if it does not exist yet, only the weights are copied.
MACHINE describes in words on what they were trained. The bundled map of known degradations is written anew.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd

from ddrscope.networks.checkpoints.safetensors_files import read_metadata
from experiments.guidance.compare_published import markdown
from scripts.bundle import known_degradations
from scripts.bundle.cards import network_card
from scripts.bundle.networks import ZOO, table_of_quality, weights_kept

DESCRIPTIONS = {
    "blind-ddr": "guided at each position by the deep degradation representation of the input, from {blocks} blocks of `srgan-wgr`",
    "blind-plain": "without guidance, otherwise trained like `blind-ddr`, as its baseline",
}


def main(runs: Path, comparison: Path, machine: str) -> None:
    table = comparison / "published.csv"
    for name in DESCRIPTIONS:
        shutil.copyfile(runs / name / "pixel" / "weights.safetensors", ZOO / f"{name}.safetensors")
        if table.exists():
            (ZOO / f"{name}.md").write_text(write_card(name, runs, pd.read_csv(table), machine))
    known_degradations.main()


def write_card(name: str, runs: Path, comparison: pd.DataFrame, machine: str) -> str:
    folder = runs / name / "pixel"
    known, quality = read_metadata(folder / "weights.safetensors"), json.loads((folder / "quality.json").read_text())
    recipe = json.loads(known["recipe"])
    photographs = [Path(photo).stem for photo in json.loads(known["photographs"])]
    change = "" if recipe["guidance"] == "ddr" else " guidance=none"
    body = f"""# {name}

SRResNet x{recipe["scale"]} for degraded images, {DESCRIPTIONS[name].format(blocks=recipe["guide_blocks"])}:
{recipe["channels"]} channels, {recipe["blocks"]} blocks, trained with a pixel loss.

    make photos
    ddrscope train blind-compact{change} adversarial.steps=0 --images hr/train --images hr/gallery \\
        --val hr/val --test hr/test --precision {recipe["precision"]} --threads 1 --out runs/{name}

The weights are `runs/{name}/pixel/weights.safetensors`.

| | |
|---|---|
| degradations | one of these for each patch, with random parameters: {", ".join(f"`{text}`" for text in recipe["degradations"])} |
| recipe | `{json.dumps({key: value for key, value in recipe.items() if not isinstance(value, dict | list)})}` |
| pixel stage | `{json.dumps(recipe["pixel"])}` |
| seed | {recipe["seed"]} |
| steps, duration | {known["steps"]} steps, {int(known["seconds"]) // 60} minutes on {machine} |
| weights | {weights_kept(recipe["pixel"])}, float16 |
| photographs | {len(photographs)}: {", ".join(photographs)} |

The photographs come from Debian's packages that `make photos` names, under free licences; they are not part of this package. None of the
bundled photographs is among them.

## Quality on {len(quality)} test photographs

Each is degraded at random as in training, the same for both networks. PSNR and SSIM on Y, border of 4 pixels cropped; LPIPS is ST-LPIPS
with VGG-16 of the central 384 pixels, smaller is better.

{table_of_quality(quality)}

## Comparison

PSNR-Y (dB) / SSIM / LPIPS, means of the central 256 pixels of {comparison["photographs"].iloc[0]} held-out photographs,
`python -m experiments.guidance.compare_published`. The published networks were trained for other goals, with adversarial losses too, on
larger sets.

{markdown(comparison)}
"""
    tags = ["blind-super-resolution", "guided" if recipe["guidance"] == "ddr" else "unguided"]
    return network_card(name, body, photo_packages(), tags, "degraded as in training")


def photo_packages() -> list[str]:
    """The Debian packages of the photographs that the Makefile names."""
    text = (Path(__file__).resolve().parents[2] / "Makefile").read_text().replace("\\\n", " ")
    (found,) = re.findall(r"^PHOTO_PACKAGES := (.+)$", text, re.MULTILINE)
    return found.split()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
