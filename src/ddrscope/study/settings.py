"""What the study is asked to do, and everything it trains and analyses, by name."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
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
# Six levels and more of each family; clean is each family's neutral level.
LEVELS = {
    "blur": (0.5, 1, 2, 3, 4, 6, 8),
    "noise": (5, 10, 15, 20, 30, 40),
    "jpeg": (90, 70, 50, 30, 20, 10),
}
# Steps at which the weights of a stage are kept, as fractions of its length: dense at first, where quality changes fast.
KEPT = (0, 0.0125, 0.025, 0.0375, 0.05, 0.0625, 0.075, 0.1, 0.125, 0.15, 0.1875, 0.25, 0.375, 0.5, 0.75, 1)
# Steps that are tried besides, with global residual, to find one as good as the network without it: there quality climbs 1 dB in 200 steps.
TRIED = tuple(number / 160 for number in range(8, 41))


@dataclass(frozen=True)
class StudySettings:
    """The options of `Study`. ``images``, ``val`` and ``test`` are folders of clean photographs; ``seeds`` counts trainings of each kind.

    ``recipe`` is what the seeds are trained by, with and without global residual. The analysed images are ``crops`` crops of ``crop`` HR
    pixels, which do not overlap, of each bundled and each test photograph, or of the first ``photos`` of them.
    """

    images: str
    val: str
    test: str
    recipe: str = "pilot"
    changes: tuple[str, ...] = ()
    seeds: int = 3
    crops: int = 4
    crop: int = 128
    photos: int | None = None
    tsne_seeds: int = 3
    photo_from: str = "prefix"

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"--seeds {self.seeds}: give 1 or more")
        object.__setattr__(self, "photo_from", check_photo_from(self.photo_from))
        if self.crops < 2:
            raise InputError(
                f"--crops {self.crops}: photographs can be told from degradations with 2 crops of each or more"
            )
        if not 1 <= self.tsne_seeds <= 20:
            raise InputError(f"--tsne-seeds {self.tsne_seeds} is out of range: give 1 to 20")
        if self.photos is not None and self.photos < 3:
            raise InputError(f"--photos {self.photos}: intervals need 3 photographs or more")

    def to_dict(self) -> dict[str, Any]:
        """The settings in plain types."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Job:
    """One training of the study: its name (``wgr-seed0``), recipe and folder."""

    name: str
    recipe: Recipe
    folder: Path

    @property
    def kind(self) -> str:
        """``wgr`` or ``wogr``: with or without global residual."""
        return KINDS[self.recipe.global_residual]

    def weights(self, stage: str) -> Path:
        """Where a stage's averaged weights come to lie; ``stage`` is ``pixel`` or ``adversarial``."""
        return self.folder / stage / "weights.safetensors"

    def network(self, stage: str) -> str:
        """The name of a stage's network in the results: ``srgan-wgr seed 0``."""
        return f"{'srresnet' if stage == 'pixel' else 'srgan'}-{self.kind} seed {self.recipe.seed}"

    def kept(self, stage: str) -> list[int]:
        """The steps at which the weights of a stage are kept."""
        steps = self.recipe.pixel.steps if stage == "pixel" else self.recipe.adversarial.steps
        return sorted({round(steps * fraction) for fraction in KEPT})

    def tried(self, stage: str) -> list[int]:
        """The steps rated only to match the quality of the network without global residual; one of them stays."""
        if stage != "pixel" or not self.recipe.global_residual:
            return []
        return sorted({round(self.recipe.pixel.steps * fraction) for fraction in TRIED} - {*self.kept(stage)})


def jobs(settings: StudySettings, changes: dict[str, Any], folder: Path) -> list[Job]:
    """The trainings of a study: each seed with and without global residual.

    Raises `InputError`, before anything is trained, for a recipe without an adversarial stage and for crops that its networks cannot take.
    """
    found = []
    for seed in range(settings.seeds):
        for residual, kind in KINDS.items():
            recipe = make_recipe(settings.recipe, changes | {"seed": seed, "global_residual": residual})
            if not recipe.adversarial.steps:
                raise InputError(
                    f"recipe {settings.recipe} has no adversarial stage: claim C3 needs adversarial.steps of 1 or more"
                )
            scales = math.lcm(BUNDLED_SCALE, recipe.scale)
            if settings.crop % scales:
                near = max(scales, round(settings.crop / scales) * scales)
                raise InputError(
                    f"--crop {settings.crop} is no multiple of the networks' scales ({scales}): give {near}"
                )
            found.append(Job(f"{kind}-seed{seed}", recipe, folder / f"{kind}-seed{seed}"))
    return found
