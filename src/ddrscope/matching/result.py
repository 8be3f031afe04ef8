"""The result of `ddrscope.match`: the recipe, how well it resembles the images, and what cannot be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ddrscope.degradations.recipe import DegradationRecipe, RecipeStep
from ddrscope.matching.configs import Config, to_config
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.skipped import SkippedImage

# The accuracy of a classifier up to which made tiles count as like the real ones.
ALIKE = 0.6


@dataclass(frozen=True)
class Resemblance:
    """How well made tiles resemble the real ones.

    Attributes:
        discrepancy: The squared maximum mean discrepancy, with its interval over images.
        by_network: How often a classifier tells made from real by the identifier's features: 0.5 is never.
        by_blocks: The same by the frequencies of blocks of pixels, which owe nothing to the network.
    """

    discrepancy: Estimate
    by_network: Estimate
    by_blocks: Estimate


@dataclass(frozen=True)
class Alternative:
    """The best recipe without something.

    Attributes:
        without: What it is without.
        discrepancy: Of the best weights of such chains; the recipe's own is `MatchResult.fitted`.
        as_good: Whether it is as near to the images as the recipe is: then the images do not show what it is without.
    """

    without: str
    discrepancy: float
    as_good: bool


@dataclass(frozen=True)
class MatchResult:
    """What `ddrscope.match` found.

    Attributes:
        recipe: The distribution of degradation chains.
        images: The number of images that were used.
        tiles: The number of their tiles.
        photographs: The number of clean photographs that tiles were made of, and of those that judged them.
        resemblance: By name: ``matched``, and what other programs train with.
        floor: The mean discrepancy of two halves of the images; NaN for fewer than four.
        fitted: The discrepancy of the fitted weights.
        alternatives: What the images do not show.
        skipped: Images that were left out.
        out: The output directory; None if nothing was written.
    """

    recipe: DegradationRecipe
    images: int
    tiles: int
    photographs: tuple[int, int]
    resemblance: Mapping[str, Resemblance]
    floor: float
    fitted: float
    alternatives: tuple[Alternative, ...]
    skipped: tuple[SkippedImage, ...] = ()
    out: str | None = None

    @property
    def nothing_to_match(self) -> bool:
        """Whether photographs that were only shrunk are as near to the images as the recipe is."""
        bicubic, matched = (self.resemblance[name].discrepancy for name in ("bicubic", "matched"))
        return bicubic.low <= matched.value

    def verdict(self) -> str:
        """The answer in a sentence or two."""
        matched = self.resemblance["matched"]
        other = {name: each.by_network.value for name, each in self.resemblance.items() if name != "matched"}
        said = ", ".join(f"{name} {value:.0%}" for name, value in other.items())
        if self.nothing_to_match:
            return (
                f"Nothing to match: photographs that were only shrunk are as near to the images as any recipe "
                f"(a classifier tells them apart in {other['bicubic']:.0%}; chance is 50 %)."
            )
        accuracy = matched.by_network
        ends = f" [{accuracy.low:.0%}, {accuracy.high:.0%}]" if accuracy.low == accuracy.low else ""
        degree = "resembles" if accuracy.value <= ALIKE else "partly resembles"
        return (
            f"The recipe {degree} the images: a classifier tells them apart in {accuracy.value:.0%}{ends} "
            f"(chance is 50 %; {said})."
        )

    def to_config(self, target: str) -> Config:
        """The recipe as a configuration file of a training program; see `ddrscope.matching.configs.TARGETS`."""
        return to_config(self.recipe, target)

    def to_json(self) -> dict[str, Any]:
        """The machine-readable summary."""
        return {
            "verdict": self.verdict(),
            "nothing_to_match": self.nothing_to_match,
            "images": self.images,
            "tiles": self.tiles,
            "photographs": {"matching": self.photographs[0], "judging": self.photographs[1]},
            "floor": self.floor,
            "fitted": self.fitted,
            "resemblance": {name: asdict(each) for name, each in self.resemblance.items()},
            "alternatives": [asdict(each) for each in self.alternatives],
            "steps": [asdict(step) for step in self.recipe.steps()],
            "final_interpolations": self.recipe.final_interpolations(),
            "skipped": [each.to_json() for each in self.skipped],
        }


def describe_step(step: RecipeStep) -> str:
    """A step in words, as "before shrinking: blur in 80 %, sigma 1.2 to 3.0 (HR pixels)"."""
    kinds = []
    for name, use in step.kinds.items():
        level = use.numbers.get("level") or use.numbers.get("share")
        ends = f" {level.low:.3g} to {level.high:.3g}" if level else ""
        kinds.append(f"{name}{ends}" + (f" ({use.share:.0%})" if len(step.kinds) > 1 else ""))
    place = "before shrinking" if step.place == "before" else "after shrinking"
    return f"{place}: {step.role} in {step.probability:.0%}: {', '.join(kinds)}"
