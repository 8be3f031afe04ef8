"""The settings of a study, and the names of everything that it trains and analyses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrscope.errors import InputError
from ddrscope.images import check_photo_from
from ddrscope.training import Recipe, make_recipe

KINDS = {True: "wgr", False: "wogr"}
BUNDLED = ("srresnet-wgr", "srresnet-wogr", "srgan-wgr", "srgan-wogr")
BUNDLED_SCALE = 4
CLASSIFIER = "efficientnet-lite0"
DEGRADATIONS = ("clean", "blur:4", "noise:20")
# At least six levels of each family; clean is the neutral level of each.
LEVELS = {
    "blur": (0.5, 1, 2, 3, 4, 6, 8),
    "noise": (5, 10, 15, 20, 30, 40),
    "jpeg": (90, 70, 50, 30, 20, 10),
}
# Steps at which the weights of a stage are kept, as fractions of its length: dense at first, where quality changes
# fast.
KEPT = (0, 0.0125, 0.025, 0.0375, 0.05, 0.0625, 0.075, 0.1, 0.125, 0.15, 0.1875, 0.25, 0.375, 0.5, 0.75, 1)
# Further steps of networks with global residual, one of which is kept to match the quality of the network without.
# Quality changes by 1 dB in 200 steps there.
TRIED = tuple(number / 160 for number in range(8, 41))


@dataclass(frozen=True)
class StudySettings:
    """The parameters of `ddrscope.run_study` that decide its result, checked; `run_study` documents them.

    Raises:
        InputError: A parameter is out of range.
    """

    images: str
    val: str
    test: str
    recipe: str = "pilot"
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    crops: int = 4
    crop: int = 128
    photos: int | None = None
    tsne_seeds: int = 3
    photo_from: str = "prefix"

    def __post_init__(self) -> None:
        object.__setattr__(self, "photo_from", check_photo_from(self.photo_from))
        if self.seeds < 1:
            raise InputError(f"`seeds`={self.seeds} is too small: give 1 or more")
        if self.crops < 2:
            raise InputError(
                f"`crops`={self.crops} is too small: the photograph share needs 2 or more crops of each photograph"
            )
        if not 1 <= self.tsne_seeds <= 20:
            raise InputError(f"`tsne_seeds`={self.tsne_seeds} is out of range: give 1 to 20")
        if self.photos is not None and self.photos < 3:
            raise InputError(f"`photos`={self.photos} is too small: intervals need 3 or more photographs")

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Job:
    """One training of a study.

    Args:
        name: Its name, such as ``wgr-seed0``.
        recipe: Its recipe.
        folder: Its folder.
    """

    name: str
    recipe: Recipe
    folder: Path

    @property
    def kind(self) -> str:
        """``wgr`` or ``wogr``: with or without global residual."""
        return KINDS[self.recipe.global_residual]

    def weights(self, stage: str) -> Path:
        """The file of the averaged weights of a stage, ``pixel`` or ``adversarial``."""
        return self.folder / stage / "weights.safetensors"

    def network(self, stage: str) -> str:
        """The name of a stage's network in the results, such as ``srgan-wgr seed 0``."""
        return f"{'srresnet' if stage == 'pixel' else 'srgan'}-{self.kind} seed {self.recipe.seed}"

    def kept_steps(self, stage: str) -> list[int]:
        """The steps at which the weights of a stage are kept."""
        steps = self.recipe.pixel.steps if stage == "pixel" else self.recipe.adversarial.steps
        return sorted({round(steps * fraction) for fraction in KEPT})

    def tried_steps(self, stage: str) -> list[int]:
        """Further steps, of which the one that matches the quality of the network without global residual is kept."""
        if stage != "pixel" or not self.recipe.global_residual:
            return []
        return sorted({round(self.recipe.pixel.steps * fraction) for fraction in TRIED} - {*self.kept_steps(stage)})


def make_jobs(settings: StudySettings, folder: Path) -> list[Job]:
    """The trainings of a study: each seed with and without global residual.

    Args:
        settings: The settings.
        folder: The folder of the trainings.

    Raises:
        InputError: The recipe is wrong or has no adversarial stage, or the networks cannot take the crops.
    """
    jobs = []
    for seed in range(settings.seeds):
        for residual, kind in KINDS.items():
            recipe = make_recipe(settings.recipe, {**settings.changes, "seed": seed, "global_residual": residual})
            if not recipe.adversarial.steps:
                raise InputError(
                    f"`recipe`={settings.recipe} has no adversarial stage: "
                    "claim C3 needs adversarial.steps of 1 or more"
                )
            scale = math.lcm(BUNDLED_SCALE, recipe.scale)
            if settings.crop % scale:
                nearest = max(scale, round(settings.crop / scale) * scale)
                raise InputError(
                    f"`crop`={settings.crop} is no multiple of the networks' scales ({scale}): give {nearest}"
                )
            jobs.append(Job(f"{kind}-seed{seed}", recipe, folder / f"{kind}-seed{seed}"))
    return jobs
