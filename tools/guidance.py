"""Claim C8: does an SR network steered by the DDR of its input beat the same network without? Train both and their controls, and measure.

    python tools/guidance.py HR OUT [TRIED ...]

HR holds the folders of `tools/prepare_photos.py`: train and gallery to train on; test, snapshots and the bundled photographs to judge by.
OUT keeps the trainings, ``ARM-SEED/``, with what was measured of each (what is done is not done again), and receives ``images.csv``
(PSNR-Y and SSIM of each photograph, damage, arm and seed), ``sets.csv`` (means and differences for each damage), ``verdict.json``.

The arms: (a) plain, no guidance; (a2) enlarged, plain but as costly as (b) with its frozen trunk; (b) ddr; (c) untrained, guided by the
same trunk with weights drawn anew; (d) shuffled, (b) told the mean DDR of another image; (e) oracle, told the true damage. Averaged is
(b) told the mean of its own DDR, as in training patches: what (d) is compared with. TRIED names more: narrow, (b) whose guide sees the
bare patch in training; deep, (b) with a guide of sixteen blocks instead of eight.
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
from ddrscope.networks.checkpoints.weights import read_metadata
from ddrscope.training import PhotoPairs, Recipe, Training, make_recipe
from ddrscope.training.guidance import told
from ddrscope.training.recipes import MIXED_DEGRADATIONS

SEEDS = (0, 1, 2)
# 48 channels instead of 32 cost what 32 and 8 blocks of a trunk of 64 do: 2.2 MFLOP a pixel of the input.
ARMS: dict[str, dict[str, Any]] = {
    "plain": {"guidance": "none"},
    "enlarged": {"guidance": "none", "channels": 48},
    "ddr": {"guidance": "ddr"},
    "untrained": {"guidance": "untrained"},
    "oracle": {"guidance": "oracle"},
}
TRIED: dict[str, dict[str, Any]] = {
    "narrow": {"guidance": "ddr", "guide_margin": 0},
    "deep": {"guidance": "ddr", "guide_blocks": 16},
}
SETS = (
    "clean", "blur:1", "blur:2", "blur:3", "blur:4", "aniso_blur:3,1,30", "aniso_blur:5,0.5,-60", "noise:5", "noise:10", "noise:15",
    "noise:25", "jpeg:80", "jpeg:60", "jpeg:40", "blur:2+noise:10", "blur:3+noise:20", "noise:15+jpeg:50", "blur:2+noise:10+jpeg:60",
    "aniso_blur:4,1,45+noise:10+jpeg:60",
)  # fmt: skip
# HR pixels a side of the middle that is judged.
SIDE, SCALE = 256, 4
# A photograph and a damage.
Pair = tuple[str, str]


def main(hr: Path, out: Path, tried: list[str], seeds: tuple[int, ...] = SEEDS) -> None:
    # What the verdict needs first.
    tasks = [(arm, seed) for arms in (ARMS, tried) for seed in seeds for arm in arms]
    joblib.Parallel(joblib.cpu_count())(joblib.delayed(train)(arm, seed, hr, out) for arm, seed in tasks)
    judged = [("bicubic", 0), *tasks, *((arm, seed) for arm in ("averaged", "shuffled") for seed in seeds)]
    photos = held_out(unseen(hr))
    smalls = {
        (name, text): parse_degradation(text).apply(large, 0, SCALE) for text in SETS for name, large in photos.items()
    }
    parts = joblib.Parallel(joblib.cpu_count())(
        joblib.delayed(judge)(arm, seed, out, photos, smalls) for arm, seed in judged
    )
    table = pd.concat(parts)
    table.round(4).to_csv(out / "images.csv", index=False)
    summary(table).round(4).to_csv(out / "sets.csv", index=False)
    verdict = decide(table)
    write_json(out / "verdict.json", verdict)
    print(verdict)


def recipe(arm: str, seed: int) -> Recipe:
    changes = {"seed": seed, "degradations": MIXED_DEGRADATIONS, "precision": "bfloat16", "adversarial.steps": 0}
    return make_recipe("pilot", changes | (ARMS | TRIED)[arm])


def train(arm: str, seed: int, hr: Path, out: Path) -> None:
    torch.set_num_threads(1)
    chosen = recipe(arm, seed)
    weights = out / f"{arm}-{seed}" / "pixel" / "weights.safetensors"
    if weights.exists():
        if json.loads(read_metadata(weights)["recipe"]) != json.loads(json.dumps(dataclasses.asdict(chosen))):
            raise InputError(f"{weights} was trained by another recipe: move it away or give another OUT")
        return
    photos = PhotoPairs([hr / "train", hr / "gallery"], chosen.scale, chosen.patch)
    training = Training(chosen, photos, PhotoPairs(hr / "val", chosen.scale), out / f"{arm}-{seed}")
    training.run(lambda _: None)


def unseen(hr: Path) -> tuple[Path, ...]:
    """The folders of the photographs that nothing was trained on."""
    return hr / "test", hr / "snapshots", bundled_photos()


def held_out(folders: Iterable[Path]) -> dict[str, NDArray[np.float32]]:
    """The middle of each photograph, one crop of each bundled one."""
    found: dict[str, NDArray[np.float32]] = {}
    for folder in folders:
        for file in find_images([folder]):
            # Photographs of two folders may share a name.
            name = f"{folder.name}/{file.photo}"
            if name not in found:
                pixels = read_image(file).pixels
                side = min(SIDE, *pixels.shape[:2]) // SCALE * SCALE
                found[name] = center_crop(pixels, side)
    return found


def judge(
    arm: str, seed: int, out: Path, photos: dict[str, NDArray[np.float32]], smalls: dict[Pair, NDArray[np.float32]]
) -> pd.DataFrame:
    """PSNR-Y and SSIM of an arm on each photograph and damage, kept beside its training."""
    kept = (out if arm == "bicubic" else folder_of(arm, seed, out)) / f"{arm}.csv"
    if kept.exists():
        return pd.read_csv(kept)
    torch.set_num_threads(1)
    enlarge, rows = enlarger(arm, seed, out, smalls), []
    for photo, text in smalls:
        large = photos[photo]
        made = (np.rint(enlarge((photo, text)).clip(0, 1) * 255) / 255).astype(np.float32)
        measures = {"psnr": psnr_y(made, large, SCALE), "ssim": ssim_y(made, large, SCALE)}
        rows.append({"arm": arm, "seed": seed, "set": text, "photo": photo} | measures)
    table = pd.DataFrame(rows)
    with atomic_write(kept) as temporary:
        table.to_csv(temporary, index=False)
    return table


def enlarger(
    arm: str, seed: int, out: Path, smalls: dict[Pair, NDArray[np.float32]]
) -> Callable[[Pair], NDArray[np.float32]]:
    """What makes a large image of a small one, named by photograph and damage."""
    if arm == "bicubic":
        return lambda key: resize(smalls[key], tuple(SCALE * side for side in smalls[key].shape[:2]))
    network = trained(arm, seed, out)
    keys = list(smalls)
    other = dict(zip(keys, np.random.default_rng(seed).permutation(len(keys)), strict=True))

    @torch.inference_mode()
    def enlarge(key: Pair) -> NDArray[np.float32]:
        given = (as_batch(smalls[key]), *told(network, [parse_degradation(key[1])]))
        if arm in ("averaged", "shuffled"):
            assert isinstance(network, GuidedSRResNet)
            told_of = as_batch(smalls[key if arm == "averaged" else keys[other[key]]])
            given = (given[0], network.condition(told_of).mean((2, 3), keepdim=True))
        return network(*given)[0].permute(1, 2, 0).numpy()

    return enlarge


def folder_of(arm: str, seed: int, out: Path) -> Path:
    """Where an arm's training lies."""
    return out / f"{'ddr' if arm in ('averaged', 'shuffled') else arm}-{seed}"


