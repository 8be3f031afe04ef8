"""A recipe: a distribution of degradation chains that makes training data resemble a set of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.chains import DegradationChain, Resizing, parse_chain
from ddrscope.degradations.recipe_steps import RecipeStep, summarize
from ddrscope.errors import InputError, printable
from ddrscope.io.files import read_json, write_json

FORMAT = 1
MAX_CHAINS, MAX_BYTES = 20_000, 20_000_000


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
        return summarize(self.chains, self.weights, self.vary)

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
