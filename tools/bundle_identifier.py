"""Put a fitted identifier into the package, with its card.

    python tools/bundle_identifier.py build/identify/identifier.safetensors build/identify/benchmark.json

BENCHMARK.json is what `tools/bench_identify.py` wrote of this identifier.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from safetensors import safe_open

from cards import result, with_head
from ddrscope.identification.files import bundled_identifier

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
    target = bundled_identifier()
    with safe_open(identifier, framework="pt") as file:
        settings = json.loads(file.metadata()["settings"])
    card = write_card(settings, json.loads(benchmark.read_text())["ddr"]["as_bundled"])
    if identifier.resolve() != target:
        shutil.copyfile(identifier, target)
    target.with_suffix(".md").write_text(card, encoding="utf-8")


def write_card(settings: dict[str, Any], measures: dict[str, Any]) -> str:
    one = measures["type_accuracy"]
    where = f"{one['n']} distorted regions of {one['photos']} photographs not fitted to"
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
    about, called = settings["about"], measures["called_clean_by_level"]
    layers = ", ".join(f"`{layer}`" for layer in settings["poolings"])
    poolings = ", ".join(dict.fromkeys(name for names in settings["poolings"].values() for name in names))
    called_clean = ", ".join(f"{share:.0%}" for share in called[1:])
    return with_head(
        data,
        f"""# The bundled identifier

Names the damage in an image from the features of `{settings["network"]}`, a network that never saw a damaged image: `ddrscope identify`.
SHA-256 of that network: `{settings["sha256"]}`.

Layers: {layers}; pooled by {poolings}; {settings["components"]} principal components of each;
{settings["folds"]} small networks, calibrated on photographs they were not fitted to.
Weights in float16, calibration and centres in float32.

| group | types |
|---|---|
{known}

Fitted to {about["images"]} crops of {len(about["photographs"])} photographs, seed {settings["seed"]}.
They come from the Debian packages that `make photos` names. It expects {settings["clean_share"]:.0%} of the images to be undamaged.

## Quality

{where[0].upper() + where[1:]}; every type and clean equally frequent; 95 % jackknife over photographs.

| measure | value |
|---|---|
{chr(10).join(lines)}

Called clean are {called[0]:.0%} of the clean images, and of levels 1 to 5 {called_clean}.
Where it fails stands in `docs/identification.md`.
""",
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
