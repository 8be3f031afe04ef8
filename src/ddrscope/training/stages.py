"""The two stages of a training, and the training that consists of them."""

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

from ddrscope.degradations import DegradationRecipe
from ddrscope.features.precision import resolve_precision
from ddrscope.io.files import atomic_write, remove_stale_temp_files
from ddrscope.io.locks import FolderLock
from ddrscope.networks.architectures.discriminator import PatchDiscriminator
from ddrscope.networks.checkpoints.safetensors_files import save_network
from ddrscope.training.checkpoints import load_checkpoint, load_weights
from ddrscope.training.devices import Devices
from ddrscope.training.loop import CHECKPOINT, CHECKPOINT_EVERY, Stage
from ddrscope.training.losses import discriminator_loss, generator_loss, r1_penalty
from ddrscope.training.perceptual import perceptual_network
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.progress import TrainingProgress
from ddrscope.training.quality import Evaluator
from ddrscope.training.recipe_files import as_toml
from ddrscope.training.recipes import AdversarialStage, PixelStage, Recipe


class Pixel(Stage):
    """The first stage, with the mean absolute difference of the pixels as loss."""

    name = "pixel"
    losses = ("loss",)

    @property
    def settings(self) -> PixelStage:
        return self.recipe.pixel

    def describe(self) -> dict[str, str]:
        return {"description": f"{self._network_name} x{self.recipe.scale} {_describe(self.recipe)} with a pixel loss"}

    @property
    def _network_name(self) -> str:
        return "Plain network" if self.recipe.architecture == "plain" else "SRResNet"

    def train_step(self, large: Tensor, *inputs: Tensor) -> dict[str, float]:
        with self.autocast():
            output = self.network(*inputs)
        loss = functional.l1_loss(output.float(), large)
        self.update(self.optimizer, loss, self.learning_rate(self.settings.learning_rate, self.settings.warmup_steps))
        return {"loss": loss.item()}


