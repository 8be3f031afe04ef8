"""Put the pair of blind networks into the package, steered by DDR and not, each with its card.

    python tools/bundle_blind.py RUNS PEERS 'what it ran on'

RUNS holds two folders of `ddrscope train blind-compact`: ``blind-ddr``, and ``blind-plain`` with guidance=none, both rated with ``--test``.
PEERS is the folder of `tools/blind_peers.py` on the two of them and on others; where it does not exist yet, only the weights are copied.
The map of known damage is made anew.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd

import bundle_known_degradations
from blind_peers import markdown
from bundle_networks import ZOO, table_of_quality, weights_kept
from cards import network_card
from ddrscope.networks.checkpoints.weights import read_metadata

GUIDED = {
    "blind-ddr": "steered, place by place, by what the {blocks} blocks of `srgan-wgr` see of the input's damage",
    "blind-plain": "without guidance, otherwise trained alike: what `blind-ddr` is compared with",
}


def main(runs: Path, peers: Path, machine: str) -> None:
    for name in GUIDED:
        shutil.copyfile(runs / name / "pixel" / "weights.safetensors", ZOO / f"{name}.safetensors")
        if (peers / "peers.csv").exists():
            (ZOO / f"{name}.md").write_text(write_card(name, runs, pd.read_csv(peers / "peers.csv"), machine))
    bundle_known_degradations.main()


def write_card(name: str, runs: Path, peers: pd.DataFrame, machine: str) -> str:
    folder = runs / name / "pixel"
    known, quality = read_metadata(folder / "weights.safetensors"), json.loads((folder / "quality.json").read_text())
    recipe = json.loads(known["recipe"])
    photographs = [Path(photo).stem for photo in json.loads(known["photographs"])]
    change = "" if recipe["guidance"] == "ddr" else " guidance=none"
    body = f"""# {name}

SRResNet x{recipe["scale"]} for damaged images, {GUIDED[name].format(blocks=recipe["guide_blocks"])}:
{recipe["channels"]} channels, {recipe["blocks"]} blocks, trained with a pixel loss.

    make photos
    ddrscope train blind-compact{change} adversarial.steps=0 --images hr/train --images hr/gallery \\
        --val hr/val --test hr/test --precision {recipe["precision"]} --threads 1 --out runs/{name}

The weights are `runs/{name}/pixel/weights.safetensors`.

| | |
|---|---|
| trained on | one of these for each patch, its numbers drawn: {", ".join(f"`{text}`" for text in recipe["degradations"])} |
| recipe | `{json.dumps({key: value for key, value in recipe.items() if not isinstance(value, dict | list)})}` |
| pixel stage | `{json.dumps(recipe["pixel"])}` |
| seed | {recipe["seed"]} |
| steps, duration | {known["steps"]} steps, {int(known["seconds"]) // 60} minutes on {machine} |
| weights | {weights_kept(recipe["pixel"])}, float16 |
| photographs | {len(photographs)}: {", ".join(photographs)} |

The photographs come from Debian's packages that `make photos` names, under free licences; they are not part of this package. None of the
bundled photographs is among them.

## Quality on {len(quality)} test photographs

Each through a damage drawn as in training, the same for both networks. PSNR and SSIM on Y, border of 4 pixels cropped; LPIPS is ST-LPIPS
with VGG-16 of the middle 384 pixels, smaller is better.

{table_of_quality(quality)}

## Beside other networks

PSNR-Y (dB) / SSIM / LPIPS, means of the middle 256 pixels of {peers["photographs"].iloc[0]} photographs that neither network was trained
on, `python tools/blind_peers.py`. Those of others were trained for other ends, by adversarial losses too, on larger sets.

{markdown(peers)}
"""
    tags = ["blind-super-resolution", "guided" if recipe["guidance"] == "ddr" else "unguided"]
    return network_card(name, body, photo_packages(), tags, "damaged as in training")


def photo_packages() -> list[str]:
    """Debian's packages of the photographs, as `make photos` names them."""
    text = (Path(__file__).parents[1] / "Makefile").read_text().replace("\\\n", " ")
    (found,) = re.findall(r"^PHOTO_PACKAGES := (.+)$", text, re.MULTILINE)
    return found.split()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
