"""The result of `ddrscope.match`: the recipe, how well it resembles the images, and what cannot be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.degradations.recipe_steps import RecipeStep
from ddrscope.matching.configs import Config, to_config
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.skipped import SkippedImage

# The accuracy of a classifier up to which made tiles resemble the real ones, and up to which they do so in part.
ALIKE, PARTLY_ALIKE = 0.6, 0.85
RECIPE = "recipe.json"
# With fewer images the recipe is a guess.
FEW_IMAGES = 30


@dataclass(frozen=True)
class Resemblance:
    """How well made tiles resemble the real ones.

    Attributes:
        discrepancy: The squared maximum mean discrepancy, with its interval over photographs.
        by_network: How often a classifier is right about which tiles are made, by the identifier's features: 0.5 if they
            cannot be told apart, 1 if always.
        by_blocks: The same by the frequencies of blocks of pixels, which owe nothing to the network.
    """

    discrepancy: Estimate
    by_network: Estimate
    by_blocks: Estimate

    @property
    def accuracy(self) -> Estimate:
        """The larger of both accuracies: the recipe was fitted by the features of the network."""
        return max(self.by_network, self.by_blocks, key=lambda each: each.value)


@dataclass(frozen=True)
class Alternative:
    """The best recipes of chains without something, and of chains that all have it.

    Attributes:
        what: What it is.
        without: The distance of the best recipe without it; the best of all is `MatchResult.distance`.
        given: The distance of the best recipe whose chains all have it.
        without_as_good: Whether the recipe without it is as near.
        given_as_good: Whether the recipe with it is as near.
    """

    what: str
    without: float
    given: float
    without_as_good: bool
    given_as_good: bool

    @property
    def unknown(self) -> bool:
        """Whether the images do not show if it is there."""
        return self.without_as_good and self.given_as_good


@dataclass(frozen=True)
class MatchResult:
    """What `ddrscope.match` found.

    Attributes:
        recipe: The distribution of degradation chains.
        images: The number of images that were used.
        tiles: The number of their tiles.
        held_out: Whether a third of the images only judged; with few images all were fitted and judge as well.
        photographs: The number of clean photographs that tiles were made of in the search, and of those that judged.
        resemblance: By name: ``matched``, and what other programs train with.
        gain: By how much the recipe is nearer to the images than shrinking alone, as a difference of discrepancies.
        chance: The mean discrepancy of two halves of the images, which chance alone makes; NaN for fewer than four.
        distance: The distance of the fitted mixture; see `alternatives`.
        alternatives: What happens without and with each thing.
        skipped: Images and photographs that were left out.
        notes: Warnings about the run as a whole, a sentence each.
        out: The output directory; None if nothing was written.
    """

    recipe: DegradationRecipe
    images: int
    tiles: int
    held_out: bool
    photographs: tuple[int, int]
    resemblance: Mapping[str, Resemblance]
    gain: Estimate
    chance: float
    distance: float
    alternatives: tuple[Alternative, ...]
    skipped: tuple[SkippedImage, ...] = ()
    notes: tuple[str, ...] = ()
    out: str | None = None

    @property
    def nothing_to_match(self) -> bool:
        """Whether the recipe is not surely nearer to the images than shrinking alone."""
        return not self.gain.low > 0

    def verdict(self) -> str:
        """The answer in a sentence or two."""
        others = {name: each.accuracy.value for name, each in self.resemblance.items() if name != "matched"}
        bicubic = "unchanged photographs" if self.recipe.scale == 1 else "photographs that were only shrunk"
        if self.nothing_to_match:
            few = f"; {self.images} images may be too few to tell" if self.images < FEW_IMAGES else ""
            return (
                f"Nothing to match: no recipe is surely nearer to the images than {bicubic} are, which a classifier "
                f"recognizes in {others['bicubic']:.0%} (chance is 50 %){few}."
            )
        accuracy = self.resemblance["matched"].accuracy
        ends = f" [{accuracy.low:.0%}, {accuracy.high:.0%}]" if accuracy.low == accuracy.low else ""
        value = accuracy.value
        degree = "resembles" if value <= ALIKE else "partly resembles" if value <= PARTLY_ALIKE else "does not resemble"
        said = ", ".join(f"{name} {share:.0%}" for name, share in others.items())
        return (
            f"The recipe {degree} the images: a classifier recognizes made ones in {value:.0%}{ends} "
            f"(chance is 50 %; {said})."
        )

    def to_config(self, target: str) -> Config:
        """The recipe as a configuration file of a training program; see `ddrscope.matching.configs.TARGETS`."""
        return to_config(self.recipe, target, str(Path(self.out or "") / RECIPE))

    def to_json(self) -> dict[str, Any]:
        """The machine-readable summary."""
        return {
            "verdict": self.verdict(),
            "nothing_to_match": self.nothing_to_match,
            "images": self.images,
            "tiles": self.tiles,
            "held_out": self.held_out,
            "photographs": {"searching": self.photographs[0], "judging": self.photographs[1]},
            "gain": asdict(self.gain),
            "chance": self.chance,
            "distance": self.distance,
            "resemblance": {name: asdict(each) for name, each in self.resemblance.items()},
            "alternatives": [asdict(each) | {"unknown": each.unknown} for each in self.alternatives],
            "steps": [asdict(step) for step in self.recipe.steps()],
            "final_interpolations": self.recipe.final_interpolations(),
            "skipped": [each.to_json() for each in self.skipped],
            "notes": list(self.notes),
        }


def describe_step(step: RecipeStep) -> str:
    """A step in words, as "before shrinking: blur in 80 %: blur 1.2 to 3, lens_blur 2 to 4 (25 %)"."""
    kinds = []
    for name, use in step.kinds.items():
        level = use.numbers.get("level") or use.numbers.get("share")
        ends = f" {level.low:.3g} to {level.high:.3g}" if level else ""
        kinds.append(f"{name}{ends}" + (f" ({use.share:.0%})" if len(step.kinds) > 1 else ""))
    place = "before shrinking" if step.place == "before" else "after shrinking"
    return f"{place}: {step.role} in {step.probability:.0%}: {', '.join(kinds)}"
