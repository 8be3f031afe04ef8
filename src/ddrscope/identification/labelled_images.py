"""Images to fit and to test on: regions of clean photographs with known distortions, and labelled folders of real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation, resize
from ddrscope.degradations.distortions import DISTORTIONS, LEVELS, Distortion
from ddrscope.errors import InputError
from ddrscope.identification.identifier import CLEAN
from ddrscope.images import ImageFile, assign_photographs, find_images, read_image

# Cut off after distorting, so that block grids begin anywhere.
MARGIN = 16
# Photographs are also shrunk, because sharpness differs from camera to camera.
SHRUNK = (1.0, 0.75, 0.5)
# Of labelled images whose folder tells none.
USUAL_LEVEL = 3


@dataclass(frozen=True)
class Sample:
    """An image with known degradation: ``levels`` by distortion's name (none: clean), its photograph, and how to get its pixels.

    ``text`` is the degradation that made it, or the file it is. Pixels are (H, W, 3) in 0..1.
    """

    photo: str
    levels: dict[str, int]
    text: str
    load: Callable[[], NDArray[np.float32]]


class Distorter:
    """Draws distorted regions of ``side`` pixels from the photographs in ``folders``, each a function of ``seed`` and its number."""

    def __init__(
        self,
        folders: Sequence[str | Path],
        side: int,
        distortions: Sequence[Distortion] = DISTORTIONS,
        seed: int = 0,
        photo_from: str = "prefix",
    ) -> None:
        self.files = assign_photographs(find_images(list(folders)), photo_from)
        self.side, self.distortions, self.seed = side, tuple(distortions), seed

    def every_level(self, repeats: int = 1, first: int = 0) -> Iterator[Sample]:
        """Every photograph with every distortion at every level, and clean as often as with one of them, at places of their own.

        All that ``repeats`` times; without the ``first`` of them, which are the same whatever the number of repeats.
        """
        for photo in range(len(self.files)):
            for number in range(first, repeats):
                for level in range(1, LEVELS + 1):
                    yield self.draw(photo, (number, 0, level), [])
                    for index, distortion in enumerate(self.distortions):
                        yield self.draw(photo, (number, index + 1, level), [(distortion, level)])

    def pairs(self, count: int) -> Iterator[Sample]:
        """``count`` regions of every photograph, each with two distortions of different groups, of levels 2 and more."""
        for photo in range(len(self.files)):
            for number in range(count):
                random = np.random.default_rng((self.seed, photo, number, 1))
                first = self.distortions[int(random.integers(len(self.distortions)))]
                others = [distortion for distortion in self.distortions if distortion.group != first.group]
                if others:
                    second = others[int(random.integers(len(others)))]
                    low, high = (int(level) for level in random.integers(2, LEVELS + 1, size=2))
                    yield self.draw(photo, (number, 1000), [(first, low), (second, high)])

    def draw(self, photo: int, number: tuple[int, ...], distortions: Sequence[tuple[Distortion, int]]) -> Sample:
        """A region of a photograph, its place drawn, with the given distortions and levels, in that order."""
        random = np.random.default_rng((self.seed, photo, *number))
        shrunk = float(random.choice(SHRUNK))
        place = random.random(2)
        offset = random.integers(MARGIN + 1, size=2)
        text = "+".join(str(random.choice(distortion.levels[level - 1])) for distortion, level in distortions) or CLEAN
        levels = {distortion.name: level for distortion, level in distortions}
        return Sample(
            self.files[photo].photo, levels, text, partial(self._distorted, photo, shrunk, place, offset, text)
        )

    def _distorted(
        self, photo: int, shrunk: float, place: NDArray[np.float64], offset: NDArray[np.int64], text: str
    ) -> NDArray[np.float32]:
        pixels = self._photo(photo, shrunk)
        length = self.side + MARGIN
        top, left = (int(at * (side - length)) for at, side in zip(place, pixels.shape[:2], strict=True))
        distorted = parse_degradation(text).apply(pixels[top : top + length, left : left + length], self.seed)
        top, left = offset
        return distorted[top : top + self.side, left : left + self.side]

    @lru_cache(maxsize=64)  # noqa: B019  (the photographs live as long as what draws from them)
    def _photo(self, photo: int, shrunk: float) -> NDArray[np.float32]:
        file = self.files[photo]
        pixels = read_image(file).pixels
        shorter, length = min(pixels.shape[:2]), self.side + MARGIN
        if shorter < self.side:
            raise InputError(
                f"{file.path} is smaller than the {self.side} pixels a side that a sample takes: leave it out"
            )
        factor = max(shrunk, length / shorter)
        height, width = (max(length, round(side * factor)) for side in pixels.shape[:2])
        return np.clip(resize(pixels, (height, width)), 0, 1)


def labelled_samples(folder: str | Path, photo_from: str = "prefix") -> list[Sample]:
    """The images of a folder whose subfolders name their degradation: ``TYPE/*`` or ``TYPE/LEVEL/*``, LEVEL 1 to 5; ``clean/*``: none."""
    found = []
    for file in assign_photographs(find_images([folder]), photo_from):
        kind, *level = Path(file.name).parts[:-1] or [""]
        if not kind:
            raise InputError(
                f"{file.path} lies in no subfolder that names its degradation: put it into one, as {folder}/{CLEAN}"
            )
        graded = int(level[0]) if level and level[0] in map(str, range(1, LEVELS + 1)) else USUAL_LEVEL
        levels = {} if kind == CLEAN else {kind: graded}
        # Crops of one photograph share its name in whatever folder they are.
        found.append(Sample(Path(file.photo).name, levels, str(file.path), partial(_pixels_of, file)))
    return found


def _pixels_of(file: ImageFile) -> NDArray[np.float32]:
    return read_image(file).pixels
