"""The training loop of both stages: seeded and resumable at any step. Its result is a file of averaged weights."""

from __future__ import annotations

import dataclasses
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ddrscope.io.files import sha256, write_json
from ddrscope.io.paths import expand_path
from ddrscope.networks import save_network
from ddrscope.results.training import MEASURES, Quality
from ddrscope.training.checkpoints import load_checkpoint, load_start, load_weights, save_checkpoint
from ddrscope.training.devices import Devices
from ddrscope.training.guidance import build_network, calibrate, guide_margin, oracle_condition, without_margin
from ddrscope.training.logs import TrainingLog
from ddrscope.training.photos import Patches, PhotoPairs
from ddrscope.training.progress import TrainingProgress
from ddrscope.training.quality import Evaluator
from ddrscope.training.recipes import AdversarialStage, PixelStage, Recipe
from ddrscope.training.schedule import warmup_cosine

# During a training, the centre of this many LR pixels a side of each validation photograph is used, to save time.
VALIDATION_SIDE = 96
CHECKPOINT_EVERY = 250
CHECKPOINT = "checkpoint.pt"
# Steps, beyond those of any training, whose patches standardize the output of a guide.
_CALIBRATION_STEPS = range(10**9, 10**9 + 32)


class Stage(ABC):
    """A stage of a training in its folder: ``checkpoint.pt``, ``weights.safetensors``, the log, and ``quality.json``.

    A folder with a checkpoint of the same recipe is resumed, with bit-identical results. If only the weights are left,
    as on another machine, the stage continues from their step with a new optimizer. Files of another recipe raise
    `InputError`.

    Args:
        recipe: The recipe of the training.
        photos: The photographs to train on.
        evaluator: Measures the quality during the training.
        folder: Folder of the stage.
        devices: The processes of the training.
    """

    name: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    momentum: ClassVar[float] = 0.9

    def __init__(
        self, recipe: Recipe, photos: PhotoPairs, evaluator: Evaluator, folder: Path, devices: Devices
    ) -> None:
        self.recipe, self.photos, self.evaluator, self.folder, self.devices = recipe, photos, evaluator, folder, devices
        self.degradations = recipe.distributions()
        # Hashed here: the file may change during the training.
        path = recipe.degradation_recipe
        self._recipe_digest = sha256(expand_path(path)) if path else None
        devices.check_batch(recipe.batch)
        self.network = build_network(recipe).to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.margin = guide_margin(self.network, recipe)
        if recipe.start:
            load_start(self.network, recipe.start)
        calibrate(self.network, (devices.to_device(self._batch(step).small) for step in _CALIBRATION_STEPS))
        self.average = self._averaging()
        self.optimizer = self.adam(self.network.parameters(), self.settings.learning_rate)
        self.step = 0
        self.seconds = 0.0
        self.unlogged: list[dict[str, float]] = []

    @property
    @abstractmethod
    def settings(self) -> PixelStage | AdversarialStage:
        """The stage's part of the recipe."""

    @abstractmethod
    def train_step(self, large: Tensor, *inputs: Tensor) -> dict[str, float]:
        """Train one step.

        Args:
            large: HR patches in 0..1.
            *inputs: The inputs of the network: LR patches in 0..1, and possibly its condition.

        Returns:
            The `losses`.
        """

    def describe(self) -> dict[str, str]:
        """Further metadata of the file of weights."""
        return {}

    def state(self) -> dict[str, Any]:
        """What the checkpoint holds besides the position: all that the next step depends on."""
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    @property
    def result(self) -> nn.Module:
        """The network with averaged weights."""
        return self.average.module

    def save_weights(self) -> None:
        """Write the averaged weights in half precision, with which another machine can continue."""
        save_network(self.weights, self.result, self.metadata())

    def load_weights(self) -> None:
        """Continue from the step and the weights that `save_weights` wrote."""
        metadata = load_weights(self.weights, self.network, self._binding())
        self.step, self.seconds = int(metadata["steps"]), float(metadata["seconds"])
        self.average = self._averaging()

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file."""
        return self.folder / CHECKPOINT

    @property
    def weights(self) -> Path:
        """The file of averaged weights: those of the last checkpoint, at the end the result."""
        return self.folder / "weights.safetensors"

    def snapshot(self, step: int) -> Path:
        """The file of the weights of a kept step."""
        return self.folder / "snapshots" / f"step-{step:06d}.safetensors"

    def resume(self) -> None:
        """Continue from the checkpoint in the folder, else from the weights; start if there are neither."""
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
        report: Callable[[TrainingProgress], None],
        keep: Collection[int] = (),
        *,
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        """Train to the last step of the stage.

        Args:
            report: Called after each step.
            keep: Steps whose weights are kept in ``snapshots/``, without averaging: the average lags behind by about
                1 / (1 - ema_decay) steps.
            checkpoint_every: Steps between two checkpoints.

        Raises:
            OSError: A file cannot be written, as on a full disk. The last checkpoint is intact.
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
                error.errno, f"{error.strerror or error}: cannot write to {self.folder}; {kept}: free some space there and "
                "start the training again"
            ) from error  # fmt: skip

    def _run(self, report: Callable[[TrainingProgress], None], keep: Collection[int], checkpoint_every: int) -> None:
        log = TrainingLog(self.folder, self.columns, self.step) if self.devices.first else None
        start_time = time.monotonic() - self.seconds
        if self.step == 0 and 0 in keep:
            self._keep_snapshot()
        self.network.train()
        while self.step < self.settings.steps:
            self.unlogged.append(self._train_one_step())
            self.step += 1
            self.seconds = time.monotonic() - start_time
            report(TrainingProgress(self.name, self.step, self.settings.steps, self.unlogged[-1]["loss"]))
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
        """The metadata of the file of weights: architecture, residual, recipe, photographs, steps and seconds."""
        return {
            "architecture": type(self.network).__name__,
            "global_residual": json.dumps(self.recipe.global_residual),
            "recipe": json.dumps(dataclasses.asdict(self.recipe)),
            "photographs": json.dumps(self.photos.names),
            "steps": str(self.step),
            "seconds": str(round(self.seconds)),
        } | self.describe()

    def test(self, photos: PhotoPairs) -> list[Quality]:
        """Measure the quality of the averaged weights on whole photographs, and write it to ``quality.json``."""
        rows = self.evaluator.evaluate(self.result, photos)
        write_json(self.folder / "quality.json", [row.to_json() for row in rows])
        return rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the log besides ``step``."""
        return ("seconds", "learning_rate", *self.losses, *MEASURES)

    def learning_rate(self, highest: float, warmup: int) -> float:
        """The rate at this step, see `warmup_cosine`."""
        return warmup_cosine(self.step, self.settings.steps, highest, warmup)

    def adam(self, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
        """An Adam optimizer with this stage's ``momentum``."""
        return torch.optim.Adam(parameters, lr=rate, betas=(self.momentum, 0.99))

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
        """One step of an optimizer, with the norm of the gradient clipped at 1."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        group = optimizer.param_groups[0]
        group["lr"] = rate
        self.devices.average_gradients(group["params"])
        nn.utils.clip_grad_norm_(group["params"], 1.0)
        optimizer.step()

    def autocast(self) -> torch.autocast:
        """The context of a forward pass in the recipe's precision."""
        return torch.autocast(self.devices.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16")

    def _train_one_step(self) -> dict[str, float]:
        batch = self._batch(self.step)
        parts = (batch.large, batch.small, *oracle_condition(self.network, batch.pipelines))
        large, small, *condition = (self.devices.share(part) for part in parts)
        losses = self.train_step(large, *without_margin(self.network, small, self.margin), *condition)
        self.average.update_parameters(self.network)
        return losses

    def _batch(self, step: int) -> Patches:
        return self.photos.patches(
            step, self.recipe.seed, self.recipe.batch, self.recipe.patch, self.degradations, self.margin
        )

    def _validate(self, log: TrainingLog | None) -> None:
        means = self.devices.mean({key: float(np.mean([row[key] for row in self.unlogged])) for key in self.losses})
        if not log:
            return
        values = means | {"seconds": self.seconds, "learning_rate": self.optimizer.param_groups[0]["lr"]}
        rows = self.evaluator.validate(self.result, VALIDATION_SIDE)
        values |= {name: float(np.mean([getattr(row, name) for row in rows])) for name in MEASURES}
        log.write(self.step, values)
        log.preview(self.step, self.evaluator.previews(self.result, VALIDATION_SIDE))
        self.network.train()

    def _averaging(self) -> AveragedModel:
        return AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(self.recipe.ema_decay))

    def _keep_snapshot(self) -> None:
        if self.devices.first:
            save_network(self.snapshot(self.step), self.network, self.metadata())

    def _binding(self) -> dict[str, Any]:
        """The part of the recipe that this stage depends on: a pixel stage does not depend on the adversarial one."""
        settings = dataclasses.asdict(self.recipe)
        if self._recipe_digest:
            # What it says, wherever the file lies.
            settings["degradation_recipe"] = self._recipe_digest
        return (
            settings
            if self.name == "adversarial"
            else {key: value for key, value in settings.items() if key != "adversarial"}
        )

    def _save(self) -> None:
        state = {key: part.state_dict() for key, part in self.state().items()}
        position = {"step": self.step, "seconds": self.seconds, "unlogged": self.unlogged}
        # Before the checkpoint: a stage whose checkpoint is finished has its weights.
        self.save_weights()
        save_checkpoint(
            self.checkpoint, state | {"recipe": self._binding(), "photographs": self.photos.digests} | position
        )
