"""Which plain networks show deep degradation representations most strongly?

    python -m experiments.plain_networks.run HR OUT [--only NAME ...]

Trains small SR networks of different depth, activation, residual and initial weights for a few thousand steps. Each appends a line
to ``OUT/trials.jsonl``: PSNR-Y on the validation photographs, by which a design is chosen, and the degradation and content shares
at the last feature layer on the held-out photographs in ``HR/trial``. HR holds the folders of ``make photos``. Trials with a line are
not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.degradations import parse_degradation
from ddrscope.images import find_images, read_image
from ddrscope.metrics.design import Design
from ddrscope.metrics.image_quality import psnr_y
from ddrscope.metrics.variance_shares import variance_shares
from ddrscope.training import PhotoPairs

SCALE, SIDE = 4, 32
DEGRADATIONS = ("clean", "blur:4", "noise:20")
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
    "hardtanh": lambda: nn.Hardtanh(0, 1),
    "silu": nn.SiLU,
}


@dataclass(frozen=True)
class Trial:
    """One network and its training; ``identity`` adds the identity to the initial weights of every hidden convolution."""

    name: str
    depth: int = 5
    width: int = 32
    activation: str = "relu"
    residual: str = "nearest"
    identity: bool = False
    steps: int = 2500
    learning_rate: float = 1e-3
    batch: int = 8
    patch: int = 24
    seed: int = 0


TRIALS = (
    Trial("relu-nearest"),
    Trial("relu-none", residual="none"),
    Trial("hardtanh-nearest", activation="hardtanh"),
    Trial("leaky-nearest", activation="leaky_relu"),
    Trial("silu-nearest", activation="silu"),
    Trial("relu-bilinear", residual="bilinear"),
    Trial("relu-bilinear-depth3", residual="bilinear", depth=3),
    Trial("relu-bilinear-depth9", residual="bilinear", depth=9),
    Trial("relu-bilinear-depth12", residual="bilinear", depth=12),
    Trial("relu-bilinear-depth12-identity", residual="bilinear", depth=12, identity=True),
    Trial("relu-bilinear-width64", residual="bilinear", width=64),
    Trial("relu-bilinear-rate3", residual="bilinear", learning_rate=3e-3),
)


class TrialNetwork(nn.Module):
    """3x3 convolutions at LR size, one pixel shuffle, and the residual that the trial asks for."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.residual = trial.residual
        widths = [3] + [trial.width] * (trial.depth - 1)
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), ACTIVATIONS[trial.activation]()]
        self.features = nn.Sequential(*layers)
        self.last = nn.Conv2d(trial.width, 3 * SCALE**2, 3, padding=1)
        if trial.identity:
            for weight in (weight for name, weight in self.features.named_parameters() if name.endswith("weight")):
                weight.data.add_(nn.init.dirac_(torch.empty_like(weight)))

    def forward(self, x: Tensor) -> Tensor:
        output = functional.pixel_shuffle(self.last(self.features(x)), SCALE)
        if self.residual == "none":
            return output
        exact = {} if self.residual == "nearest" else {"align_corners": False}
        return output + functional.interpolate(x, scale_factor=SCALE, mode=self.residual, **exact)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder with train/, val/ and trial/")
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", choices=[trial.name for trial in TRIALS])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = arguments.out / "trials.jsonl"
    done = {json.loads(line)["name"] for line in results.read_text().splitlines()} if results.exists() else set()
    photos, validation = (PhotoPairs(arguments.hr / part, SCALE) for part in ("train", "val"))
    inputs, names = study_inputs(arguments.hr / "trial")
    for trial in TRIALS:
        if trial.name in done or (arguments.only and trial.name not in arguments.only):
            continue
        started = time.monotonic()
        network = train(trial, photos)
        row = asdict(trial) | {"psnr": psnr(network, validation), "seconds": round(time.monotonic() - started)}
        row |= shares(network, inputs, names)
        with results.open("a") as file:
            print(json.dumps(row), file=file)
        print(row, flush=True)


def train(trial: Trial, photos: PhotoPairs) -> TrialNetwork:
    """The trained network: L1 loss, Adam, a cosine schedule after 100 steps of warm-up, bfloat16."""
    torch.manual_seed(trial.seed)
    network = TrialNetwork(trial).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), trial.learning_rate, betas=(0.9, 0.99))
    for step in range(trial.steps):
        for group in optimizer.param_groups:
            group["lr"] = (
                trial.learning_rate * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / trial.steps))
            )
        batch = photos.patches(step, trial.seed, trial.batch, trial.patch)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(batch.small.contiguous(memory_format=torch.channels_last))
        loss = functional.l1_loss(output.float(), batch.large)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.eval()


@torch.inference_mode()
def psnr(network: TrialNetwork, validation: PhotoPairs, side: int = 96) -> float:
    """Mean PSNR-Y (dB) over the validation photographs, cropped to ``side`` LR pixels."""
    values = []
    for small, large in zip(validation.small, validation.large, strict=True):
        output = (
            network(torch.from_numpy(small[:side, :side]).permute(2, 0, 1)[None] / 255).clamp(0, 1)[0].permute(1, 2, 0)
        )
        truth = large[: side * SCALE, : side * SCALE] / np.float32(255)
        values.append(psnr_y((np.rint(output.numpy() * 255) / 255).astype(np.float32), truth, SCALE))
    return float(np.mean(values))


def study_inputs(folder: Path) -> tuple[Tensor, np.ndarray]:
    """The centre of each photograph under each degradation (photographs x degradations, 3, SIDE, SIDE), and the photographs' numbers."""
    rows = []
    files = find_images([folder])
    for file in files:
        pixels = read_image(file).pixels
        height, width = (length // SCALE * SCALE for length in pixels.shape[:2])
        for text in DEGRADATIONS:
            small = parse_degradation(text).apply(pixels[:height, :width], 0, SCALE)
            top, left = ((length - SIDE) // 2 for length in small.shape[:2])
            rows.append(small[top : top + SIDE, left : left + SIDE])
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2), np.repeat(np.arange(len(files)), len(DEGRADATIONS))


@torch.inference_mode()
def shares(network: TrialNetwork, inputs: Tensor, photographs: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """Degradation and content share with 95 % intervals, in percent, of flattened and of pooled features of the last layer."""
    features = torch.cat([network.features(part) for part in inputs.split(12)]).double()
    pooled = torch.cat([features.mean((2, 3)), features.std((2, 3))], 1)
    pooled = (pooled - pooled.mean(0)) / pooled.std(0).clamp_min(1e-12)
    groups = np.tile(np.arange(len(DEGRADATIONS)), len(inputs) // len(DEGRADATIONS))
    design = Design(photographs, photographs, groups)
    result = {}
    for view, matrix in (("flattened", features.flatten(1)), ("pooled", pooled)):
        centred = matrix - matrix.mean(0)
        gram = (centred @ centred.T).numpy()
        values = variance_shares(gram, design)
        result[view] = {
            key: [round(100 * value, 1) for value in (share.value, share.low, share.high)]
            for key, share in (("degradation", values.degradation), ("content", values.content))
        }
    return result


if __name__ == "__main__":
    main()
