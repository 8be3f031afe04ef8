"""What a recipe does, step by step: probabilities, ranges and shares, summed up over its chains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.chains import DegradationChain, Resizing

Place = Literal["before", "after"]
Role = Literal["blur", "resize", "noise", "ringing", "compression", "other"]
ROLES: dict[str, Role] = {
    "blur": "blur", "aniso_blur": "blur", "lens_blur": "blur", "motion_blur": "blur", "demosaic": "blur",
    "resample": "resize", "pixelate": "resize",
    "noise": "noise", "camera_noise": "noise", "poisson": "noise", "color_noise": "noise", "speckle": "noise",
    "impulse": "noise", "ringing": "ringing",
    "jpeg": "compression", "webp": "compression", "avif": "compression", "jpeg_xl": "compression",
    "jpeg2000": "compression", "video": "compression",
}  # fmt: skip
# The range of a number holds 90 % of what is drawn.
ENDS = (0.05, 0.5, 0.95)
# The end of that range for a number that is normally distributed.
_END_OF_NORMAL = 1.645


@dataclass(frozen=True)
class Spread:
    """The distribution of a number: its middle, and the ends of the range that holds 90 % of it."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class KindUse:
    """How one family of degradations is used in a step.

    Attributes:
        share: Of the images that have the step.
        numbers: The spread of each number, as ``level``.
        words: The shares of each word, as ``{"interpolation": {"bicubic": 1.0}}``.
    """

    share: float
    numbers: Mapping[str, Spread]
    words: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class RecipeStep:
    """One kind of thing that happens to an image.

    Attributes:
        place: Before or after the resizing that makes the LR size.
        role: What it does.
        probability: That it happens.
        position: Its mean place among the steps on its side of the resizing, 0 (first) to 1 (last).
        kinds: The families that do it, the most frequent first.
    """

    place: Place
    role: Role
    probability: float
    position: float
    kinds: Mapping[str, KindUse]


def summarize(chains: Sequence[DegradationChain], weights: NDArray[np.float64], vary: float) -> list[RecipeStep]:
    """What happens to images, in order.

    Args:
        chains: The chains of a recipe.
        weights: Of each.
        vary: The variation with which chains are drawn.
    """
    found: dict[tuple[Place, Role], list[tuple[float, float, Degradation | Resizing]]] = {}
    present: dict[tuple[Place, Role], float] = {}
    for chain, weight in zip(chains, weights.tolist(), strict=True):
        seen = set()
        for key, position, step in _placed(chain):
            found.setdefault(key, []).append((weight, position, step))
            seen.add(key)
        for key in seen:
            present[key] = present.get(key, 0.0) + weight
    steps = [_summary(key, min(present[key], 1.0), entries, vary) for key, entries in found.items()]
    return sorted(steps, key=lambda step: (step.place == "after", step.position))


def role_of(step: Degradation | Resizing) -> Role:
    """What a step does."""
    return "resize" if isinstance(step, Resizing) else ROLES.get(step.family, "other")


def _placed(chain: DegradationChain) -> list[tuple[tuple[Place, Role], float, Degradation | Resizing]]:
    """The steps but for the last resizing, each with its side of it, its role and its position there."""
    sides: dict[Place, tuple[Degradation | Resizing, ...]] = {
        "before": chain.steps[: chain.shrink],
        "after": chain.steps[chain.shrink + 1 :],
    }
    return [
        ((place, role_of(step)), (index + 0.5) / len(steps), step)
        for place, steps in sides.items()
        for index, step in enumerate(steps)
    ]


def _summary(
    key: tuple[Place, Role],
    probability: float,
    entries: list[tuple[float, float, Degradation | Resizing]],
    vary: float,
) -> RecipeStep:
    weights = np.array([weight for weight, _, _ in entries])
    position = float(np.average([place for _, place, _ in entries], weights=weights))
    families: dict[str, list[tuple[float, Degradation | Resizing]]] = {}
    for weight, _, step in entries:
        name = "resize" if isinstance(step, Resizing) else step.family
        families.setdefault(name, []).append((weight, step))
    uses = {name: _use(rows, float(weights.sum()), vary) for name, rows in families.items()}
    return RecipeStep(*key, probability, position, dict(sorted(uses.items(), key=lambda item: -item[1].share)))


def _use(rows: list[tuple[float, Degradation | Resizing]], total: float, vary: float) -> KindUse:
    weights = np.array([weight for weight, _ in rows])
    numbers, words = {}, {}
    for field in fields(rows[0][1]):
        values = [getattr(step, field.name) for _, step in rows]
        if isinstance(values[0], str):
            shares: dict[str, float] = {}
            for value, weight in zip(values, weights.tolist(), strict=True):
                shares[value] = shares.get(value, 0.0) + weight / float(weights.sum())
            words[field.name] = dict(sorted(shares.items(), key=lambda item: -item[1]))
        else:
            numbers[field.name] = Spread(*weighted_quantiles(np.array(values, float), weights, ENDS))
    step = rows[0][1]
    if isinstance(step, Degradation):
        numbers["level"] = varied_spread(step, numbers["level"], vary)
    return KindUse(float(weights.sum()) / total, numbers, words)


def varied_spread(kind: Degradation, level: Spread, vary: float) -> Spread:
    """The spread of a level, widened by the variation with which chains are drawn.

    Args:
        kind: A degradation of the family.
        level: The spread in the chains.
        vary: The variation of the recipe.
    """
    neutral, allowed = kind.neutral_level or 0, kind.level_range()
    distances = sorted(abs(end - neutral) for end in (level.low, level.high))
    if not vary or distances[0] <= 0 or (level.low - neutral) * (level.high - neutral) < 0:
        return level
    # The variation is normal in the logarithm of the distance from the level that changes nothing.
    half = math.log(distances[1] / distances[0]) / 2
    middle, factor = math.sqrt(distances[0] * distances[1]), math.exp(math.hypot(half, _END_OF_NORMAL * vary))
    sign = 1 if level.median >= neutral else -1
    ends = sorted(neutral + sign * distance for distance in (middle / factor, middle * factor))
    low, high = (min(max(end, allowed.low), allowed.high) for end in ends)
    return Spread(low, min(max(level.median, low), high), high)


def weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], shares: tuple[float, ...]
) -> tuple[float, ...]:
    """The values below which these shares of the weight lie, interpolated between neighbours."""
    order = np.argsort(values)
    sorted_weights = weights[order]
    middle = (np.cumsum(sorted_weights) - sorted_weights / 2) / sorted_weights.sum()
    return tuple(float(value) for value in np.interp(shares, middle, values[order]))
