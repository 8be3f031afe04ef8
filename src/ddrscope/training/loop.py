"""The training loop that both stages share: seeded, resumable at any step, its result a small file of averaged weights."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddrscope.io.files import write_json
from ddrscope.networks import save_network
from ddrscope.training.checkpoints import load_checkpoint, load_start, load_weights, save_checkpoint
from ddrscope.training.devices import Devices
from ddrscope.training.guidance import build, calibrate, margin_shown, told, without_margin
from ddrscope.training.logs import Log
from ddrscope.training.photos import Patches, PhotoPairs
from ddrscope.training.quality import MEASURES, Evaluator, Quality
from ddrscope.training.recipes import AdversarialStage, PixelStage, Recipe

# Validation images are cropped to so many LR pixels a side: a steady figure at a fraction of the time.
VALIDATION_SIDE = 96
CHECKPOINT_EVERY = 250
CHECKPOINT = "checkpoint.pt"
# Beyond the steps of any training: the patches that a guide's statistics are standardized by.
CALIBRATION_STEPS = range(10**9, 10**9 + 32)


@dataclass(frozen=True)
class Progress:
    """What the loop reports after a step of a stage; ``loss`` is this step's."""

    stage: str
    step: int
    steps: int
    loss: float


class Stage(ABC):
    """One stage of a training in its folder: ``checkpoint.pt``, ``weights.safetensors``, the log, and at the end ``quality.json``.

    The folder is resumed when it holds a checkpoint of the same recipe, to the bit. Where only the weights are left, as on another machine,
    the stage goes on from their step with an optimizer that begins anew. Files of another recipe raise `InputError`.
    """

    name: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    momentum: ClassVar[float] = 0.9

    def __init__(self, recipe: Recipe, photos: PhotoPairs, judge: Evaluator, folder: Path, devices: Devices) -> None:
        self.recipe, self.photos, self.judge, self.folder, self.devices = recipe, photos, judge, folder, devices
        self.degradations = recipe.drawn()
        devices.check_batch(recipe.batch)
        self.network = build(recipe).to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.margin = margin_shown(self.network, recipe)
        if recipe.start:
            load_start(self.network, recipe.start)
        calibrate(self.network, (devices.to_device(self._batch(step).small) for step in CALIBRATION_STEPS))
        self.average = self._averaging()
        self.optimizer = self.adam(self.network.parameters(), self.settings.learning_rate)
        self.step = 0
        self.seconds = 0.0
        self.unlogged: list[dict[str, float]] = []

    @property
    @abstractmethod
    def settings(self) -> PixelStage | AdversarialStage:
        """The stage's own part of the recipe."""

    @abstractmethod
    def train_on(self, large: Tensor, *given: Tensor) -> dict[str, float]:
        """One step towards ``large`` from what the network is given: the small images, and perhaps what it is told of them; in 0..1.

        Returns the `losses`.
        """

    def describe(self) -> dict[str, str]:
        """What the weights file says of this stage."""
        return {}

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    @property
    def result(self) -> nn.Module:
        """The network this stage makes: the averaged weights."""
        return self.average.module

    def save_weights(self) -> None:
        """Write what another machine needs to go on: here the averaged weights, in half precision."""
        save_network(self.weights, self.result, self.metadata())

    def load_weights(self) -> None:
        """Take up the step and weights that `save_weights` wrote."""
        metadata = load_weights(self.weights, self.network, self._binding())
        self.step, self.seconds = int(metadata["steps"]), float(metadata["seconds"])
        self.average = self._averaging()

    @property
    def checkpoint(self) -> Path:
        """Where everything lies that the next step depends on."""
        return self.folder / CHECKPOINT

    @property
    def weights(self) -> Path:
        """Where the averaged weights lie: those of the last checkpoint, at the end the result."""
        return self.folder / "weights.safetensors"

    def snapshot(self, step: int) -> Path:
        """Where the weights of a kept step lie."""
        return self.folder / "snapshots" / f"step-{step:06d}.safetensors"

    def resume(self) -> None:
        """Take up where the folder's checkpoint was written, or, without one, its weights; begin anew where there are neither."""
        if not self.checkpoint.exists():
            if self.weights.exists():
                self.load_weights()
            return
        state = load_checkpoint(self.checkpoint, self._binding(), self.photos.digests)
        for key, part in self.state().items():
            part.load_state_dict(state[key])
        self.step, self.seconds, self.unlogged = state["step"], state["seconds"], state["unlogged"]

    def run(
        self,
        report: Callable[[Progress], None],
        keep: Collection[int] = (),
        *,
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        """Train to the stage's last step; ``report`` is called after each.

        At the steps in ``keep`` the weights are kept in ``snapshots/`` as they stand: the average lags behind by 1/(1 - decay) steps.
        """
        if self.step == self.settings.steps and self.weights.exists():
            return
        try:
            self._run(report, keep, checkpoint_every)
        except OSError as error:
            kept = (
                f"the last checkpoint is intact at {self.checkpoint}"
                if self.checkpoint.exists()
                else "there is no checkpoint yet"
            )
            raise OSError(
                error.errno, f"{error.strerror or error}: nothing more could be written to {self.folder}; {kept}: make room there and "
                "give the same command again"
            ) from error  # fmt: skip

    def _run(self, report: Callable[[Progress], None], keep: Collection[int], checkpoint_every: int) -> None:
        log = Log(self.folder, self.columns, self.step) if self.devices.first else None
        started = time.monotonic() - self.seconds
        if self.step == 0 and 0 in keep:
            self._keep_snapshot()
        self.network.train()
        while self.step < self.settings.steps:
            self.unlogged.append(self._one_step())
            self.step += 1
            self.seconds = time.monotonic() - started
            report(Progress(self.name, self.step, self.settings.steps, self.unlogged[-1]["loss"]))
            last = self.step == self.settings.steps
            if self.step in keep:
                self._keep_snapshot()
            if self.step % self.recipe.validate_every == 0 or last:
                self._validate(log)
                self.unlogged.clear()
            if (self.step % checkpoint_every == 0 or last) and self.devices.first:
                self._save()
        if log:
            log.close()
        self.devices.wait()

    def metadata(self) -> dict[str, str]:
        """What the weights file says of itself: the graph, the residual, the recipe, the photographs, the time it took."""
        return {
            "architecture": type(self.network).__name__,
            "global_residual": json.dumps(self.recipe.global_residual),
            "recipe": json.dumps(dataclasses.asdict(self.recipe)),
            "photographs": json.dumps(self.photos.names),
            "steps": str(self.step),
            "seconds": str(round(self.seconds)),
        } | self.describe()

    def test(self, photos: PhotoPairs) -> list[Quality]:
        """The quality of the averaged weights on whole ``photos``, also written to ``quality.json``."""
        rows = self.judge.rate(self.result, photos)
        write_json(self.folder / "quality.json", [dataclasses.asdict(row) for row in rows])
        return rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the log after the step."""
        return ("seconds", "learning_rate", *self.losses, *MEASURES)

    def learning_rate(self, highest: float, warmup: int) -> float:
        """The rate at this step: linear over ``warmup`` steps to ``highest``, then half a cosine down to zero at the last step."""
        steps = self.settings.steps
        if self.step < warmup:
            return highest * (self.step + 1) / warmup
        return highest * 0.5 * (1 + math.cos(math.pi * (self.step - warmup) / max(steps - warmup, 1)))

    def adam(self, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
        """An optimizer with this stage's ``momentum``."""
        return torch.optim.Adam(parameters, lr=rate, betas=(self.momentum, 0.99))

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
        """One step of an optimizer down the slope of ``loss``, its length cut at 1."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        group = optimizer.param_groups[0]
        group["lr"] = rate
        self.devices.average_gradients(group["params"])
        nn.utils.clip_grad_norm_(group["params"], 1.0)
        optimizer.step()

    def autocast(self) -> torch.autocast:
        """The context of a forward pass, in the recipe's precision."""
        return torch.autocast(self.devices.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _one_step(self) -> dict[str, float]:
        batch = self._batch(self.step)
        parts = (batch.large, batch.small, *told(self.network, batch.pipelines))
        large, around, *truth = (self.devices.share(part) for part in parts)
        losses = self.train_on(large, *without_margin(self.network, around, self.margin), *truth)
        self.average.update_parameters(self.network)
        return losses

    def _batch(self, step: int) -> Patches:
        return self.photos.patches(
            step, self.recipe.seed, self.recipe.batch, self.recipe.patch, self.degradations, self.margin
        )

    def _validate(self, log: Log | None) -> None:
        means = self.devices.mean({key: float(np.mean([row[key] for row in self.unlogged])) for key in self.losses})
        if not log:
            return
        values = means | {"seconds": self.seconds, "learning_rate": self.optimizer.param_groups[0]["lr"]}
        rows = self.judge.validate(self.result, VALIDATION_SIDE)
        values |= {name: float(np.mean([getattr(row, name) for row in rows])) for name in MEASURES}
        log.write(self.step, values)
        log.preview(self.step, self.judge.previews(self.result, VALIDATION_SIDE))
        self.network.train()

    def _averaging(self) -> AveragedModel:
        return AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(self.recipe.ema_decay))

    def _keep_snapshot(self) -> None:
        if self.devices.first:
            save_network(self.snapshot(self.step), self.network, self.metadata())

    def _binding(self) -> dict[str, Any]:
        """The part of the recipe that this stage depends on: a pixel stage serves any adversarial one."""
        settings = dataclasses.asdict(self.recipe)
        return (
            settings
            if self.name == "adversarial"
            else {key: value for key, value in settings.items() if key != "adversarial"}
        )

    def _save(self) -> None:
        state = {key: part.state_dict() for key, part in self.state().items()}
        place = {"step": self.step, "seconds": self.seconds, "unlogged": self.unlogged}
        # First: a stage whose checkpoint says that it is finished has its weights.
        self.save_weights()
        save_checkpoint(
            self.checkpoint, state | {"recipe": self._binding(), "photographs": self.photos.digests} | place
        )
