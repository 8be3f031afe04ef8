"""Does `match` find hidden recipes?

    python -m experiments.matching.closed_loop HR OUT.csv [--recipes 40] [--images 60] [--chains 1200] [--first 0]

HR has folders ``train``, ``bsd100`` and ``set14``. Each hidden recipe degrades photographs of one half of ``train``, which are
the real images; `match` gets the other half as clean photographs. Judged are tiles that the hidden recipe makes of one half of
``bsd100`` and ``set14``, beside tiles of the other half that the found recipe, bicubic shrinking, Real-ESRGAN's and BSRGAN's
defaults make. Rows are appended, and those that are there are not made again.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ddrscope.degradations import Degradation, DegradationChain, DegradationRecipe
from ddrscope.images import ImageFile, find_images, read_image
from ddrscope.matching import match
from ddrscope.matching.describing import TileDescriber
from ddrscope.matching.judging import Points, block_statistics, made_or_real
from ddrscope.matching.photographs import CleanPhotographs
from ddrscope.matching.presets import PRESETS
from ddrscope.matching.tiles import SIDE
from experiments.matching.hidden import SCALE, HiddenRecipe, hidden_recipes
from experiments.matching.probing import blur_width, noise_level, overlap

SEED = 20
# Tiles of each kind that are judged, of so many photographs, and images that ranges are measured with.
JUDGED, PHOTOGRAPHS, PROBES = 200, 50, 60
Applicable = HiddenRecipe | DegradationChain
# Of the quality: a range holds 90 % of what is drawn.
ENDS = (5, 95)
# Noise below this sigma, which rounding alone makes, counts as none.
NO_NOISE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipes", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--chains", type=int, default=1200)
    given = parser.parse_args()
    train = find_images([given.hr / "train"])
    test = find_images([given.hr / "bsd100", given.hr / "set14"])
    done = _numbers(given.out)
    for hidden in hidden_recipes(given.recipes, SEED)[given.first :]:
        if hidden.number not in done:
            row = judge(hidden, train, test, given.images, given.chains)
            _append(given.out, row)
            print(
                {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}, flush=True
            )


def judge(
    hidden: HiddenRecipe, train: list[ImageFile], test: list[ImageFile], images: int, chains: int
) -> dict[str, Any]:
    """Find a hidden recipe and measure what was found."""
    rng = np.random.default_rng([SEED, hidden.number])
    order = rng.permutation(len(train))
    real = [train[index] for index in order[: len(train) // 2]]
    clean = [train[index] for index in order[len(train) // 2 :]]
    with tempfile.TemporaryDirectory() as folder:
        _write_images(hidden, real, images, Path(folder), rng)
        started = time.monotonic()
        found = match(folder, hr=[str(file.path) for file in clean], chains=chains, seed=hidden.number)
        seconds = time.monotonic() - started
    row: dict[str, Any] = {"number": hidden.number, "foreign": int(hidden.foreign), "hidden": str(hidden)}
    row |= {"seconds": seconds, "images": found.images, "tiles": found.tiles}
    return row | _resemblances(hidden, found.recipe, test, rng) | _ranges(hidden, found.recipe, rng)


def _write_images(
    hidden: HiddenRecipe, files: list[ImageFile], count: int, folder: Path, rng: np.random.Generator
) -> None:
    """Real images of up to 192 LR pixels a side, one of each photograph."""
    written = 0
    for file in files:
        pixels = read_image(file).pixels
        height, width = (min(side, 192 * SCALE) // SCALE * SCALE for side in pixels.shape[:2])
        if min(height, width) < SIDE * SCALE or written == count:
            continue
        top, left = (
            int(rng.integers(whole - own + 1)) for whole, own in zip(pixels.shape, (height, width), strict=False)
        )
        made = hidden.apply(np.ascontiguousarray(pixels[top : top + height, left : left + width]), rng)
        Image.fromarray(np.rint(made * 255).astype(np.uint8)).save(folder / f"{written:04d}.png")
        written += 1


def _resemblances(
    hidden: HiddenRecipe, recipe: DegradationRecipe, test: list[ImageFile], rng: np.random.Generator
) -> dict[str, float]:
    """How often classifiers tell hidden tiles from those of each recipe, on photographs that nothing has seen."""
    describe, half = TileDescriber(), len(test) // 2
    order = rng.permutation(len(test))
    # Hidden tiles are of one half of the photographs, made ones of the other.
    parts = [
        CleanPhotographs([test[index] for index in rows[:PHOTOGRAPHS]], SCALE, hidden.number, [])
        for rows in (order[:half], order[half:])
    ]

    def points(draw: Callable[[], Applicable], photographs: CleanPhotographs) -> tuple[Points, Points]:
        makers = photographs.make_tiles(1)
        tiles = np.stack([next(makers)(draw(), rng) for _ in range(JUDGED)])  # type: ignore[arg-type]
        photos = np.array([photographs.names[index % len(photographs.names)] for index in range(JUDGED)])
        return Points(describe(tiles), photos), Points(block_statistics(tiles), photos)

    real = points(lambda: hidden, parts[0])
    draws: dict[str, Callable[[], Applicable]] = {"matched": lambda: recipe.sample(rng)}
    draws |= {name: partial(PRESETS[name], rng, SCALE) for name in PRESETS}
    result = {}
    for name, draw in draws.items():
        made = points(draw, parts[1])
        for view, own, other in zip(("network", "blocks"), made, real, strict=True):
            result[f"{name}_{view}"] = made_or_real(own, other).value
    return result


def _ranges(hidden: HiddenRecipe, recipe: DegradationRecipe, rng: np.random.Generator) -> dict[str, float]:
    """The ranges of blur width, noise and quality on both sides, and their overlap."""
    known, found = _Sample(), _Sample()
    for _ in range(PROBES):
        drawn = hidden.draw(rng)
        known.add(lambda pixels, rng: hidden.apply(pixels, rng), drawn["quality"], rng)
        chain = recipe.sample(rng)
        after = (step for step in chain.steps[chain.shrink :] if isinstance(step, Degradation))
        quality = [step.level for step in after if step.family == "jpeg"]
        found.add(chain.apply, quality[-1] if quality else None, rng)
    result: dict[str, float] = {}
    for name in ("blur", "noise"):
        truth, estimate = known.range(name), found.range(name)
        result |= {f"{name}_low": truth[0], f"{name}_high": truth[1]}
        result |= {f"{name}_found_low": estimate[0], f"{name}_found_high": estimate[1]}
        result[f"{name}_overlap"] = overlap(truth, estimate)
    result["quality"], result["quality_found"] = known.quality(), found.quality()
    return result


class _Sample:
    """What a number of draws of a recipe do to charts."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {"blur": [], "noise": []}
        self.qualities: list[float] = []

    def add(self, degrade: Any, quality: float | None, rng: np.random.Generator) -> None:
        self.values["blur"].append(blur_width(degrade, rng))
        self.values["noise"].append(noise_level(degrade, rng))
        self.qualities += [] if quality is None else [quality]

    def range(self, name: str) -> tuple[float, float]:
        low, high = np.percentile(self.values[name], ENDS)
        least = NO_NOISE if name == "noise" else 0
        return (float(low) if low > least else 0.0), (float(high) if high > least else 0.0)

    def quality(self) -> float:
        """The median quality; NaN if most images are not compressed."""
        return float(np.median(self.qualities)) if len(self.qualities) > PROBES / 2 else float("nan")


def _numbers(path: Path) -> set[int]:
    if not path.exists():
        return set()
    with path.open(newline="") as file:
        return {int(row["number"]) for row in csv.DictReader(file)}


def _append(path: Path, row: dict[str, Any]) -> None:
    begins = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if begins:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