def trained(arm: str, seed: int, out: Path) -> torch.nn.Module:
    weights = folder_of(arm, seed, out) / "pixel" / "weights.safetensors"
    if arm != "oracle":
        return load_network(weights).module
    # It has no guide, so it is no network that can be used: only this tool reads it.
    from safetensors.torch import load_file

    from ddrscope.training.guidance import build

    network = build(recipe(arm, seed))
    network.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
    return network.eval()


def as_batch(pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """For each damage and arm the mean PSNR-Y and SSIM, and how much more than plain, with 95 % over photographs and seeds."""
    rows = []
    sets = {text: [text] for text in SETS} | {"all damaged": [text for text in SETS if text != "clean"]}
    for name, texts in sets.items():
        for arm in dict.fromkeys(table["arm"]):
            chosen = table[(table["arm"] == arm) & table["set"].isin(texts)]
            row = {"set": name, "arm": arm, "psnr": chosen["psnr"].mean(), "ssim": chosen["ssim"].mean()}
            if arm not in ("plain", "bicubic"):
                row |= difference(table, arm, "plain", texts)
            rows.append(row)
    return pd.DataFrame(rows)


def difference(table: pd.DataFrame, one: str, other: str, texts: list[str], measure: str = "psnr") -> dict[str, float]:
    """Mean paired difference of two arms with its 95 % interval, and each seed's.

    Photographs and seeds are both samples: the variance of the mean by two-way random effects, degrees of freedom by Satterthwaite 1946.
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
    # The smallest it can be is what remains of one kind alone.
    variance = max(parts.sum(), parts[1], parts[0])
    freedom = variance**2 / (parts**2 / [seeds - 1, photos - 1, (seeds - 1) * (photos - 1)]).sum()
    reach = student_t.ppf(0.975, max(freedom, 1)) * np.sqrt(variance)
    said = {"difference": float(mean), "difference_low": float(mean - reach), "difference_high": float(mean + reach)}
    return said | {f"seed_{seed}": float(value) for seed, value in zip(wide.index.unique("seed"), by_seed, strict=True)}


def decide(table: pd.DataFrame) -> dict[str, Any]:
    """C8 holds if (b) - (a) lies above nought, and (b) above (c) and (d)."""
    damaged = [text for text in SETS if text != "clean"]
    pairs = {
        f"{one} - {other}": difference(table, one, other, damaged)
        for one, other in (
            ("ddr", "plain"), ("ddr", "untrained"), ("averaged", "shuffled"), ("oracle", "plain"), ("ddr", "enlarged"), ("ddr", "averaged"),
        )
    }  # fmt: skip
    holds = all(pairs[name]["difference_low"] > 0 for name in ("ddr - plain", "ddr - untrained", "averaged - shuffled"))
    return {
        "C8 holds": holds,
        "photographs": int(table["photo"].nunique()),
        "seeds": int(table[table["arm"] == "ddr"]["seed"].nunique()),
        "psnr, damaged": pairs,
        "psnr, clean": {"ddr - plain": difference(table, "ddr", "plain", ["clean"])},
        "ssim, damaged": {"ddr - plain": difference(table, "ddr", "plain", damaged, "ssim")},
        "recovered": recovered(pairs["ddr - plain"]["difference"], pairs["oracle - plain"]["difference"]),
    }


def recovered(gain: float, room: float) -> float | None:
    """The part of the oracle's gain that guidance has, where the oracle gains at all."""
    return gain / room if room > 0 else None


if __name__ == "__main__":
    if len(sys.argv) < 3 or set(sys.argv[3:]) - TRIED.keys():
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
