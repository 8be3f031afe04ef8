"""Claim C8: does guidance by the DDR of its input improve an SR network? Train the network, its controls, and evaluate all of them.

    python -m experiments.guidance.run HR OUT [EXTRA ...]

HR holds the folders of `make photos`: train and gallery for training; test, snapshots and the bundled photographs for evaluation. OUT
keeps the trainings in ``ARM-SEED/`` with their measurements (finished ones are not repeated), and receives ``images.csv`` (PSNR-Y and
SSIM for each photograph, degradation, arm and seed), ``sets.csv`` (means and differences for each degradation) and ``verdict.json``.

Arms:

- (a) plain: no guidance.
- (a2) enlarged: no guidance, more channels, as costly as (b) with its frozen trunk.
- (b) ddr: guided by the DDR of the input.
- (c) untrained: guided by the same trunk with random weights.
- (d) shuffled: (b) given the mean DDR of another image.
- (e) oracle: given the true degradation.
- averaged: (b) given the mean of its own DDR, as for training patches; the baseline of (d).

EXTRA adds arms: narrow, (b) whose guide sees the patch without margin in training; deep, (b) with a guide of sixteen blocks, not eight.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import t as student_t
from torch import Tensor

from ddrscope.degradations import parse_degradation, resize
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, center_crop, find_images, read_image
from ddrscope.io.files import atomic_write, write_json
from ddrscope.metrics.image_quality import psnr_y, ssim_y
from ddrscope.networks import GuidedSRResNet, load_network
from ddrscope.networks.checkpoints.safetensors_files import read_metadata
from ddrscope.training import PhotoPairs, Recipe, Training, make_recipe
from ddrscope.training.guidance import oracle_condition
from ddrscope.training.recipes import MIXED_DEGRADATIONS

SEEDS = (0, 1, 2)
# 48 channels cost as much as 32 channels and a guide of 8 blocks with 64 channels: 2.2 MFLOP per input pixel.
ARMS: dict[str, dict[str, Any]] = {
    "plain": {"guidance": "none"},
    "enlarged": {"guidance": "none", "channels": 48},
    "ddr": {"guidance": "ddr"},
    "untrained": {"guidance": "untrained"},
    "oracle": {"guidance": "oracle"},
}
EXTRA: dict[str, dict[str, Any]] = {
    "narrow": {"guidance": "ddr", "guide_margin": 0},
    "deep": {"guidance": "ddr", "guide_blocks": 16},
}
SETS = (
    "clean", "blur:1", "blur:2", "blur:3", "blur:4", "aniso_blur:3,1,30", "aniso_blur:5,0.5,-60", "noise:5", "noise:10", "noise:15",
    "noise:25", "jpeg:80", "jpeg:60", "jpeg:40", "blur:2+noise:10", "blur:3+noise:20", "noise:15+jpeg:50", "blur:2+noise:10+jpeg:60",
    "aniso_blur:4,1,45+noise:10+jpeg:60",
)  # fmt: skip
# Side in HR pixels of the central crop that is evaluated.
SIDE, SCALE = 256, 4
# Name of a photograph, text of a degradation.
Input = tuple[str, str]


def main(hr: Path, out: Path, extra: list[str], seeds: tuple[int, ...] = SEEDS) -> None:
    # The arms of the verdict first.
    trainings = [(arm, seed) for arms in (ARMS, extra) for seed in seeds for arm in arms]
    joblib.Parallel(joblib.cpu_count())(joblib.delayed(train)(arm, seed, hr, out) for arm, seed in trainings)
    evaluated = [("bicubic", 0), *trainings, *((arm, seed) for arm in ("averaged", "shuffled") for seed in seeds)]
    photos = read_crops(test_folders(hr))
    inputs = {
        (name, text): parse_degradation(text).apply(large, 0, SCALE) for text in SETS for name, large in photos.items()
    }
    parts = joblib.Parallel(joblib.cpu_count())(
        joblib.delayed(evaluate)(arm, seed, out, photos, inputs) for arm, seed in evaluated
    )
    table = pd.concat(parts)
    table.round(4).to_csv(out / "images.csv", index=False)
    summary(table).round(4).to_csv(out / "sets.csv", index=False)
    verdict = decide(table)
    write_json(out / "verdict.json", verdict)
    print(verdict)


def recipe(arm: str, seed: int) -> Recipe:
    changes = {"seed": seed, "degradations": MIXED_DEGRADATIONS, "precision": "bfloat16", "adversarial.steps": 0}
    return make_recipe("pilot", changes | (ARMS | EXTRA)[arm])


def train(arm: str, seed: int, hr: Path, out: Path) -> None:
    torch.set_num_threads(1)
    chosen = recipe(arm, seed)
    weights = out / f"{arm}-{seed}" / "pixel" / "weights.safetensors"
    if weights.exists():
        if json.loads(read_metadata(weights)["recipe"]) != json.loads(json.dumps(dataclasses.asdict(chosen))):
            raise InputError(f"{weights} was trained with another recipe: move it away or give another OUT")
        return
    photos = PhotoPairs([hr / "train", hr / "gallery"], chosen.scale, chosen.patch)
    training = Training(chosen, photos, PhotoPairs(hr / "val", chosen.scale), out / f"{arm}-{seed}")
    training.run(lambda _: None)


def test_folders(hr: Path) -> tuple[Path, ...]:
    """The folders of the photographs that no network is trained on."""
    return hr / "test", hr / "snapshots", bundled_photos()


def read_crops(folders: Iterable[Path]) -> dict[str, NDArray[np.float32]]:
    """The central crop of each photograph, by name; of bundled photographs the first crop."""
    crops: dict[str, NDArray[np.float32]] = {}
    for folder in folders:
        for file in find_images([folder]):
            # Photographs of two folders may have the same name.
            name = f"{folder.name}/{file.photo}"
            if name not in crops:
                pixels = read_image(file).pixels
                side = min(SIDE, *pixels.shape[:2]) // SCALE * SCALE
                crops[name] = center_crop(pixels, side)
    return crops


def evaluate(
    arm: str, seed: int, out: Path, photos: dict[str, NDArray[np.float32]], inputs: dict[Input, NDArray[np.float32]]
) -> pd.DataFrame:
    """PSNR-Y and SSIM of an arm for each photograph and degradation, stored beside its training."""
    path = (out if arm == "bicubic" else training_folder(arm, seed, out)) / f"{arm}.csv"
    if path.exists():
        return pd.read_csv(path)
    torch.set_num_threads(1)
    upscale, rows = upscaler(arm, seed, out, inputs), []
    for photo, text in inputs:
        large = photos[photo]
        output = (np.rint(upscale((photo, text)).clip(0, 1) * 255) / 255).astype(np.float32)
        measures = {"psnr": psnr_y(output, large, SCALE), "ssim": ssim_y(output, large, SCALE)}
        rows.append({"arm": arm, "seed": seed, "set": text, "photo": photo} | measures)
    table = pd.DataFrame(rows)
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)
    return table


def upscaler(
    arm: str, seed: int, out: Path, inputs: dict[Input, NDArray[np.float32]]
) -> Callable[[Input], NDArray[np.float32]]:
    """A function that upscales one of ``inputs``, named by photograph and degradation."""
    if arm == "bicubic":
        return lambda key: resize(inputs[key], tuple(SCALE * side for side in inputs[key].shape[:2]))
    network = load_trained(arm, seed, out)
    keys = list(inputs)
    other = dict(zip(keys, np.random.default_rng(seed).permutation(len(keys)), strict=True))

    @torch.inference_mode()
    def upscale(key: Input) -> NDArray[np.float32]:
        arguments = (as_batch(inputs[key]), *oracle_condition(network, [parse_degradation(key[1])]))
        if arm in ("averaged", "shuffled"):
            assert isinstance(network, GuidedSRResNet)
            source = as_batch(inputs[key if arm == "averaged" else keys[other[key]]])
            arguments = (arguments[0], network.condition(source).mean((2, 3), keepdim=True))
        return network(*arguments)[0].permute(1, 2, 0).numpy()

    return upscale


def training_folder(arm: str, seed: int, out: Path) -> Path:
    """The folder of an arm's training."""
    return out / f"{'ddr' if arm in ('averaged', 'shuffled') else arm}-{seed}"