class Adversarial(Stage):
    """The second stage: pixel, perceptual and adversarial loss, with a discriminator that is trained alongside.

    The columns ``real`` and ``made`` of the log are the mean probabilities of being real that the discriminator gives
    to real and to generated patches.
    """

    name = "adversarial"
    # With more, the training of two opponents oscillates.
    momentum = 0.5
    losses = ("loss", "pixel_loss", "perceptual_loss", "adversarial_loss", "discriminator_loss", "real", "made")

    def __init__(
        self, recipe: Recipe, photos: PhotoPairs, evaluator: Evaluator, folder: Path, devices: Devices
    ) -> None:
        super().__init__(recipe, photos, evaluator, folder, devices)
        torch.manual_seed(recipe.seed)
        discriminator = PatchDiscriminator(
            self.settings.discriminator_channels, self.settings.regularization == "spectral_norm"
        )
        self.discriminator = discriminator.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator_optimizer = self.adam(
            self.discriminator.parameters(), self.settings.discriminator_learning_rate
        )
        self.perceptual = perceptual_network(self.settings.perceptual if self.settings.perceptual_weight else "none")
        if self.perceptual is not None:
            self.perceptual.to(devices.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def settings(self) -> AdversarialStage:
        return self.recipe.adversarial

    def describe(self) -> dict[str, str]:
        losses = f"pixel, perceptual ({self.settings.perceptual}) and {self.settings.loss} adversarial loss"
        return {"description": f"SRGAN x{self.recipe.scale} {_describe(self.recipe)} with {losses}"}

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "discriminator": self.discriminator,
            "opponent": self.discriminator_optimizer,
        }

    @property
    def discriminator_weights(self) -> Path:
        """The file of the discriminator's weights."""
        return self.folder / "discriminator.safetensors"

    def save_weights(self) -> None:
        super().save_weights()
        save_network(self.discriminator_weights, self.discriminator, {"recipe": json.dumps(self._binding())})

    def load_weights(self) -> None:
        super().load_weights()
        load_weights(self.discriminator_weights, self.discriminator, self._binding())

    def start_from(self, module: nn.Module) -> None:
        """Start with the weights of the pixel stage."""
        self.network.load_state_dict(module.state_dict())
        self.average = self._averaging()

    def train_step(self, large: Tensor, *inputs: Tensor) -> dict[str, float]:
        settings = self.settings
        with self.autocast():
            output = self.network(*inputs)
        output = output.float()
        real, loss_of_discriminator = self._train_discriminator(large, output.detach())
        self.discriminator.requires_grad_(False)
        with self.autocast():
            generated = self.discriminator(output)
            perceptual = self.perceptual(output, large).mean() if self.perceptual is not None else output.new_zeros(())
        pixel = functional.l1_loss(output, large)
        adversarial = generator_loss(settings.loss, real, generated.float())
        loss = (
            settings.pixel_weight * pixel
            + settings.perceptual_weight * perceptual
            + settings.adversarial_weight * adversarial
        )
        self.update(self.optimizer, loss, self.learning_rate(settings.learning_rate, settings.warmup_steps))
        certainties = real.sigmoid().mean(), generated.float().sigmoid().mean()
        values = (loss, pixel, perceptual, adversarial, loss_of_discriminator, *certainties)
        return {name: float(value.detach()) for name, value in zip(self.losses, values, strict=True)}

    def _train_discriminator(self, large: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
        """Train the discriminator one step; returns its logits of the real patches before the step, and its loss."""
        settings = self.settings
        self.discriminator.requires_grad_(True)
        is_penalized = settings.regularization == "r1" and settings.r1_weight > 0
        # Second derivatives need more precision than bfloat16 has.
        with torch.autocast(self.devices.device.type, enabled=False) if is_penalized else self.autocast():
            large = large.requires_grad_(is_penalized)
            real, fake = self.discriminator(torch.cat([large, generated])).float().chunk(2)
        loss = discriminator_loss(settings.loss, real, fake)
        total = loss + settings.r1_weight / 2 * r1_penalty(real, large) if is_penalized else loss
        self.update(self.discriminator_optimizer, total, self.learning_rate(settings.discriminator_learning_rate, 0))
        large.requires_grad_(False)
        return real.detach(), loss


class Training:
    """A training in its folder: ``recipe.toml``, and a folder for each stage, ``pixel/`` and ``adversarial/``.

    With the same recipe, an interrupted training continues. With another adversarial stage, that stage starts from the
    pixel stage in the folder. The precision ``auto`` is resolved once: a training continues in the precision in which
    it began.

    Args:
        recipe: The recipe.
        photos: The photographs to train on.
        validation: The photographs on which the quality is measured during the training.
        out: Folder of the training.
        device: Device of a single process.

    Raises:
        InputError: The folder has files of another training.
    """

    def __init__(
        self, recipe: Recipe, photos: PhotoPairs, validation: PhotoPairs, out: Path, device: str = "cpu"
    ) -> None:
        self.devices = Devices(device)
        self.recipe = with_resolved_precision(recipe, self.devices.device, out / "pixel" / CHECKPOINT)
        self.photos, self.out = photos, out
        self.evaluator = Evaluator(as_trained(validation, recipe))
        out.mkdir(parents=True, exist_ok=True)
        self.pixel = Pixel(self.recipe, photos, self.evaluator, out / "pixel", self.devices)
        self.pixel.resume()
        self.adversarial: Adversarial | None = None
        if self.recipe.adversarial.steps:
            self.adversarial = Adversarial(self.recipe, photos, self.evaluator, out / "adversarial", self.devices)
            self.adversarial.resume()

    @property
    def stages(self) -> list[Stage]:
        """The stages in the order in which they run."""
        return [self.pixel, *([self.adversarial] if self.adversarial else [])]

    def run(
        self,
        report: Callable[[TrainingProgress], None],
        keep: Mapping[str, Collection[int]] | None = None,
        *,
        checkpoint_every: int = CHECKPOINT_EVERY,
    ) -> None:
        """Run the remaining steps of all stages.

        Args:
            report: Called after each step.
            keep: The steps whose weights are kept, by stage; see `Stage.run`.
            checkpoint_every: Steps between two checkpoints.

        Raises:
            InputError: Another process trains in the folder.
            OSError: A file cannot be written, as on a full disk. The last checkpoint is intact.
        """
        keep = keep or {}
        with FolderLock(self.out) if self.devices.first else nullcontext():
            self._write_recipe()
            self.pixel.run(report, keep.get("pixel", ()), checkpoint_every=checkpoint_every)
            if self.adversarial:
                if self.adversarial.step == 0:
                    self.adversarial.start_from(self.pixel.result)
                self.adversarial.run(report, keep.get("adversarial", ()), checkpoint_every=checkpoint_every)

    def _write_recipe(self) -> None:
        if not self.devices.first:
            return
        path = self.out / "recipe.toml"
        remove_stale_temp_files([path, *(file for stage in self.stages for file in (stage.checkpoint, stage.weights))])
        with atomic_write(path) as temporary:
            temporary.write_text(as_toml(self.recipe), encoding="utf-8")
        for distribution in self.recipe.distributions():
            if isinstance(distribution, DegradationRecipe):
                # The file that the recipe names may be gone when somebody asks what this network was trained on.
                distribution.save(self.out / "degradation_recipe.json")


def with_resolved_precision(recipe: Recipe, device: torch.device, checkpoint: Path) -> Recipe:
    """The recipe with ``auto`` replaced by the precision of an earlier checkpoint, else by the faster precision."""
    if recipe.precision != "auto":
        return recipe
    if checkpoint.exists():
        # Measured again, a busy or another machine might decide otherwise, and the training would not continue.
        return dataclasses.replace(recipe, precision=load_checkpoint(checkpoint, {})["recipe"]["precision"])
    return dataclasses.replace(recipe, precision=resolve_precision(recipe.precision, device))


def as_trained(photos: PhotoPairs, recipe: Recipe) -> PhotoPairs:
    """The photographs with LR versions degraded as the recipe degrades its patches."""
    distributions = recipe.distributions()
    return photos.degraded(distributions) if distributions else photos


_GUIDANCE_TEXTS = {
    "none": "",
    "ddr": "steered by DDR, ",
    "untrained": "steered by an untrained trunk, ",
    "oracle": "given the true degradation of its input, ",
}


def _describe(recipe: Recipe) -> str:
    residual = f"{'with' if recipe.global_residual else 'without'} global residual"
    degradations = (
        " and ".join(recipe.degradations)
        if len(recipe.degradations) < 3
        else f"{len(recipe.degradations)} kinds of degradation"
    )
    if recipe.degradation_recipe:
        degradations = "a matched recipe of degradations"
    return f"{residual}, {_GUIDANCE_TEXTS[recipe.guidance]}trained on {degradations or 'clean images'}"
