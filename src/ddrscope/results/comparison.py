"""The result of `ddrscope.compare`: how two sets of images differ along the axes of degradation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.skipped import SkippedImage


@dataclass(frozen=True)
class Axis:
    """One way in which images can be degraded.

    Attributes:
        name: One of `ESTIMATES`.
        words: What it is called.
        unit: Of its values.
        slight: A difference of two sets below this is too small to matter.
    """

    name: str
    words: str
    unit: str
    slight: float

    @property
    def digits(self) -> int:
        """Decimals that matter."""
        return 2 if self.slight < 1 else 1

    def change(self, difference: Estimate) -> str:
        """A difference with its interval and unit, as ``+0.61 px [+0.42, +0.80]``."""
        value, low, high = (
            f"{number:+.{self.digits}f}" for number in (difference.value, difference.low, difference.high)
        )
        return f"{value} {self.unit} [{low}, {high}]"


# A difference counts if such a p-value or a smaller one is found, and if it is not slight.
SIGNIFICANT = 0.05
# What the light or the scene changes, as brightness and colour, is not among them.
AXES = (
    Axis("blur_sigma", "blur", "px", 0.2),
    Axis("noise_sigma", "noise", "of 255", 1.0),
    Axis("jpeg_quality", "JPEG quality", "points", 5.0),
    Axis("native_scale", "enlargement", "times", 0.15),
)


@dataclass(frozen=True)
class MeasuredImages:
    """Images along the axes.

    Attributes:
        paths: Of the images, as text that prints.
        photos: The photograph of each image.
        values: (N, axes), in the axes' units.
    """

    paths: tuple[str, ...]
    photos: tuple[str, ...]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class AxisDifference:
    """How two sets differ along an axis.

    Attributes:
        axis: The axis.
        first: The mean of the first set.
        second: The mean of the second set.
        difference: Second minus first, with its 95 % confidence interval over photographs.
        p_value: The probability of as large a difference along any axis if there is none along any.
        differs: Whether the p-value is below 0.05 and the difference is not slight.
    """

    axis: Axis
    first: float
    second: float
    difference: Estimate
    p_value: float
    differs: bool

    def __str__(self) -> str:
        estimate = self.axis.change(self.difference)
        if self.differs:
            return f"{self.axis.words} {estimate}"
        return f"{self.axis.words}: {'slight difference' if self.p_value < SIGNIFICANT else 'no difference found'} ({estimate})"


@dataclass(frozen=True)
class ComparisonResult:
    """What differs between two sets of images.

    Attributes:
        differences: Along each axis.
        images: The number of images of each set.
        photos: The number of photographs of each set.
        typical: Paths of images of each set that show the largest difference best, the clearest first.
        skipped: Images that were left out.
        out: The output directory; None if nothing was written.
    """

    differences: tuple[AxisDifference, ...]
    images: tuple[int, int]
    photos: tuple[int, int]
    typical: tuple[tuple[str, ...], tuple[str, ...]]
    skipped: tuple[SkippedImage, ...] = ()
    out: str | None = None

    @property
    def differ(self) -> bool:
        """Whether the sets differ along any axis."""
        return any(each.differs for each in self.differences)

    def verdict(self) -> str:
        """The answer in a sentence."""
        changed = [each for each in self.differences if each.differs]
        others = [each.axis.words for each in self.differences if not each.differs]
        if not changed:
            return f"No difference found in {', '.join(others)} (smallest p-value {self._smallest():.2g})."
        parts = "; ".join(f"{each} (p = {each.p_value:.2g})" for each in changed)
        rest = f"; no difference found in {', '.join(others)}" if others else ""
        return f"The second set differs: {parts}{rest}."

    def _smallest(self) -> float:
        return min(each.p_value for each in self.differences)

    def to_json(self) -> dict[str, Any]:
        """The machine-readable result."""
        return {
            "verdict": self.verdict(),
            "differ": self.differ,
            "images": list(self.images),
            "photos": list(self.photos),
            "differences": [asdict(each) for each in self.differences],
            "typical": [list(paths) for paths in self.typical],
            "skipped": [each.to_json() for each in self.skipped],
        }
