"""Train the bundled networks from start to end, on a GPU or a processor, in a given time.

    python scripts/train_networks.py HR OUT --minutes 600
    python scripts/train_networks.py HR OUT --minutes 10 --device cuda --batch 32

HR is what ``make photos`` makes, with folders ``train`` and ``val``. OUT gets a folder for each training, as `ddrscope train` makes it.
Before each training the step times of its stages are measured on this machine, and the steps are chosen so that all trainings
together take ``--minutes``; the recipe in each folder has them. Interrupted, the same command goes on with the steps that were chosen.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ddrscope.io.files import write_json
from ddrscope.training import PhotoPairs, Recipe, Training, TrainingProgress, make_recipe

# Name, recipe and the share of the time: two SRResNets with their SRGANs, two plain networks.
TRAININGS = {
    "wgr": ("compact", True, 0.45),
    "wogr": ("compact", False, 0.45),
    "quick-wgr": ("quick", True, 0.05),
    "quick-wogr": ("quick", False, 0.05),
}
# The part of a training's time that its pixel stage gets, where it has two.
PIXEL_SHARE = 0.6
WARM_UP, TIMED = 5, 20


class Enough(Exception):
    """Ends a training that is only timed."""


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    photos = PhotoPairs(arguments.hr / "train", 4)
    validation = PhotoPairs(arguments.hr / "val", 4)
    for name, (base, residual, share) in TRAININGS.items():
        if name not in arguments.only:
            continue
        out = arguments.out / name
        recipe = make_recipe(base, {"global_residual": residual, "batch": arguments.batch, "patch": arguments.patch})
        recipe = _fitted(recipe, photos, validation, out, 60 * arguments.minutes * share, arguments.device)
        print(f"{name}: {recipe.pixel.steps} pixel steps, {recipe.adversarial.steps} adversarial steps", flush=True)
        Training(recipe, photos, validation, out, arguments.device).run(_report(name))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path, help="folder with train/ and val/")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True, help="for all trainings together")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=8, help="patches a step; 32 suits a GPU (default: 8)")
    parser.add_argument("--patch", type=int, default=24, help="side of an LR patch in pixels (default: 24)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor threads (default: all)")
    parser.add_argument("--only", nargs="+", choices=TRAININGS, default=list(TRAININGS), help="train only these")
    return parser.parse_args()


def _fitted(
    recipe: Recipe, photos: PhotoPairs, validation: PhotoPairs, out: Path, seconds: float, device: str
) -> Recipe:
    """The recipe with as many steps as fit into ``seconds``; an interrupted training keeps its own."""
    steps_file = out / "steps.json"
    if not steps_file.exists():
        share = PIXEL_SHARE if recipe.adversarial.steps else 1
        chosen = {
            "pixel": _steps_in(seconds * share, _step_time(recipe, "pixel", photos, validation, device)),
            "adversarial": 0,
        }
        if recipe.adversarial.steps:
            step_time = _step_time(recipe, "adversarial", photos, validation, device)
            chosen["adversarial"] = _steps_in(seconds * (1 - share), step_time)
        out.mkdir(parents=True, exist_ok=True)
        write_json(steps_file, chosen)
    return _with_steps(recipe, **json.loads(steps_file.read_text()))


def _with_steps(recipe: Recipe, pixel: int, adversarial: int) -> Recipe:
    # LPIPS of the validation photographs costs a minute: once, at the end of a stage.
    every = max(pixel, adversarial)
    return dataclasses.replace(
        recipe,
        validate_every=every,
        pixel=dataclasses.replace(recipe.pixel, steps=pixel),
        adversarial=dataclasses.replace(recipe.adversarial, steps=adversarial),
    )


def _steps_in(seconds: float, step_time: float) -> int:
    return max(int(seconds / step_time), 1)


def _step_time(recipe: Recipe, stage: str, photos: PhotoPairs, validation: PhotoPairs, device: str) -> float:
    """Seconds per step of a stage: the mean of `TIMED` steps after `WARM_UP`."""
    times: list[float] = []

    def report(progress: TrainingProgress) -> None:
        if progress.stage == stage:
            times.append(time.monotonic())
            if len(times) > WARM_UP + TIMED:
                raise Enough

    timed = _with_steps(recipe, WARM_UP + TIMED + 2 if stage == "pixel" else 1, WARM_UP + TIMED + 2)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(timed, photos, validation, Path(folder), device)
        try:
            training.run(report) if stage == "pixel" else training.stages[1].run(report)
        except Enough:
            pass
    return (times[-1] - times[WARM_UP]) / TIMED


def _report(name: str) -> Callable[[TrainingProgress], None]:
    def report(progress: TrainingProgress) -> None:
        if progress.step % 200 == 0 or progress.step == progress.steps:
            print(f"{name} {progress.stage} {progress.step}/{progress.steps} loss {progress.loss:.4f}", flush=True)

    return report


if __name__ == "__main__":
    main()