def load_trained(arm: str, seed: int, out: Path) -> torch.nn.Module:
    weights = training_folder(arm, seed, out) / "pixel" / "weights.safetensors"
    if arm != "oracle":
        return load_network(weights).module
    # Without a guide it needs the true degradation, so that load_network does not accept it.
    from safetensors.torch import load_file

    from ddrscope.training.guidance import build_network

    network = build_network(recipe(arm, seed))
    network.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    return network.eval()


def as_batch(pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean PSNR-Y and SSIM of each degradation and arm, and the difference to plain with its 95 % interval."""
    rows = []
    sets = {text: [text] for text in SETS} | {"all degraded": [text for text in SETS if text != "clean"]}
    for name, texts in sets.items():
        for arm in dict.fromkeys(table["arm"]):
            chosen = table[(table["arm"] == arm) & table["set"].isin(texts)]
            row = {"set": name, "arm": arm, "psnr": chosen["psnr"].mean(), "ssim": chosen["ssim"].mean()}
            if arm not in ("plain", "bicubic"):
                row |= difference(table, arm, "plain", texts)
            rows.append(row)
    return pd.DataFrame(rows)


def difference(table: pd.DataFrame, one: str, other: str, texts: list[str], measure: str = "psnr") -> dict[str, float]:
    """Mean paired difference of two arms with its 95 % interval, and the difference of each seed.

    Photographs and seeds are both random factors: variance of the mean by two-way random effects, degrees of freedom by Satterthwaite
    (1946).
    """
    wide = table[table["set"].isin(texts)].pivot_table(measure, ["seed", "photo"], "arm", aggfunc="mean")
    pairs = (wide[one] - wide[other]).unstack("photo").to_numpy()
    seeds, photos = pairs.shape
    mean, by_seed, by_photo = pairs.mean(), pairs.mean(1), pairs.mean(0)
    rest = pairs - by_seed[:, None] - by_photo[None] + mean
    squares = np.array(
        [by_seed.var(ddof=1) * photos, by_photo.var(ddof=1) * seeds, (rest**2).sum() / ((seeds - 1) * (photos - 1))]
    )
    parts = squares * [1, 1, -1] / pairs.size
    # Not less than the variance by one of the two factors alone.
    variance = max(parts.sum(), parts[1], parts[0])
    freedom = variance**2 / (parts**2 / [seeds - 1, photos - 1, (seeds - 1) * (photos - 1)]).sum()
    reach = student_t.ppf(0.975, max(freedom, 1)) * np.sqrt(variance)
    estimate = {
        "difference": float(mean),
        "difference_low": float(mean - reach),
        "difference_high": float(mean + reach),
    }
    return estimate | {
        f"seed_{seed}": float(value) for seed, value in zip(wide.index.unique("seed"), by_seed, strict=True)
    }


def decide(table: pd.DataFrame) -> dict[str, Any]:
    """Claim C8 holds if the intervals of (b) - (a), (b) - (c) and averaged - (d) lie above zero."""
    degraded = [text for text in SETS if text != "clean"]
    pairs = {
        f"{one} - {other}": difference(table, one, other, degraded)
        for one, other in (
            ("ddr", "plain"), ("ddr", "untrained"), ("averaged", "shuffled"), ("oracle", "plain"), ("ddr", "enlarged"), ("ddr", "averaged"),
        )
    }  # fmt: skip
    holds = all(pairs[name]["difference_low"] > 0 for name in ("ddr - plain", "ddr - untrained", "averaged - shuffled"))
    return {
        "C8 holds": holds,
        "photographs": int(table["photo"].nunique()),
        "seeds": int(table[table["arm"] == "ddr"]["seed"].nunique()),
        "psnr, degraded": pairs,
        "psnr, clean": {"ddr - plain": difference(table, "ddr", "plain", ["clean"])},
        "ssim, degraded": {"ddr - plain": difference(table, "ddr", "plain", degraded, "ssim")},
        "recovered": recovered(pairs["ddr - plain"]["difference"], pairs["oracle - plain"]["difference"]),
    }


def recovered(gain: float, oracle_gain: float) -> float | None:
    """The share of the oracle's gain that guidance reaches; None if the oracle gains nothing."""
    return gain / oracle_gain if oracle_gain > 0 else None


if __name__ == "__main__":
    if len(sys.argv) < 3 or set(sys.argv[3:]) - EXTRA.keys():
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
