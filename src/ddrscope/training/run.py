"""Training a network from photographs to the quality of its result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddrscope.features.device import resolve_device
from ddrscope.features.threads import torch_threads
from ddrscope.io.paths import expand_path
from ddrscope.progress import NullProgress, Progress
from ddrscope.results.training import StageResult
from ddrscope.training.photos import PhotoPairs
from ddrscope.training.progress import TrainingProgress
from ddrscope.training.recipe_files import make_recipe
from ddrscope.training.recipes import Recipe
from ddrscope.training.stages import Training, as_trained

if TYPE_CHECKING:
    import pandas as pd

Sources = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training.

    Attributes:
        out: Folder of the training.
        recipe: The recipe, with its precision resolved.
        stages: The stages in the order in which they ran.
        is_main_process: Whether this process wrote the files. With several devices, the others have no test results.
    """

    out: str
    recipe: Recipe
    stages: tuple[StageResult, ...]
    is_main_process: bool = True

    @property
    def weights(self) -> str:
        """File of the weights of the last stage, which `ddrscope.load_network` loads."""
        return self.stages[-1].weights

    def to_json(self) -> dict[str, Any]:
        """The machine-readable summary."""
        return {
            "recipe": dataclasses.asdict(self.recipe),
            "stages": {stage.name: stage.to_json() for stage in self.stages},
        }

    def to_frame(self) -> pd.DataFrame:
        """The quality on the test photographs: a row for each stage and photograph, with the columns of `Quality`."""
        import pandas as pd

        return pd.DataFrame(
            [{"stage": stage.name} | quality.to_json() for stage in self.stages for quality in stage.test or ()]
        )

    def log(self) -> pd.DataFrame:
        """The log of the training: a row for each validation, with the columns of ``log.csv`` and ``stage``."""
        import pandas as pd

        logs = [pd.read_csv(Path(self.out) / stage.name / "log.csv").assign(stage=stage.name) for stage in self.stages]
        return pd.concat(logs, ignore_index=True)

    def _repr_html_(self) -> str:
        return (self.to_frame() if self.stages[-1].test else self.log()).to_html(max_rows=20)


def train(
    recipe: str | Path | Recipe,
    images: Sources,
    val: Sources,
    out: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    test: Sources | None = None,
    keep_every: int = 0,
    device: str = "auto",
    threads: int = 0,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train an SRResNet on photographs, and an SRGAN from it.

    An interrupted training continues when it is started again with the same arguments, with bit-identical results.

    Args:
        recipe: A recipe, its name (a key of `ddrscope.training.RECIPES`), or a TOML file.
        images: Clean photographs to train on, see `ddrscope.images.find_images`.
        val: Clean photographs on which the quality in ``log.csv`` is measured.
        out: Folder of the training. It receives ``recipe.toml`` and a folder for each stage, ``pixel/`` and
            ``adversarial/``, each with ``checkpoint.pt``, ``log.csv``, ``tensorboard/``, ``previews/`` and
            ``weights.safetensors``.
        changes: Values that replace those of the recipe, by key; keys of stages are dotted, as ``pixel.steps``.
        test: Clean photographs on which the result is measured.
        keep_every: Keep the weights of every so many steps in ``snapshots/``; 0: of none.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps`` ... With several processes the
            launcher assigns devices.
        threads: Number of threads; 0: all.
        progress: Receives the steps of each stage.

    Returns:
        The weights of each stage, and their quality on the test photographs.

    Raises:
        InputError: The recipe is invalid, photographs are missing or too small, or ``out`` has files of another
            training.

    Examples:
        >>> result = ddrscope.train("pilot", "hr/train", "hr/val", "runs/pilot", changes={"adversarial.steps": 0})
        >>> network = ddrscope.load_network(result.weights)
    """
    recipe = make_recipe(recipe if isinstance(recipe, Recipe) else str(recipe), changes)
    with torch_threads(threads):
        photos = PhotoPairs(images, recipe.scale, recipe.patch)
        tests = as_trained(PhotoPairs(test, recipe.scale), recipe) if test else None
        training = Training(recipe, photos, PhotoPairs(val, recipe.scale), expand_path(out), resolve_device(device))
        with closing(training.devices):
            _run(training, keep_every, progress or NullProgress())
            is_main_process = training.devices.first
            stages = [
                StageResult(
                    stage.name, str(stage.weights), tuple(stage.test(tests)) if tests and is_main_process else None
                )
                for stage in training.stages
            ]
    return TrainingResult(str(training.out), training.recipe, tuple(stages), is_main_process)


def _run(training: Training, keep_every: int, progress: Progress) -> None:
    running = ""

    def report(step: TrainingProgress) -> None:
        nonlocal running
        if step.stage != running:
            running = step.stage
            progress.start(f"{running} stage", step.steps)
            progress.advance(step.step - 1)
        progress.advance()

    keep = {stage.name: range(0, stage.settings.steps + 1, keep_every) for stage in training.stages if keep_every}
    training.run(report, keep)
