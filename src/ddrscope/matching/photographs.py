"""Clean photographs, of which tiles are made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain
from ddrscope.errors import escaped
from ddrscope.images import ImageFile, read_ahead
from ddrscope.matching.tiles import FLAT, SIDE, contrast
from ddrscope.results.skipped import SkippedImage

# Of more photographs so many are taken, and of each a part of this many pixels a side, so that memory is bounded.
MOST, PART = 400, 1280
# LR pixels around a tile that are degraded with it where the photograph is large enough, so that borders do not show.
MARGIN = 8
# Every third photograph judges.
_JUDGING = 3
# A flat region is drawn anew so often.
_TRIES = 8


class CleanPhotographs:
    """Parts of photographs in memory, of which tiles are made.

    Args:
        files: Of the photographs.
        scale: The factor from LR to HR.
        seed: Of the choice of parts and regions.
        skipped: Takes those that cannot be read or are too small.
        advance: Called after each file.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        scale: int,
        seed: int,
        skipped: list[SkippedImage],
        advance: Callable[[], object] = lambda: None,
    ) -> None:
        self.scale, self.seed = scale, seed
        self._parts: dict[str, list[NDArray[np.uint8]]] = {}
        for reading in read_ahead(files):
            advance()
            path = escaped(str(reading.file.path))
            if reading.image is None:
                skipped.append(SkippedImage(path, reading.error.reason if reading.error else "cannot be read"))
                continue
            pixels = reading.image.pixels
            if min(pixels.shape[:2]) < SIDE * scale:
                size = f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
                skipped.append(
                    SkippedImage(path, f"{size} are too few: {SIDE * scale} a side are needed at scale {scale}")
                )
                continue
            rng = self._rng(reading.file.name)
            top, left = (int(rng.integers(max(0, side - PART) + 1)) for side in pixels.shape[:2])
            part = np.rint(255 * pixels[top : top + PART, left : left + PART]).astype(np.uint8)
            self._parts.setdefault(reading.file.photo, []).append(part)

    @property
    def names(self) -> list[str]:
        """The photographs that tiles can be made of, in the order in which they are."""
        return list(self._parts)

    def make_tiles(self, part: int) -> Iterator[Callable[[DegradationChain, np.random.Generator], NDArray[np.float32]]]:
        """What makes a tile of one photograph after the other, without end.

        Args:
            part: Another number gives other regions.
        """
        sources = [self._regions(pixels, self._rng(name, part)) for name, pixels in self._parts.items()]
        for source in itertools.cycle(sources):
            yield _TileMaker(next(source))

    def _regions(self, parts: list[NDArray[np.uint8]], rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
        while True:
            pixels = parts[int(rng.integers(len(parts)))]
            sides = [min(SIDE + 2 * MARGIN, length // self.scale // 8 * 8) * self.scale for length in pixels.shape[:2]]
            for _ in range(_TRIES):
                top, left = (
                    int(rng.integers(whole - own + 1)) for whole, own in zip(pixels.shape, sides, strict=False)
                )
                region = pixels[top : top + sides[0], left : left + sides[1]].astype(np.float32) / np.float32(255)
                if contrast(region[None], 8 * self.scale)[0] > FLAT:
                    break
            region = np.rot90(region, int(rng.integers(4)))
            yield np.ascontiguousarray(region[:, ::-1] if rng.random() < 0.5 else region)

    def _rng(self, name: str, part: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.seed, part, *name.encode("utf-8", "surrogateescape")])


class _TileMaker:
    def __init__(self, region: NDArray[np.float32]) -> None:
        self.region = region

    def __call__(self, chain: DegradationChain, rng: np.random.Generator) -> NDArray[np.float32]:
        made = chain.apply(self.region, rng)
        # On the block grid of JPEG, which begins at the corner of the region.
        top, left = ((side - SIDE) // 2 // 8 * 8 for side in made.shape[:2])
        return made[top : top + SIDE, left : left + SIDE]


def split_photographs(files: Sequence[ImageFile]) -> tuple[list[ImageFile], list[ImageFile]]:
    """Files whose photographs make tiles for the search, and files of every third photograph, which judge.

    The order is that of a hash of the photograph's name. Of more than `MOST` photographs so many are taken.
    """
    photos = sorted({file.photo for file in files}, key=_hash)[:MOST]
    judging = set(photos[::_JUDGING])
    searching = set(photos) - judging
    return [f for f in files if f.photo in searching], [f for f in files if f.photo in judging]


def _hash(name: str) -> bytes:
    return sha256(name.encode("utf-8", "surrogateescape")).digest()


def held_out(photos: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which tiles are of every third photograph by a hash of its name, (N,)."""
    names = sorted(set(photos.tolist()), key=_hash)
    return np.isin(photos, names[::_JUDGING])
