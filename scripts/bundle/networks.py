"""Copy trained networks into the package and write their cards.

    python -m scripts.bundle.networks RUNS ANALYSIS MACHINE

RUNS holds a folder of `ddrscope train compact` with global residual, ``wgr``, and one without, ``wogr``, both evaluated with ``--test``.
ANALYSIS is the output of `ddrscope analyze` on the four networks; if it does not exist yet, only the weights are copied. MACHINE
describes in words on what they were trained.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from ddrscope.networks.checkpoints.safetensors_files import read_metadata
from scripts.bundle.cards import network_card

ZOO = Path(__file__).resolve().parents[2] / "src" / "ddrscope" / "data" / "zoo"
STAGES = {"srresnet": "pixel", "srgan": "adversarial"}
RESIDUAL = {"wgr": "with", "wogr": "without"}
# Debian packages of the training photographs.
DATASETS = ("lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "mate-backgrounds", "plasma-workspace-wallpapers")


def main(runs: Path, analysis: Path, machine: str) -> None:
    for family, stage in STAGES.items():
        for kind in RESIDUAL:
            source = runs / kind / stage
            shutil.copyfile(source / "weights.safetensors", ZOO / f"{family}-{kind}.safetensors")
            if (analysis / "analysis.json").exists():
                card = write_card(family, kind, runs, json.loads((analysis / "analysis.json").read_text()), machine)
                (ZOO / f"{family}-{kind}.md").write_text(card)


def write_card(family: str, kind: str, runs: Path, analysis: dict[str, Any], machine: str) -> str:
    name, stage = f"{family}-{kind}", STAGES[family]
    known = read_metadata(runs / kind / stage / "weights.safetensors")
    recipe = json.loads(known["recipe"])
    quality = json.loads((runs / kind / stage / "quality.json").read_text())
    before = json.loads((runs / kind / "pixel" / "quality.json").read_text())
    photographs = [Path(photo).stem for photo in json.loads(known["photographs"])]
    flag = "--global-residual" if kind == "wgr" else "--no-global-residual"
    adversarial = (
        "" if family == "srgan" else " The command also trains the adversarial stage; `adversarial.steps=0` omits it."
    )
    body = f"""# {name}

{known["description"]}: {recipe["channels"]} channels, {recipe["blocks"]} blocks, no batch normalization. Trained on clean images only.

    make photos
    ddrscope train compact {flag} --images hr/train --val hr/val --test hr/test --threads 1 --out runs/{kind}

The weights are `runs/{kind}/{stage}/weights.safetensors`.{adversarial}

| | |
|---|---|
| recipe | `{json.dumps({key: value for key, value in recipe.items() if not isinstance(value, dict)})}` |
| {stage} stage | `{json.dumps(recipe[stage])}` |
| perceptual loss | {_perceptual(recipe, family)} |
| seed | {recipe["seed"]} |
| steps, duration | {known["steps"]} steps, {int(known["seconds"]) // 60} minutes on {machine} |
| weights | {weights_kept(recipe[stage])}, float16 |
| trained on | {len(photographs)} photographs: {", ".join(photographs)} |

The photographs come from Debian's lomiri-wallpapers-16.04 and -20.04 (CC-BY-SA), mate-backgrounds and plasma-workspace-wallpapers
(GPL-2+); they are not part of this package. None of the bundled photographs is among them.

## Quality on {len(quality)} test photographs

PSNR and SSIM on Y, border of 4 pixels cropped; LPIPS is ST-LPIPS with VGG-16 of the central 384 pixels, smaller is
better; no bundled network was trained with it.
{_gains(quality, before, family)}

{table_of_quality(quality)}

## Degradation and content at the last HR layer

`ddrscope analyze` on {analysis["photos"]} held-out photographs ({analysis["images"]} crops;
{", ".join(analysis["groups"])}), content by {analysis["content"]}; 95 % jackknife over photographs.

| view | CHI by degradation | CHI by content | degradation share | content share | 5-NN |
|---|---|---|---|---|---|
{_measures(analysis, name)}
"""
    return head(name, body)


def head(name: str, body: str) -> str:
    """The card with its metadata."""
    family, kind = name.split("-")
    return network_card(name, body, DATASETS, [family, f"{RESIDUAL[kind]}-global-residual"])


def weights_kept(stage: dict[str, Any]) -> str:
    """The weights of a stage that were saved, in words."""
    share = stage.get("share", 1)
    mixed = "" if share == 1 else f", mixed with the weights of the pixel stage ({share:g} to {1 - share:.2g})"
    return f"exponential moving average{mixed}"


def _perceptual(recipe: dict[str, Any], family: str) -> str:
    stage = recipe["adversarial"]
    if family == "srresnet" or not stage["perceptual_weight"] or stage["perceptual"] == "none":
        return "none"
    named = {
        "alex": "ST-LPIPS, AlexNet (stlpips-pytorch)",
        "vgg": "ST-LPIPS, VGG-16 (stlpips-pytorch)",
        "vgg19": "VGG-19",
    }
    return named[stage["perceptual"]]


def _mean(values: list[float], unit: str, digits: int = 2) -> str:
    reach = student_t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    mean = np.mean(values)
    interval = f"{mean - reach:+.{digits}f} to {mean + reach:+.{digits}f}"
    return f"{mean:+.{digits}f}{unit} (95 % interval of the mean {interval}, n = {len(values)})"


def _gains(quality: list[dict[str, Any]], before: list[dict[str, Any]], family: str) -> str:
    text = f"PSNR over bicubic: {_mean([row['psnr'] - row['psnr_bicubic'] for row in quality], ' dB')}."
    if family == "srgan":
        pairs = list(zip(quality, before, strict=True))
        means = [np.mean([row["lpips"] for row in rows]) for rows in (before, quality)]
        text += f" Against its pixel stage: PSNR {_mean([a['psnr'] - b['psnr'] for a, b in pairs], ' dB')}, mean LPIPS "
        text += f"{means[0]:.3f} to {means[1]:.3f} ({100 * (means[1] / means[0] - 1):+.0f} %), by photograph "
        text += f"{_mean([a['lpips'] - b['lpips'] for a, b in pairs], '', 3)}."
    return text


def table_of_quality(quality: list[dict[str, Any]]) -> str:
    """A row per photograph, in Markdown."""
    head = "| photograph | PSNR | bicubic | SSIM | bicubic | LPIPS | bicubic |\n|---|---|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {row['photo'].removesuffix('.png')} | {row['psnr']:.2f} | {row['psnr_bicubic']:.2f} | {row['ssim']:.4f} | "
        f"{row['ssim_bicubic']:.4f} | {row['lpips']:.3f} | {row['lpips_bicubic']:.3f} |"
        for row in quality
    )


def _measures(analysis: dict[str, Any], name: str) -> str:
    (entry,) = [entry for entry in analysis["networks"] if entry["name"] == name]
    last = [row for row in entry["layers"] if row["layer"] == entry["layers"][-1]["layer"]]

    def cell(row: dict[str, Any], key: str, digits: int) -> str:
        value, low, high = (row[f"{key}{end}"] for end in ("", "_low", "_high"))
        return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    return "\n".join(
        f"| {row['view']} | {cell(row, 'chi_pca', 2)} | {cell(row, 'chi_content_pca', 2)} | {cell(row, 'degradation_share', 3)} | "
        f"{cell(row, 'content_share', 3)} | {row['knn_accuracy']:.2f} |"
        for row in last
    )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
