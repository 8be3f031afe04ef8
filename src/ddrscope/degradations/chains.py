"""Chains of degradations in any order with any number of resizings: how an HR image becomes an LR image."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.pipeline import MAX_TEXT_LENGTH, parse_degradation
from ddrscope.degradations.resize import Interpolation, resize
from ddrscope.errors import InputError, printable

_JOIN = re.compile(r"\+(?=\s*[a-z])", re.IGNORECASE)
_RESIZE = "resize"
# A file from elsewhere may hold chains of any length, which would take any time.
MAX_STEPS = 50


@dataclass(frozen=True)
class Resizing:
    """Resizes an image to a share of the HR size.

    Attributes:
        share: Of the sides of the HR image, above 0 and at most 4.
        interpolation: As of `ddrscope.degradations.resize`.
    """

    share: float
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        # As the text form has it, so that this gives an equal step back.
        object.__setattr__(self, "share", float(f"{self.share:.9g}"))

    @property
    def text(self) -> str:
        """The text form, as ``resize:0.25,bicubic``."""
        return f"{_RESIZE}:{self.share:.9g},{self.interpolation}"

    def apply(self, pixels: NDArray[np.float32], sides: tuple[int, int]) -> NDArray[np.float32]:
        """Resize an image that was made of an HR image with these sides."""
        height, width = (max(1, round(side * self.share)) for side in sides)
        return resize(pixels, (height, width), self.interpolation)


@dataclass(frozen=True)
class DegradationChain:
    """Degradations and resizings in order; the last resizing makes the LR size.

    Attributes:
        steps: In order.
    """

    steps: tuple[Degradation | Resizing, ...]

    @property
    def text(self) -> str:
        """The text form, as ``blur:2+resize:0.25,bicubic+noise:10``; `parse_chain` returns an equal chain for it."""
        return "+".join(step.text for step in self.steps)

    @property
    def shrink(self) -> int:
        """The index of the last resizing: steps before it act on larger images, those after it on LR pixels."""
        return max(index for index, step in enumerate(self.steps) if isinstance(step, Resizing))

    def apply(self, pixels: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Degrade an image.

        Args:
            pixels: float32 (H, W, 3) in 0..1, the HR image.
            rng: Of all random numbers.

        Returns:
            float32 (H * share, W * share, 3) in 0..1, rounded to 8 bits, as if it were saved.
        """
        sides = pixels.shape[0], pixels.shape[1]
        for step in self.steps:
            changed = step.apply(pixels, sides) if isinstance(step, Resizing) else step.apply(pixels, rng)
            pixels = np.clip(changed, 0, 1).astype(np.float32)
        return np.rint(pixels * 255).astype(np.float32) / np.float32(255)

    def with_step(self, index: int, step: Degradation | Resizing) -> DegradationChain:
        """The chain with another step at a place."""
        return replace(self, steps=(*self.steps[:index], step, *self.steps[index + 1 :]))


def parse_chain(text: str) -> DegradationChain:
    """Read the text form of a chain.

    Raises:
        InputError: A step is not valid, or no resizing is among them.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise InputError(f"a chain of {len(text)} characters is too long: {MAX_TEXT_LENGTH} are allowed")
    steps: list[Degradation | Resizing] = []
    for part in _JOIN.split(text.strip()):
        if part.strip().startswith(f"{_RESIZE}:"):
            steps.append(_parse_resizing(part.strip()))
        else:
            steps.extend(parse_degradation(part).steps)
    if len(steps) > MAX_STEPS:
        raise InputError(f"a chain of {len(steps)} steps is too long: {MAX_STEPS} are allowed")
    if not any(isinstance(step, Resizing) for step in steps):
        raise InputError(
            f"'{printable(text[:80])}' has no step {_RESIZE}: write where the LR size is made, as {_RESIZE}:0.25,bicubic"
        )
    return DegradationChain(tuple(steps))


def _parse_resizing(text: str) -> Resizing:
    share, _, interpolation = text.removeprefix(f"{_RESIZE}:").partition(",")
    known = get_args(Interpolation)
    try:
        value = float(share)
    except ValueError:
        value = 0.0
    if not 0 < value <= 4 or (interpolation or "bicubic") not in known:
        raise InputError(
            f"'{printable(text[:80])}': write {_RESIZE}:SHARE,INTERPOLATION with 0 < SHARE <= 4 and one of {', '.join(known)}"
        )
    return Resizing(value, interpolation or "bicubic")  # type: ignore[arg-type]
