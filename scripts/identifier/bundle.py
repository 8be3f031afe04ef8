"""Copy a calibrated identifier into the package and write its card.

    python -m scripts.identifier.bundle IDENTIFIER.safetensors HELD_OUT.json

IDENTIFIER is written by `scripts.identifier.calibrate`, HELD_OUT by `experiments.identification.held_out`.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from safetensors import safe_open

from ddrscope.identification.files import COMPACT, bundled_identifier
from scripts.bundle.cards import result, with_head

# Measures of a part of HELD_OUT that the card states: part, key, metric and name.
MEASURES = (
    ("suite", "type_accuracy", "accuracy", "accuracy, 24 types and clean"),
    ("suite", "type_accuracy_strong", "accuracy", "accuracy, 24 types and clean, levels 3 to 5"),
    ("suite", "group_accuracy", "accuracy", "accuracy, 7 groups and clean"),
    ("suite", "group_accuracy_strong", "accuracy", "accuracy, 7 groups and clean, levels 3 to 5"),
    ("suite", "level_error", "mae", "level, mean absolute error"),
    ("suite", "calibration_error", "ece", "expected calibration error of the likeliest type"),
    ("everyday", "type_accuracy_strong", "accuracy", "accuracy, 11 everyday types, levels 3 to 5"),
    ("everyday", "group_accuracy_strong", "accuracy", "accuracy, groups of everyday types, levels 3 to 5"),
)
PHYSICAL = {
    "blur_sigma": ("median relative error", "blur sigma from 0.7 px, median relative error"),
    "noise_sigma": ("median relative error", "noise sigma from 3 of 255, median relative error"),
    "jpeg_quality": ("median error", "JPEG quality, median error"),
    "native_scale": ("within 10 %", "enlargements from 1.5 within 10 %"),
}


def main(identifier: Path, held_out: Path) -> None:
    target = bundled_identifier(COMPACT)
    with safe_open(identifier, framework="pt") as file:
        settings = json.loads(file.metadata()["settings"])
    target.with_suffix(".md").write_text(write_card(settings, json.loads(held_out.read_text())), encoding="utf-8")
    if identifier.resolve() != target:
        shutil.copyfile(identifier, target)


def write_card(settings: dict[str, Any], measures: dict[str, Any]) -> str:
    rows = [(metric, name, measures[part][key]) for part, key, metric, name in MEASURES]
    rows += [("mae", name, measures["physical"][key][measure]) for key, (measure, name) in PHYSICAL.items()]
    rows += [
        ("coverage", f"80 % interval of {key} holds the true value", measures["physical"][key]["coverage"])
        for key in PHYSICAL
    ]
    where = f"regions of {measures['suite']['type_accuracy']['photos']} photographs (bundled, Set14, BSD100)"
    data = ModelCardData(
        license="apache-2.0",
        library_name="ddrscope",
        pipeline_tag="image-classification",
        tags=["image-quality-assessment", "distortion-identification"],
        metrics=sorted({metric for metric, _, _ in rows}),
        model_name="identifier-compact",
        eval_results=[
            result(where, "photographs", metric, name, round(value["value"], 3), "image-classification")
            for metric, name, value in rows
        ],
    )
    lines = [f"| {name} | {v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}] | {v['n']} |" for _, name, v in rows]
    groups: dict[str, list[str]] = {}
    for kind, group in settings["groups"].items():
        groups.setdefault(group, []).append(kind)
    known = "\n".join(f"| {group} | {', '.join(kinds)} |" for group, kinds in groups.items())
    about, trunk, suite = settings["about"], settings["trunk"], measures["suite"]
    called = ", ".join(f"{suite[f'called clean, level {level}']['value']:.0%}" for level in range(1, 6))
    return with_head(
        data,
        f"""# The compact identifier

Says what is wrong with an image, in physical units. Weights are float16.

Network: three stages with {trunk["widths"]} channels; 0.61 GFLOP for a tile of 128 x 128 pixels.
Trained on tiles of {len(about["photographs"]) - len(about["calibration_photographs"])} photographs and calibrated on
{about["calibration_images"]} images of {len(about["calibration_photographs"])} others, all of tier A and the packages of
`make photos`; commands: `scripts/identifier`.
The prior probability of a clean image is {settings["clean_share"]:.0%}.

| group | types |
|---|---|
{known}

## Quality

{where[0].upper() + where[1:]}; 95 % jackknife intervals over photographs.

| measure | value | n |
|---|---|---|
{chr(10).join(lines)}

Classified as clean: {suite["called clean, level 0"]["value"]:.0%} of the clean images; of levels 1 to 5: {called}.
Known failures: `docs/results.md`.
""",
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
