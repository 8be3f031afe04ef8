"""Copy a fitted identifier into the package and write its card.

    python -m scripts.bundle.identifier IDENTIFIER.safetensors BENCHMARK.json

Both files are written by `experiments.identification.run`.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from safetensors import safe_open

from ddrscope.identification.files import bundled_identifier
from scripts.bundle.cards import result, with_head

MEASURES = {
    "type_accuracy": ("accuracy", "accuracy, 24 types and clean"),
    "type_accuracy_strong": ("accuracy", "accuracy, 24 types and clean, levels 3 to 5"),
    "group_accuracy": ("accuracy", "accuracy, 7 groups and clean"),
    "group_accuracy_strong": ("accuracy", "accuracy, 7 groups and clean, levels 3 to 5"),
    "level_spearman": ("spearmanr", "level, Spearman with the true one, mean over types"),
    "level_error": ("mae", "level, mean absolute error"),
    "level_coverage": ("coverage", "80 % interval of the level holds the true one, share"),
    "calibration_error": ("ece", "expected calibration error of the likeliest type"),
}


def main(identifier: Path, benchmark: Path) -> None:
    target = bundled_identifier("ddr")
    with safe_open(identifier, framework="pt") as file:
        settings = json.loads(file.metadata()["settings"])
    card = write_card(settings, json.loads(benchmark.read_text())["ddr"]["as_bundled"])
    if identifier.resolve() != target:
        shutil.copyfile(identifier, target)
    target.with_suffix(".md").write_text(card, encoding="utf-8")


def write_card(settings: dict[str, Any], measures: dict[str, Any]) -> str:
    accuracy = measures["type_accuracy"]
    where = f"{accuracy['n']} distorted regions of {accuracy['photos']} held-out photographs"
    numbers = {key: round(measures[key]["value"], 3) for key in MEASURES}
    lines = [
        f"| {name} | {numbers[key]:.3f} [{measures[key]['low']:.3f}, {measures[key]['high']:.3f}] |"
        for key, (_, name) in MEASURES.items()
    ]
    data = ModelCardData(
        license="apache-2.0",
        library_name="ddrscope",
        pipeline_tag="image-classification",
        tags=["image-quality-assessment", "distortion-identification", "deep-degradation-representations"],
        metrics=sorted({metric for metric, _ in MEASURES.values()}),
        model_name="identifier",
        eval_results=[
            result(where, "photographs", metric, name, numbers[key], "image-classification")
            for key, (metric, name) in MEASURES.items()
        ],
    )
    groups: dict[str, list[str]] = {}
    for kind, group in settings["groups"].items():
        groups.setdefault(group, []).append(kind)
    known = "\n".join(f"| {group} | {', '.join(kinds)} |" for group, kinds in groups.items())
    about, called_clean = settings["about"], measures["called_clean_by_level"]
    layers = ", ".join(f"`{layer}`" for layer in settings["poolings"])
    poolings = ", ".join(dict.fromkeys(name for names in settings["poolings"].values() for name in names))
    by_level = ", ".join(f"{share:.0%}" for share in called_clean[1:])
    return with_head(
        data,
        f"""# The bundled identifier

Classifies the distortion of an image from the features of `{settings["network"]}`, which was trained on clean images only.
It is used by `ddrscope identify --descriptor ddr`. SHA-256 of the network: `{settings["sha256"]}`.

Layers: {layers}; poolings: {poolings}; {settings["components"]} principal components of each;
{settings["folds"]} classifiers, calibrated on held-out photographs.
Weights are float16, calibration and class centers float32.

| group | types |
|---|---|
{known}

Fitted to {about["images"]} crops of {len(about["photographs"])} photographs, seed {settings["seed"]}.
The photographs come from the Debian packages that `make photos` names.
The prior probability of a clean image is {settings["clean_share"]:.0%}.

## Quality

{where[0].upper() + where[1:]}; every type and clean equally frequent; 95 % jackknife intervals over photographs.

| measure | value |
|---|---|
{chr(10).join(lines)}

Classified as clean: {called_clean[0]:.0%} of the clean images; of levels 1 to 5: {by_level}.
Known failures: `docs/identification.md`.
""",
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
