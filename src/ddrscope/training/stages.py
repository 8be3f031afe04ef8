"""The two stages of a training, and the training that is made of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.features.precision import resolve_precision
from ddrscope.io.files import atomic_write, remove_stale_temp_files
from ddrscope.io.locks import FolderLock
from ddrscope.networks.architectures.discriminator import PatchDiscriminator
from ddrscope.networks.checkpoints.safetensors_files import save_network
from ddrscope.training.checkpoints import load_checkpoint, load_weights
from ddrscope.training.devices import Devices
from ddrscope.training.loop import CHECKPOINT, Progress, Stage
from ddrscope.training.losses import discriminator_loss, generator_loss, r1_penalty
from ddrscope.training.perceptual import perceptual_network
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.quality import Evaluator
from ddrscope.training.recipes import AdversarialStage, PixelStage, Recipe, as_toml


class Pixel(Stage):
    """The first stage: the mean absolute difference of the pixels."""

    name = "pixel"
    losses = ("loss",)

    @property
    def settings(self) -> PixelStage:
        return self.recipe.pixel

    def describe(self) -> dict[str, str]:
        return {"description": f"{self._network_name} x{self.recipe.scale} {_taught(self.recipe)} with a pixel loss"}

    @property
    def _network_name(self) -> str:
        return "Plain network" if self.recipe.architecture == "plain" else "SRResNet"

    def train_on(self, large: Tensor, *given: Tensor) -> dict[str, float]:
        with self.autocast():
            output = self.network(*given)
        loss = functional.l1_loss(output.float(), large)
        self.update(self.optimizer, loss, self.learning_rate(self.settings.learning_rate, self.settings.warmup_steps))
        return {"loss": loss.item()}


class Adversarial(Stage):
    """The second stage: pixel, perceptual and adversarial loss against a discriminator that learns alongside.

    ``real`` and ``made`` in the log are the shares of certainty the discriminator gives to real and to made patches as being real.
    """

    name = "adversarial"
    # Opponents that chase each other swing with more.
    momentum = 0.5
    losses = ("loss", "pixel_loss", "perceptual_loss", "adversarial_loss", "discriminator_loss", "real", "made")

    def __init__(self, recipe: Recipe, photos: PhotoPairs, judge: Evaluator, folder: Path, devices: Devices) -> None:
        super().__init__(recipe, photos, judge, folder, devices)
        torch.manual_seed(recipe.seed)
        discriminator = PatchDiscriminator(
            self.settings.discriminator_channels, self.settings.regularization == "spectral_norm"
        )
        self.discriminator = discriminator.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.opponent = self.adam(self.discriminator.parameters(), self.settings.discriminator_learning_rate)
        self.perceptual = perceptual_network(self.settings.perceptual if self.settings.perceptual_weight else "none")
        if self.perceptual is not None:
            self.perceptual.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def settings(self) -> AdversarialStage:
        return self.recipe.adversarial

    def describe(self) -> dict[str, str]:
        losses = f"pixel, perceptual ({self.settings.perceptual}) and {self.settings.loss} adversarial loss"
        return {"description": f"SRGAN x{self.recipe.scale} {_taught(self.recipe)} with {losses}"}

    def state(self) -> dict[str, Any]:
        return super().state() | {"discriminator": self.discriminator, "opponent": self.opponent}

    @property
    def opponent_weights(self) -> Path:
        """Where the discriminator's weights lie, beside the network's."""
        return self.folder / "discriminator.safetensors"

    def save_weights(self) -> None:
        super().save_weights()
        save_network(self.opponent_weights, self.discriminator, {"recipe": json.dumps(self._binding())})

    def load_weights(self) -> None:
        super().load_weights()
        load_weights(self.opponent_weights, self.discriminator, self._binding())

    def start_from(self, module: nn.Module) -> None:
        """Begin with the weights that the pixel stage made."""
        self.network.load_state_dict(module.state_dict())
        self.average = self._averaging()

    def train_on(self, large: Tensor, *given: Tensor) -> dict[str, float]:
        settings = self.settings
        with self.autocast():
            output = self.network(*given)
        output = output.float()
        real, opponent = self._teach_discriminator(large, output.detach())
        self.discriminator.requires_grad_(False)
        with self.autocast():
            made = self.discriminator(output)
            perceptual = self.perceptual(output, large).mean() if self.perceptual is not None else output.new_zeros(())
        pixel = functional.l1_loss(output, large)
        adversarial = generator_loss(settings.loss, real, made.float())
        loss = (
            settings.pixel_weight * pixel
            + settings.perceptual_weight * perceptual
            + settings.adversarial_weight * adversarial
        )
        self.update(self.optimizer, loss, self.learning_rate(settings.learning_rate, settings.warmup_steps))
        values = (loss, pixel, perceptual, adversarial, opponent, real.sigmoid().mean(), made.float().sigmoid().mean())
        return {name: float(value.detach()) for name, value in zip(self.losses, values, strict=True)}

    def _teach_discriminator(self, large: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the discriminator; returns its logits at the real patches, before the step, and its loss."""
        settings = self.settings
        self.discriminator.requires_grad_(True)
        penalized = settings.regularization == "r1" and settings.r1_weight > 0
        # A slope of a slope is too fine a thing for bfloat16.
        with torch.autocast(self.devices.device.type, enabled=False) if penalized else self.autocast():
            large = large.requires_grad_(penalized)
            real, fake = self.discriminator(torch.cat([large, made])).float().chunk(2)
        loss = discriminator_loss(settings.loss, real, fake)
        total = loss + settings.r1_weight / 2 * r1_penalty(real, large) if penalized else loss
        self.update(self.opponent, total, self.learning_rate(settings.discriminator_learning_rate, 0))
        large.requires_grad_(False)
        return real.detach(), loss


