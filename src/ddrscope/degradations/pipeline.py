"""Pipelines of degradations and their text form: steps on the HR image, shrinking, steps on the LR image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from ddrscope.degradations.base import Degradation
from ddrscope.degradations.registry import find_family
from ddrscope.degradations.resize import shrink
from ddrscope.errors import InputError

# A plus sign joins two degradations only before a name: `brightness:+10` is one degradation.
_JOIN = re.compile(r"\+(?=\s*[a-z])", re.IGNORECASE)
# Recipes are untrusted, and a long text takes long to parse.
MAX_TEXT_LENGTH = 2000
# Steps may leave 0..1, by a factor of up to 10 each. Many of them would end in infinity and NaN.
MAX_ABS_PIXEL = 1e6


@dataclass(frozen=True)
class Pipeline:
    """Degradations in order; an empty pipeline is ``clean``."""

    steps: tuple[Degradation, ...] = ()

    @property
    def text(self) -> str:
        """The canonical text form, as ``blur:2+noise:10``; `parse_degradation` returns an equal pipeline for it."""
        return "+".join(step.text for step in self.steps) or "clean"

    def __str__(self) -> str:
        return self.text

    @property
    def family(self) -> str:
        """The family, as ``blur``; of several steps ``blur+noise``; of none ``clean``."""
        return "+".join(step.family for step in self.steps) or "clean"

    @property
    def level(self) -> float | None:
        """The level of a single step, in the unit of its family; None for ``clean`` and for several steps."""
        return self.steps[0].level if len(self.steps) == 1 else None

    def check_scale(self, scale: int) -> None:
        """Raise `InputError` if the order of the steps does not allow shrinking by ``scale`` between them."""
        if scale < 1:
            raise InputError(f"`scale`={scale} is too small: give 1 or more")
        if scale == 1:
            return
        for first, second in pairwise(self.steps):
            if first.stage == "after" and second.stage == "before":
                raise InputError(
                    f"'{self.text}': {first.family} acts after shrinking and {second.family} before it: "
                    f"write {second.text}+{first.text}"
                )

    def apply(self, pixels: np.ndarray, seed: int = 0, scale: int = 1, bits: int = 8) -> np.ndarray:
        """Degrade an image and shrink it.

        Steps of stage ``before`` act on the image, then it is shrunk (see `shrink`), then steps of stage ``after``
        act. At scale 1 all act in the given order. Values are clipped at the end only. Random numbers depend on the
        pixels, the canonical text and the seed, with a stream for each step: the same image gives the same result in
        any run.

        Args:
            pixels: float32 (H, W, C) in 0..1.
            seed: Seed of the random numbers.
            scale: Factor by which the image is shrunk.
            bits: The result is rounded to k/255 for 8 and to k/65535 for 16 bits, as if it were saved; not for 32.

        Returns:
            float32 (H // scale, W // scale, C) in 0..1.

        Raises:
            InputError: The order of the steps does not allow shrinking, a step does not accept the image, or values
                become too large.
        """
        self.check_scale(scale)
        if pixels.ndim != 3:
            raise ValueError(f"pixels must have shape (H, W, C), not {pixels.shape}")
        pixels = np.ascontiguousarray(pixels, dtype=np.float32)
        key = self._key(pixels, seed)
        is_shrunk = scale == 1
        for index, step in enumerate(self.steps):
            if step.stage == "after" and not is_shrunk:
                pixels, is_shrunk = shrink(pixels, scale), True
            pixels = step.apply(pixels, np.random.Generator(np.random.PCG64([*key, index])))
            if not np.abs(pixels).max() <= MAX_ABS_PIXEL:
                raise InputError(
                    f"'{self.text[:80]}': {step.text} drives pixels beyond all bounds: use fewer or milder steps"
                )
        if not is_shrunk:
            pixels = shrink(pixels, scale)
        pixels = np.clip(pixels, 0, 1)
        if bits > 16:
            return pixels
        white = np.float32(2**bits - 1)
        return np.rint(pixels * white) / white

    def _key(self, pixels: np.ndarray, seed: int) -> list[int]:
        digest = blake2b(pixels.astype("<f4").tobytes(), digest_size=32)
        digest.update(f"{pixels.shape} {self.text} {seed}".encode())
        return np.frombuffer(digest.digest(), "<u4").tolist()


def parse_degradation(text: str) -> Pipeline:
    """Read a degradation from its text form.

    Whether the order of the steps allows shrinking is checked by `Pipeline.check_scale`.

    Args:
        text: As ``clean``, ``blur:4``, ``aniso_blur:4,1,45`` or ``blur:2+noise:10``.

    Raises:
        InputError: A family is unknown (the message suggests similar names), or a value is missing, malformed, surplus
            or out of range.

    Examples:
        >>> parse_degradation("blur:2 + noise:10").text
        'blur:2+noise:10'
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise InputError(f"a degradation of {len(text)} characters is longer than {MAX_TEXT_LENGTH}: write fewer steps")
    if text.strip() == "clean":
        return Pipeline()
    return Pipeline(tuple(_parse_step(part.strip(), text) for part in _JOIN.split(text)))


def _parse_step(part: str, text: str) -> Degradation:
    name, colon, values = part.partition(":")
    text = text[:80]
    if name == "clean":
        raise InputError(f"'{text}': clean stands alone, without a level: remove it")
    if not name:
        raise InputError(f"'{text}' names no degradation: write FAMILY:LEVEL, as blur:4, or clean")
    return find_family(name).parse([value.strip() for value in values.split(",")] if colon else [])
