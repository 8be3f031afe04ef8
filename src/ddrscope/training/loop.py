"""The training loop: seeded, resumable at any step, its result a small file of averaged weights."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddrscope.errors import InputError
from ddrscope.networks import SRResNet, save_network
from ddrscope.store import atomic_write
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.quality import Quality, judge
from ddrscope.training.recipes import Recipe

LOG_COLUMNS = ("step", "seconds", "loss", "learning_rate", "psnr", "psnr_bicubic", "ssim", "ssim_bicubic")
# Validation pictures are cropped to so many LR pixels a side: a steady figure at a fraction of the time.
VALIDATION_SIDE = 96


@dataclass(frozen=True)
class Progress:
    """What the loop reports after a step: ``loss`` is the mean since the last report."""

    step: int
    steps: int
    loss: float


def build(recipe: Recipe) -> SRResNet:
    """The untrained network of a recipe, its weights drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return SRResNet(
        channels=recipe.channels, blocks=recipe.blocks, scale=recipe.scale, global_residual=recipe.global_residual
    )


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate at ``step``: linear warm-up, then half a cosine down to zero at the last step."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(recipe.steps - recipe.warmup_steps, 1)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


class Training:
    """One training in its folder ``out``: ``checkpoint.pt``, ``log.csv``, and at the end ``weights.safetensors``.

    The folder is resumed when it holds a checkpoint of the same recipe; another recipe's raises `InputError`.
    """

    def __init__(self, recipe: Recipe, photos: PhotoPairs, validation: PhotoPairs, out: Path) -> None:
        self.recipe, self.photos, self.validation, self.out = recipe, photos, validation, out
        self.network = build(recipe)
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99))
        self.step = 0
        self.seconds = 0.0
        out.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def run(self, report: Callable[[Progress], None], checkpoint_every: int = 250, validate_every: int = 500) -> None:
        """Train to the recipe's last step; ``report`` is called after each step."""
        losses: list[float] = []
        started = time.monotonic() - self.seconds
        self.network.train()
        while self.step < self.recipe.steps:
            losses.append(self._one_step())
            self.step += 1
            report(Progress(self.step, self.recipe.steps, losses[-1]))
            self.seconds = time.monotonic() - started
            if self.step % validate_every == 0 or self.step == self.recipe.steps:
                self._log(float(np.mean(losses)))
                losses.clear()
                self.network.train()
            if self.step % checkpoint_every == 0 or self.step == self.recipe.steps:
                self._save()
        save_network(self.out / "weights.safetensors", self.average.module, self.metadata())

    def metadata(self) -> dict[str, str]:
        """What the weights file says of itself: the graph, the residual, the recipe, the photographs, the time it took."""
        residual = "with" if self.recipe.global_residual else "without"
        return {
            "architecture": "SRResNet",
            "description": f"SRResNet x{self.recipe.scale} {residual} global residual, trained on clean pictures with a pixel loss",
            "global_residual": json.dumps(self.recipe.global_residual),
            "recipe": json.dumps(dataclasses.asdict(self.recipe)),
            "photographs": json.dumps(self.photos.names),
            "steps": str(self.step),
            "seconds": str(round(self.seconds)),
        }

    def judge(self, photos: PhotoPairs, largest: int | None = None) -> list[Quality]:
        """The quality of the averaged weights on ``photos``."""
        return judge(self.average.module, photos, largest)

    def _one_step(self) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        small, large = self.photos.patches(self.step, self.recipe.seed, self.recipe.batch, self.recipe.patch)
        self.optimizer.zero_grad(set_to_none=True)
        loss = functional.l1_loss(self.network(small), large)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        return loss.item()

    def _log(self, loss: float) -> None:
        rows = self.judge(self.validation, VALIDATION_SIDE)
        means = [float(np.mean([getattr(row, name) for row in rows])) for name in LOG_COLUMNS[4:]]
        rate = learning_rate(self.recipe, self.step - 1)
        row = [self.step, round(self.seconds, 1), f"{loss:.6f}", f"{rate:.3g}", *(f"{mean:.4f}" for mean in means)]
        log = self.out / "log.csv"
        new = not log.exists()
        with log.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(LOG_COLUMNS)
            writer.writerow(row)

    def _save(self) -> None:
        state = {
            "recipe": dataclasses.asdict(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with atomic_write(self.checkpoint) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        ours = dataclasses.asdict(self.recipe)
        differing = [key for key in ours if state["recipe"].get(key) != ours[key]]
        if differing:
            key = differing[0]
            raise InputError(
                f"{self.checkpoint} was begun with {key} = {state['recipe'].get(key)}, not {ours[key]}: "
                "give the same recipe or another --out"
            )
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
