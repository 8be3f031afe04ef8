"""Does training with a matched recipe help on real images?

    python -m experiments.matching.open_loop HR PHOTOS OUT [--steps 6000] [--seeds 3]

HR has ``train`` and ``val``; PHOTOS has ``real/realsr`` and ``real/drealsr``, pairs of real cameras whose folders ``lr`` and
``hr`` have like names. Each set is split in two: RealSR into Canon and Nikon, DRealSR by every second name. `match` gets the
LR images of one part, never their HR; the small network ``quick`` is trained with that recipe and judged on the other part,
beside the same network trained with bicubic shrinking only and with Real-ESRGAN's defaults. OUT gets a folder for each
training, which is continued where it was stopped, and ``open-loop.csv``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddrscope.degradations import DegradationRecipe
from ddrscope.images import find_images, read_image
from ddrscope.matching import match
from ddrscope.matching.presets import PRESETS
from ddrscope.metrics.image_quality import psnr_y, ssim_y
from ddrscope.networks import Network, load_network
from ddrscope.training import train
from ddrscope.training.perceptual import ShiftTolerantLpips
from ddrscope.upscaling import enlarge

SCALE, BORDER = 4, 4
# Chains that stand for Real-ESRGAN's defaults.
CHAINS = 2000
Pair = tuple[str, Path, Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    parts = dict(split(given.photos / "real"))
    recipes: dict[str, Path | None] = {"bicubic": None, "real-esrgan": _real_esrgan(given.out)}
    for name, pairs in parts.items():
        recipes[f"matched-{name}"] = _matched(given.out, name, pairs, given.hr)
    rows = []
    for seed in range(given.seeds):
        for recipe, path in recipes.items():
            network = _trained(given.out / f"{recipe}-{seed}", path, seed, given.steps, given.hr)
            for name in _judges(recipe, parts):
                rows += [
                    {"recipe": recipe.split("-")[0], "seed": seed, "part": name} | row
                    for row in judge(network, parts[name])
                ]
                print(recipe, seed, name, np.mean([row["psnr"] for row in rows[-len(parts[name]) :]]), flush=True)
    with (given.out / "open-loop.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def split(real: Path) -> Iterator[tuple[str, list[Pair]]]:
    """The four parts with their pairs of LR and HR images."""
    for camera in ("Canon", "Nikon"):
        yield (
            f"realsr_{camera.lower()}",
            _pairs(real / "realsr", lambda index, name, camera=camera: name.startswith(camera)),
        )
    for rest in (0, 1):
        yield f"drealsr_{rest}", _pairs(real / "drealsr", lambda index, name, rest=rest: index % 2 == rest)


def _pairs(folder: Path, keep: Any) -> list[Pair]:
    low = sorted(Path(file.path) for file in find_images([folder / "lr"]))
    high = sorted(Path(file.path) for file in find_images([folder / "hr"]))
    assert len(low) == len(high)
    return [
        (one.stem, one, two) for index, (one, two) in enumerate(zip(low, high, strict=True)) if keep(index, one.name)
    ]


def other_part(name: str) -> str:
    """The part that judges a recipe that was matched to this one."""
    return {
        "realsr_canon": "realsr_nikon", "realsr_nikon": "realsr_canon", "drealsr_0": "drealsr_1", "drealsr_1": "drealsr_0",
    }[name]  # fmt: skip


def _judges(recipe: str, parts: dict[str, list[Pair]]) -> list[str]:
    return [other_part(recipe.removeprefix("matched-"))] if recipe.startswith("matched-") else list(parts)


def _matched(out: Path, name: str, pairs: list[Pair], hr: Path) -> Path:
    folder = out / "recipes" / name
    result = match([low for _, low, _ in pairs], folder, hr=hr / "train", scale=SCALE, resume=True)
    print(name, result.verdict(), flush=True)
    return folder / "recipe.json"


def _real_esrgan(out: Path) -> Path:
    rng = np.random.default_rng(0)
    chains = tuple(PRESETS["Real-ESRGAN"](rng, SCALE) for _ in range(CHAINS))
    (out / "recipes").mkdir(parents=True, exist_ok=True)
    return DegradationRecipe(SCALE, chains, np.full(CHAINS, 1 / CHAINS), vary=0.0).save(
        out / "recipes" / "real-esrgan.json"
    )


def _trained(folder: Path, recipe: Path | None, seed: int, steps: int, hr: Path) -> Network:
    changes: dict[str, Any] = {"seed": seed, "pixel.steps": steps, "validate_every": steps}
    if recipe is not None:
        changes["degradation_recipe"] = str(recipe)
    train("quick", hr / "train", hr / "val", folder, changes=changes, threads=torch.get_num_threads())
    return load_network(folder / "pixel" / "weights.safetensors")


def judge(network: Network, pairs: list[Pair]) -> list[dict[str, Any]]:
    """PSNR and SSIM on Y, and LPIPS (ST-LPIPS, VGG-16), of each pair."""
    perceptual, rows = ShiftTolerantLpips("vgg"), []
    for name, low, high in pairs:
        made = enlarge(network, read_image(low).pixels).astype(np.float32) / np.float32(255)
        truth = read_image(high).pixels
        batches = [torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None] for image in (made, truth)]
        with torch.inference_mode():
            distance = float(perceptual(*batches))
        rows.append(
            {"image": name, "psnr": psnr_y(made, truth, BORDER), "ssim": ssim_y(made, truth, BORDER), "lpips": distance}
        )
    return rows


if __name__ == "__main__":
    main()
