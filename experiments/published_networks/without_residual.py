"""Take the global residual out of a published network, fine-tune it, and measure its features again: an intervention by training.

    python -m experiments.published_networks.without_residual CHECKOUTS PHOTOS IMAGES OUT

PHOTOS is a folder of photographs for training, such as ``HR/train`` of ``make photos``; IMAGES is BSD100. The network is fine-tuned twice
with the same patches: once without its residual, and once as it is, the control. Weights go to ``OUT/weights``, and each measurement
appends its rows to ``OUT/without_residual.jsonl``; networks that have rows are skipped. The code of the checkout is run.

The rule, written on 2026-11-28 before the run, for each view: if a global residual is why the features follow the degradation, then
without it the degradation share of the last HR layer, after the last step, lies below that of the control with the whole interval, and is
at most half of it. It is not decided if the share falls by less, or if the network has not learned to do without: its PSNR-Y is not above
that of bicubic interpolation, or a residual is still measured. It does not hold if the share does not fall. Predicted by C2: it holds in
both views. Known before: the shares of the published network (63 % flattened, 62 % pooled).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from ddrscope.analysis.layer_choice import choose_layers
from ddrscope.images import find_images
from ddrscope.metrics.estimate import Estimate
from ddrscope.networks import Network
from ddrscope.study.settings import DEGRADATIONS
from ddrscope.training import PhotoPairs
from ddrscope.training.schedule import warmup_cosine
from experiments.published_networks.checkouts import run_without_gpu
from experiments.published_networks.run import CROP, describe, load, read_catalog
from experiments.published_networks.shares import append_rows, inputs_of, measured_layers, read_rows

NETWORK = "2024-11 QuickSRNetLarge"
# Whether the residual is taken out.
ARMS = {"without residual": True, "control": False}
STEPS, KEPT_STEPS = 3000, (0, 1000, 2000, 3000)
BATCH, PATCH, RATE, WARMUP, SEED = 8, 24, 5e-4, 100, 0
# Of the photographs for training every third is read.
EVERY = 3
# The share without the residual is at most so much of that of the control.
FALLEN = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("checkouts", "photos", "images", "out"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    run_without_gpu()
    (arguments.out / "weights").mkdir(parents=True, exist_ok=True)
    rows = arguments.out / "without_residual.jsonl"
    entry = next(entry for entry in read_catalog() if entry["name"] == NETWORK)
    for arm, taken_out in ARMS.items():
        network = load(entry, arguments.checkouts)
        if taken_out:
            take_out_residual(network.module)
        fine_tuned(network.module, arguments.photos, arguments.out / "weights", arm)
    for arm, taken_out in ARMS.items():
        for step in KEPT_STEPS:
            done = read_rows(rows)
            if len(done) and ((done.arm == arm) & (done.step == step)).any():
                continue
            network = load(entry, arguments.checkouts)
            if taken_out:
                take_out_residual(network.module)
            if step:
                network.module.load_state_dict(torch.load(weights_file(arguments.out / "weights", arm, step)))
            table = measured(network, str(arguments.images)).assign(arm=arm, step=step)
            append_rows(rows, table)
            print(table[table.control == ""].to_json(orient="records"), flush=True)


def take_out_residual(module: Any) -> None:
    """The network without the convolution that takes its input to the output; nothing else is changed."""
    if not getattr(module, "_use_ito_connection", False):
        raise ValueError("the module is no QuickSRNet with a connection from input to output")
    module._use_ito_connection = False
    del module.anchor


def weights_file(folder: Path, arm: str, step: int) -> Path:
    """Where the weights of an arm after a step are."""
    return folder / f"{arm.replace(' ', '-')}-{step}.pt"


def fine_tuned(module: nn.Module, photos: Path, folder: Path, arm: str) -> None:
    """Fine-tune a network, unless that is done, and keep its weights after some steps."""
    if weights_file(folder, arm, STEPS).exists():
        return
    files = [file.path for file in find_images(photos)][::EVERY]
    pairs = PhotoPairs(files, 4, PATCH)
    started = time.monotonic()

    def keep(step: int, loss: float) -> None:
        if step in KEPT_STEPS:
            torch.save(module.state_dict(), weights_file(folder, arm, step))
        if step % 100 == 0:
            print(f"{arm}, step {step}: loss {loss:.4f}, {time.monotonic() - started:.0f} s", flush=True)

    fine_tune(module, pairs, STEPS, keep)


def fine_tune(module: nn.Module, pairs: PhotoPairs, steps: int, report: Callable[[int, float], None]) -> None:
    """L1 loss, Adam, warm-up and half a cosine, bfloat16. The output is not clipped: a clipped one has no gradient.

    Args:
        module: The network, whose ``clip_output`` clips it; it is changed.
        pairs: The photographs.
        steps: Number of steps.
        report: Called after each step with its number, from 1, and the loss.
    """
    clip, module.clip_output = module.clip_output, nn.Identity()
    module.requires_grad_(True).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(module.parameters(), RATE, betas=(0.9, 0.99))
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = warmup_cosine(step, steps, RATE, WARMUP)
        batch = pairs.patches(step, SEED, BATCH, PATCH)
        with torch.autocast("cpu", torch.bfloat16):
            output = module(batch.small.contiguous(memory_format=torch.channels_last))
        loss = functional.l1_loss(output.float(), batch.large)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        report(step + 1, loss.item())
    module.clip_output = clip
    module.requires_grad_(False).eval()


def measured(network: Network, images: str) -> pd.DataFrame:
    """The shares at the last HR layer of a network, with its PSNR-Y, that of bicubic interpolation, and its residual."""
    inputs, settings = inputs_of(network, images, DEGRADATIONS, crop=CROP)
    shares, _ = measured_layers(network, choose_layers(network, (), inputs.sample()), inputs, settings)
    found = describe(network, [images])
    return shares.assign(**{name: found[name] for name in ("psnr", "psnr_bicubic", "residual")})


def share_falls(without: Estimate, control: Estimate, *, learned: bool) -> str:
    """The verdict of one view, from the shares after the last step.

    Args:
        without: Of the network without its residual.
        control: Of the network that was fine-tuned as it is.
        learned: Whether the first is above bicubic interpolation, and without a measured residual.
    """
    if not learned:
        return "not decided"
    if not control.is_above(without):
        return "does not hold"
    return "holds" if without.value <= FALLEN * control.value else "not decided"


if __name__ == "__main__":
    main()
