"""The text form `a+b` and the pipeline it names: steps on the HR image, shrinking, steps on the LR image."""

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

# A plus sign joins two degradations only before a name: `brightness:+10` is one.
_JOIN = re.compile(r"\+(?=\s*[a-z])", re.IGNORECASE)
# Recipes are passed around: a text that takes long to search is none.
LONGEST = 2000
# Steps may leave 0..1, one by a factor of 10; chains of them would end in infinity, and in pixels that are no numbers.
MAX_ABS_PIXEL = 1e6


@dataclass(frozen=True)
class Pipeline:
    """Degradations in order; none at all is `clean`."""

    steps: tuple[Degradation, ...] = ()

    @property
    def text(self) -> str:
        """The canonical text form, as `blur:2+noise:10`; `parse_degradation` returns an equal pipeline for it."""
        return "+".join(step.text for step in self.steps) or "clean"

    def __str__(self) -> str:
        return self.text

    @property
    def family(self) -> str:
        """The family, as `blur`; of several steps `blur+noise`; of none `clean`."""
        return "+".join(step.family for step in self.steps) or "clean"

    @property
    def level(self) -> float | None:
        """The level of a single step, in the unit of its family; None for `clean` and for several steps."""
        return self.steps[0].level if len(self.steps) == 1 else None

    def check_scale(self, scale: int) -> None:
        """Raise `InputError` when shrinking by `scale` is impossible: a step after it comes before a step before it."""
        if scale < 1:
            raise InputError(f"scale {scale} is too small: use 1 or more")
        if scale == 1:
            return
        for first, second in pairwise(self.steps):
            if first.stage == "after" and second.stage == "before":
                raise InputError(
                    f"'{self.text}': {first.family} acts after shrinking and {second.family} before it: "
                    f"write {second.text}+{first.text}"
                )

    def apply(self, pixels: np.ndarray, seed: int = 0, scale: int = 1, bits: int = 8) -> np.ndarray:
        """Degrade a float32 (H, W, C) image in 0..1 and shrink it by `scale`; the result is float32 in 0..1.

        Steps of stage `before` act on the image, then it is shrunk (see `shrink`), then steps of stage `after` act;
        at scale 1 all act in the order written. Values are clipped at the end only, and rounded to k/255 or k/65535
        when `bits` is 8 or 16. Random numbers depend on the pixels, the canonical text and the seed, each step having its own stream: the
        same image gives the same result in any run. Raises `InputError` when the order or the image does not fit, and
        when steps drive values beyond `MAX_ABS_PIXEL`.
        """
        self.check_scale(scale)
        if pixels.ndim != 3:
            raise ValueError(f"pixels must have shape (H, W, C), not {pixels.shape}")
        pixels = np.ascontiguousarray(pixels, dtype=np.float32)
        key = self._key(pixels, seed)
        shrunk = scale == 1
        for index, step in enumerate(self.steps):
            if step.stage == "after" and not shrunk:
                pixels, shrunk = shrink(pixels, scale), True
            pixels = step.apply(pixels, np.random.Generator(np.random.PCG64([*key, index])))
            if not np.abs(pixels).max() <= MAX_ABS_PIXEL:
                raise InputError(
                    f"'{self.text[:80]}': {step.text} drives pixels beyond all bounds: use fewer or milder steps"
                )
        if not shrunk:
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
    """Read `clean`, `blur:4`, `aniso_blur:4,1,45`, `blur:2+noise:10`.

    Raises `InputError` for an unknown family (nearest names suggested), a missing, malformed or surplus value, and a
    level out of range. Whether the order allows shrinking is checked by `Pipeline.check_scale`.
    """
    if len(text) > LONGEST:
        raise InputError(
            f"a degradation of {len(text)} characters is longer than the {LONGEST} that are read: write fewer steps"
        )
    if text.strip() == "clean":
        return Pipeline()
    return Pipeline(tuple(_parse_step(part.strip(), text) for part in _JOIN.split(text)))


def _parse_step(part: str, text: str) -> Degradation:
    name, colon, values = part.partition(":")
    text = text[:80]
    if name == "clean":
        raise InputError(f"'{text}': clean stands alone, without a level: leave it out")
    if not name:
        raise InputError(f"'{text}' names no degradation: write FAMILY:LEVEL, as blur:4, or clean")
    return find_family(name).parse([value.strip() for value in values.split(",")] if colon else [])