class Training:
    """A whole training in its folder ``out``: ``recipe.toml``, and a folder for each stage, ``pixel/`` and ``adversarial/``.

    Interrupted and given the same recipe again it goes on where it was. A recipe with another adversarial stage starts that
    from the pixel stage that is there. The precision ``auto`` is settled here, once: what was begun goes on in the same.
    """

    def __init__(
        self, recipe: Recipe, photos: PhotoPairs, validation: PhotoPairs, out: Path, device: str = "cpu"
    ) -> None:
        self.devices = Devices(device)
        self.recipe, self.photos, self.out = (
            with_resolved_precision(recipe, self.devices.device, out / "pixel" / CHECKPOINT),
            photos,
            out,
        )
        self.judge = Evaluator(as_trained(validation, recipe))
        out.mkdir(parents=True, exist_ok=True)
        self.pixel = Pixel(self.recipe, photos, self.judge, out / "pixel", self.devices)
        self.pixel.resume()
        self.adversarial: Adversarial | None = None
        if self.recipe.adversarial.steps:
            self.adversarial = Adversarial(self.recipe, photos, self.judge, out / "adversarial", self.devices)
            self.adversarial.resume()

    @property
    def stages(self) -> list[Stage]:
        """The stages in the order in which they are run."""
        return [self.pixel, *([self.adversarial] if self.adversarial else [])]

    def run(
        self, report: Callable[[Progress], None], keep: Mapping[str, Collection[int]] | None = None, **every: int
    ) -> None:
        """Run what is left of the stages; ``keep`` gives the steps to keep by stage; it and ``every`` are as in `Stage.run`.

        Raises `InputError` where another process trains in the folder.
        """
        with FolderLock(self.out) if self.devices.first else nullcontext():
            self._run(report, keep or {}, every)

    def _run(
        self, report: Callable[[Progress], None], keep: Mapping[str, Collection[int]], every: Mapping[str, int]
    ) -> None:
        if self.devices.first:
            files = [path for stage in self.stages for path in (stage.checkpoint, stage.weights)]
            remove_stale_temp_files([self.out / "recipe.toml", *files])
            with atomic_write(self.out / "recipe.toml") as temporary:
                temporary.write_text(as_toml(self.recipe), encoding="utf-8")
        self.pixel.run(report, keep.get("pixel", ()), **every)
        if self.adversarial:
            if self.adversarial.step == 0:
                self.adversarial.start_from(self.pixel.result)
            self.adversarial.run(report, keep.get("adversarial", ()), **every)


def with_resolved_precision(recipe: Recipe, device: torch.device, begun: Path) -> Recipe:
    """The recipe with ``auto`` replaced by the precision of the checkpoint ``begun``, or, without one, by what is faster on the device."""
    if recipe.precision != "auto":
        return recipe
    if begun.exists():
        # Timed anew, a busy or another machine might settle it otherwise, and the training would not go on.
        return dataclasses.replace(recipe, precision=load_checkpoint(begun, {})["recipe"]["precision"])
    return dataclasses.replace(recipe, precision=resolve_precision(recipe.precision, device))


def as_trained(photos: PhotoPairs, recipe: Recipe) -> PhotoPairs:
    """The photographs with small images such as the recipe trains on."""
    return photos.degraded(recipe.drawn()) if recipe.degradations else photos


STEERED = {
    "none": "",
    "ddr": "steered by DDR, ",
    "untrained": "steered by an untrained trunk, ",
    "oracle": "told the degradation of its input, ",
}


def _taught(recipe: Recipe) -> str:
    residual = f"{'with' if recipe.global_residual else 'without'} global residual"
    degradations = (
        " and ".join(recipe.degradations)
        if len(recipe.degradations) < 3
        else f"{len(recipe.degradations)} kinds of degradation"
    )
    return f"{residual}, {STEERED[recipe.guidance]}trained on {degradations or 'clean images'}"
