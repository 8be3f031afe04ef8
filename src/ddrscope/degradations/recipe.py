"""A recipe: a distribution of degradation chains that makes training data resemble a set of images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.chains import DegradationChain, Resizing, parse_chain
from ddrscope.errors import InputError, printable
from ddrscope.io.files import read_json, write_json

FORMAT = 1
Place = Literal["before", "after"]
Role = Literal["blur", "resize", "noise", "ringing", "compression", "other"]
ROLES: dict[str, Role] = {
    "blur": "blur", "aniso_blur": "blur", "lens_blur": "blur", "motion_blur": "blur", "demosaic": "blur",
    "resize": "resize", "resample": "resize", "pixelate": "resize",
    "noise": "noise", "camera_noise": "noise", "poisson": "noise", "color_noise": "noise", "speckle": "noise",
    "impulse": "noise", "ringing": "ringing",
    "jpeg": "compression", "webp": "compression", "avif": "compression", "jpeg_xl": "compression",
    "jpeg2000": "compression", "video": "compression",
}  # fmt: skip
# The range of a number holds 90 % of what is drawn.
ENDS = (0.05, 0.5, 0.95)
# The end of that range for a number that is normally distributed.
_END_OF_NORMAL = 1.645
MAX_CHAINS, MAX_BYTES = 20_000, 20_000_000


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


@dataclass(frozen=True, eq=False)
class DegradationRecipe:
    """Chains of degradations with weights.

    Args:
        scale: The factor from LR to HR.
        chains: The chains.
        weights: Of each, summing to 1.
        vary: When a chain is drawn, the level of each step is varied by about this share, 0 to 1, so that training sees
            more than so many chains.

    Raises:
        InputError: The weights, the variation or a chain is not usable, or the last resizing of a chain does not shrink
            by ``scale``.

    Examples:
        >>> recipe = DegradationRecipe.load("matched/recipe.json")
        >>> lr = recipe.sample(np.random.default_rng(0)).apply(hr, np.random.default_rng(1))
    """

    scale: int
    chains: tuple[DegradationChain, ...]
    weights: NDArray[np.float64]
    vary: float = 0.05

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, dtype=float)
        if not 1 <= len(self.chains) <= MAX_CHAINS or weights.shape != (len(self.chains),):
            raise InputError(f"a recipe needs 1 to {MAX_CHAINS} chains, and a weight for each")
        with np.errstate(over="ignore"):
            total = float(weights.sum())
        if not np.isfinite(total) or weights.min() < 0 or total <= 0:
            raise InputError("the weights of a recipe must be positive and finite")
        if not 0 <= self.vary <= 1:
            raise InputError(f"the variation {self.vary} of a recipe is out of range: use 0 to 1")
        if not 1 <= self.scale <= 16:
            raise InputError(f"the scale {self.scale} of a recipe is out of range: use 1 to 16")
        for chain in self.chains:
            last = chain.steps[chain.shrink]
            if not isinstance(last, Resizing) or abs(last.share * self.scale - 1) > 1e-6:
                raise InputError(
                    f"'{chain.text[:80]}' does not end at 1/{self.scale} of the size, as the recipe's scale says"
                )
        object.__setattr__(self, "weights", weights / total)

    def sample(self, rng: np.random.Generator) -> DegradationChain:
        """Draw a chain."""
        chain = self.chains[int(rng.choice(len(self.chains), p=self.weights))]
        return varied(chain, rng, self.vary)

    def steps(self) -> list[RecipeStep]:
        """What happens to images, in order, with probabilities and ranges."""
        found: dict[tuple[Place, Role], list[tuple[float, float, Degradation | Resizing]]] = {}
        present: dict[tuple[Place, Role], float] = {}
        for chain, weight in zip(self.chains, self.weights.tolist(), strict=True):
            seen = set()
            for key, position, step in _placed(chain):
                found.setdefault(key, []).append((weight, position, step))
                seen.add(key)
            for key in seen:
                present[key] = present.get(key, 0.0) + weight
        steps = [_summary(key, min(present[key], 1.0), entries, self.vary) for key, entries in found.items()]
        return sorted(steps, key=lambda step: (step.place == "after", step.position))

    def final_interpolations(self) -> dict[str, float]:
        """The share of each interpolation by which the LR size is made."""
        shares: dict[str, float] = {}
        for chain, weight in zip(self.chains, self.weights.tolist(), strict=True):
            step = chain.steps[chain.shrink]
            assert isinstance(step, Resizing)
            shares[step.interpolation] = shares.get(step.interpolation, 0.0) + weight
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def save(self, path: str | Path) -> Path:
        """Write the recipe as JSON."""
        path = Path(path)
        write_json(path, self.to_json())
        return path

    def to_json(self) -> dict[str, Any]:
        """The recipe as JSON values; chains without weight are left out."""
        rows = sorted(zip(self.weights.tolist(), self.chains, strict=True), key=lambda row: -row[0])
        return {
            "format": FORMAT,
            "scale": self.scale,
            "vary": self.vary,
            "chains": [{"weight": weight, "chain": chain.text} for weight, chain in rows if weight > 0],
        }

    @classmethod
    def load(cls, path: str | Path) -> DegradationRecipe:
        """Read what `save` wrote.

        Raises:
            InputError: The file cannot be read or has another content.
        """
        path = Path(path)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError("it is too large for a recipe")
            value = read_json(path)
            if not isinstance(value, dict) or value["format"] != FORMAT:
                raise InputError(f"it is no recipe of format {FORMAT}")
            rows = value["chains"]
            scale, vary = value["scale"], float(value["vary"])
            if not isinstance(rows, list) or not isinstance(scale, int):
                raise TypeError("chains must be a list and scale a whole number")
            weights = np.array([float(row["weight"]) for row in rows])
            return cls(scale, tuple(parse_chain(str(row["chain"])) for row in rows), weights, vary)
        except FileNotFoundError:
            raise InputError(f"no such file: {printable(str(path))}") from None
        except InputError as error:
            raise InputError(f"{printable(str(path))}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            reason = printable(f"{type(error).__name__}: {error}"[:200])
            raise InputError(f"{printable(str(path))} is no recipe of `ddrscope match` ({reason})") from None


def varied(chain: DegradationChain, rng: np.random.Generator, share: float) -> DegradationChain:
    """The chain with the level of each step but resizings multiplied by about 1 plus or minus ``share``.

    It is the distance from the level that changes nothing that is multiplied; levels stay within what is allowed.
    """
    for index, step in enumerate(chain.steps):
        if isinstance(step, Degradation):
            chain = chain.with_step(index, _varied_step(step, rng, share))
    return chain


def _varied_step(step: Degradation, rng: np.random.Generator, share: float) -> Degradation:
    allowed = step.level_range()
    distance = step.level - (step.neutral_level or 0)
    value = (step.neutral_level or 0) + distance * float(np.exp(rng.normal(0, share)))
    value = min(max(value, allowed.low), allowed.high)
    return replace(step, level=round(value) if isinstance(step.level, int) else value)


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
