"""A recipe: a distribution of degradation chains that makes training data resemble a set of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.chains import DegradationChain, Resizing, parse_chain
from ddrscope.errors import InputError
from ddrscope.io.files import read_json, write_json

FORMAT = 1
Place = Literal["before", "after"]
Role = Literal["blur", "resize", "noise", "ringing", "compression"]
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
        vary: Numbers are varied by this share when a chain is drawn, so that training sees more than so many chains.

    Examples:
        >>> recipe = DegradationRecipe.load("matched/recipe.json")
        >>> lr = recipe.sample(np.random.default_rng(0)).apply(hr, np.random.default_rng(1))
    """

    scale: int
    chains: tuple[DegradationChain, ...]
    weights: NDArray[np.float64]
    vary: float = 0.05

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
        steps = [_summary(key, min(present[key], 1.0), entries) for key, entries in found.items()]
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
            value = read_json(path)
            if value["format"] != FORMAT:
                raise InputError(f"{path} is a recipe of format {value['format']!r}; this version reads {FORMAT}")
            rows = value["chains"]
            weights = np.array([float(row["weight"]) for row in rows])
            chains = tuple(parse_chain(str(row["chain"])) for row in rows)
            scale, vary = int(value["scale"]), float(value["vary"])
        except FileNotFoundError:
            raise InputError(f"no such file: {path}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no recipe of `ddrscope match` ({type(error).__name__}: {error})") from None
        if not len(chains) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0 or scale < 1:
            raise InputError(
                f"{path} is no recipe of `ddrscope match`: weights must be positive, and the scale 1 or more"
            )
        return cls(scale, chains, weights / weights.sum(), vary)


def varied(chain: DegradationChain, rng: np.random.Generator, share: float) -> DegradationChain:
    """The chain with its numbers multiplied by about 1 plus or minus ``share``, within what each allows."""
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


def _placed(chain: DegradationChain) -> list[tuple[tuple[Place, Role], float, Degradation | Resizing]]:
    """The steps but for the last resizing, each with its side of it, its role and its position there."""
    sides: dict[Place, tuple[Degradation | Resizing, ...]] = {
        "before": chain.steps[: chain.shrink],
        "after": chain.steps[chain.shrink + 1 :],
    }
    return [
        ((place, ROLES["resize" if isinstance(step, Resizing) else step.family]), (index + 0.5) / len(steps), step)
        for place, steps in sides.items()
        for index, step in enumerate(steps)
    ]


def _summary(
    key: tuple[Place, Role], probability: float, entries: list[tuple[float, float, Degradation | Resizing]]
) -> RecipeStep:
    weights = np.array([weight for weight, _, _ in entries])
    position = float(np.average([place for _, place, _ in entries], weights=weights))
    families: dict[str, list[tuple[float, Degradation | Resizing]]] = {}
    for weight, _, step in entries:
        name = "resize" if isinstance(step, Resizing) else step.family
        families.setdefault(name, []).append((weight, step))
    uses = {name: _use(rows, float(weights.sum())) for name, rows in families.items()}
    return RecipeStep(*key, probability, position, dict(sorted(uses.items(), key=lambda item: -item[1].share)))


def _use(rows: list[tuple[float, Degradation | Resizing]], total: float) -> KindUse:
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
    return KindUse(float(weights.sum()) / total, numbers, words)


def weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], shares: tuple[float, ...]
) -> tuple[float, ...]:
    """The values below which these shares of the weight lie, interpolated between neighbours."""
    order = np.argsort(values)
    sorted_weights = weights[order]
    middle = (np.cumsum(sorted_weights) - sorted_weights / 2) / sorted_weights.sum()
    return tuple(float(value) for value in np.interp(shares, middle, values[order]))
