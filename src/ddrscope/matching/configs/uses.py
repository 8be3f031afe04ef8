"""What a recipe does, one family of degradations at a time, as programs with fixed steps need it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ddrscope.degradations import Degradation
from ddrscope.degradations.chains import DegradationChain, Resizing
from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.degradations.recipe_steps import ENDS, Place, Role, Spread, role_of, weighted_quantiles
from ddrscope.degradations.registry import find_family
from ddrscope.matching.configs.common import INDEPENDENT, UNIFORM, WHERE, percent

# Shares of the HR size this close to 1 are no resizing.
_KEPT = 0.02


@dataclass(frozen=True)
class Use:
    """One family of degradations on one side of the last resizing.

    Attributes:
        place: Before or after the last resizing.
        role: What it does.
        family: Its name.
        probability: That an image has it.
        position: Its mean place among the steps on its side, 0 to 1.
        numbers: The spread of each number; of ``level`` with the variation of the recipe.
        words: The shares of each word.
    """

    place: Place
    role: Role
    family: str
    probability: float
    position: float
    numbers: Mapping[str, Spread]
    words: Mapping[str, Mapping[str, float]]

    def ends(self, name: str = "level") -> tuple[float, float]:
        """The ends of the range of a number."""
        return self.numbers[name].low, self.numbers[name].high

    def whole_ends(self) -> tuple[int, int]:
        """The ends of the range of the level, rounded to whole numbers."""
        low, high = self.ends()
        return round(low), round(high)

    @property
    def where(self) -> str:
        """The family, its place and its probability, as the beginning of a sentence."""
        return f"{self.family} {WHERE[self.place]} ({percent(self.probability)} of images)"


@dataclass(frozen=True)
class Intermediate:
    """Resizings to an intermediate size.

    Attributes:
        enlarged: The share of images that are enlarged.
        shrunk: The share of images that are shrunk.
        low: The lower end of the sizes, in shares of the HR size.
        median: The middle of the sizes.
        high: The upper end of the sizes.
        interpolations: The share of each, summing to 1.
    """

    enlarged: float
    shrunk: float
    low: float
    median: float
    high: float
    interpolations: Mapping[str, float]

    @property
    def probability(self) -> float:
        """The share of images that have an intermediate size."""
        return self.enlarged + self.shrunk


def uses(recipe: DegradationRecipe) -> list[Use]:
    """The steps of a recipe but for its resizings, one family at a time, in order."""
    return [
        Use(
            step.place,
            step.role,
            family,
            min(step.probability * kind.share, 1.0),
            step.position,
            kind.numbers,
            kind.words,
        )
        for step in recipe.steps()
        for family, kind in step.kinds.items()
        if family != "resize"
    ]


def at_level(use: Use, level: float) -> Degradation:
    """The degradation of a use at a level, with the medians of its other numbers and its most frequent words."""
    kind = find_family(use.family)
    values: dict[str, float | str] = {name: spread.median for name, spread in use.numbers.items()}
    values |= {name: next(iter(shares)) for name, shares in use.words.items()}
    values["level"] = level
    return kind(**values)  # type: ignore[arg-type]


def grey_sigma(use: Use) -> tuple[float, float]:
    """The ends of the sigma, in 0..255 units, of white Gaussian noise that is as strong on mid grey."""
    grey = np.full((128, 128, 3), 0.5, dtype=np.float32)
    sigmas = [
        255 * float((at_level(use, end).apply(grey, np.random.default_rng(0)) - grey).std()) for end in use.ends()
    ]
    return min(sigmas), max(sigmas)


def intermediate(recipe: DegradationRecipe, families: tuple[str, ...] = ()) -> Intermediate:
    """The intermediate sizes of a recipe; of several in one chain the smallest.

    Args:
        recipe: The recipe.
        families: Families that count as one. `resample` and `pixelate` shrink by a factor, and what they enlarge again
            has no more detail.
    """
    rows = []
    for chain, weight in zip(recipe.chains, recipe.weights.tolist(), strict=True):
        sizes = _sizes(chain, recipe.scale, families)
        if sizes and weight > 0:
            rows.append((weight, *min(sizes)))
    rows = [row for row in rows if abs(row[1] - 1) > _KEPT]
    if not rows:
        return Intermediate(0.0, 0.0, 1.0, 1.0, 1.0, {"bicubic": 1.0})
    weights, sizes_kept = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    interpolations: Counter[str] = Counter()
    for weight, _, interpolation in rows:
        interpolations[interpolation] += weight / float(weights.sum())
    enlarged = float(weights[sizes_kept > 1].sum())
    shrunk = min(float(weights[sizes_kept < 1].sum()), 1.0 - enlarged)
    low, median, high = weighted_quantiles(sizes_kept, weights, ENDS)
    return Intermediate(enlarged, shrunk, low, median, high, dict(interpolations.most_common()))


def _sizes(chain: DegradationChain, scale: int, families: tuple[str, ...]) -> list[tuple[float, str]]:
    sizes: list[tuple[float, str]] = []
    for index, step in enumerate(chain.steps):
        if isinstance(step, Resizing):
            if index < chain.shrink:
                sizes.append((step.share, step.interpolation))
        elif step.family in families:
            size = 1.0 if index < chain.shrink else 1 / scale
            sizes.append((size / step.level, getattr(step, "interpolation", "nearest")))
    return sizes


def ordered_pairs(recipe: DegradationRecipe) -> dict[tuple[Place, Role, Role], float]:
    """The share of images in which a role comes before another on one side of the last resizing."""
    weights: Counter[tuple[Place, Role, Role]] = Counter()
    for chain, weight in zip(recipe.chains, recipe.weights.tolist(), strict=True):
        pairs = combinations(_placed_roles(chain), 2)
        for pair in {(place, role, later) for (place, role), (side, later) in pairs if side == place}:
            weights[pair] += weight
    return {pair: weight for pair, weight in weights.items() if weight > 0}


def always_lost(recipe: DegradationRecipe) -> list[str]:
    """What no program with fixed, independent steps can express of this recipe."""
    lost = []
    if int((recipe.weights > 0).sum()) > 1:
        lost.append(INDEPENDENT)
    if lost or recipe.vary:
        lost.append(UNIFORM)
    twice: Counter[tuple[Place, Role]] = Counter()
    for chain, weight in zip(recipe.chains, recipe.weights.tolist(), strict=True):
        for key, count in Counter(_placed_roles(chain)).items():
            if count > 1 and weight > 0:
                twice[key] += weight
    lost += [
        f"{percent(weight)} of images have several steps of {role} {WHERE[place]}; each family comes once here."
        for (place, role), weight in twice.items()
    ]
    return lost


def _placed_roles(chain: DegradationChain) -> list[tuple[Place, Role]]:
    """The side of the last resizing and the role of each other step."""
    return [
        (
            "before" if index < chain.shrink else "after",
            role_of(step),
        )
        for index, step in enumerate(chain.steps)
        if index != chain.shrink
    ]
