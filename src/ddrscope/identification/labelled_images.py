"""Images whose distortion is known: regions of clean photographs that are distorted here, and labelled folders."""

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
from ddrscope.images import ImageFile, assign_photographs, find_images, read_image
from ddrscope.results.vocabulary import CLEAN

# Pixels that are cut off after distorting, so that block grids start anywhere.
MARGIN = 16
# Photographs are also shrunk, because their sharpness differs from camera to camera.
SCALES = (1.0, 0.75, 0.5)
# Of labelled images whose folder names none.
DEFAULT_LEVEL = 3
# Levels of two distortions in one region: weaker ones would hide behind each other.
MIN_PAIR_LEVEL = 2


@dataclass(frozen=True)
class LabelledImage:
    """An image with known distortions.

    Args:
        photo: Its photograph; images of one photograph stay together when photographs are held out.
        levels: The level of each distortion that is present, 1 to 5; empty for a clean image.
        text: The degradation that made it, or its file.
        load: Gives its pixels, float32 (H, W, 3) in 0..1.
    """

    photo: str
    levels: dict[str, int]
    text: str
    load: Callable[[], NDArray[np.float32]]


class DistortionSampler:
    """Samples regions of clean photographs and distorts them. A sample depends on the seed and its number only.

    Args:
        sources: Clean photographs, as `find_images` takes them.
        side: Of a region in pixels.
        distortions: What is done to the regions.
        seed: Of the places, scales and variants.
        photo_from: What images of one photograph share: see `assign_photographs`.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        side: int,
        distortions: Sequence[Distortion] = DISTORTIONS,
        seed: int = 0,
        photo_from: str = "prefix",
    ) -> None:
        self.files = assign_photographs(find_images(list(sources)), photo_from)
        self.side, self.distortions, self.seed = side, tuple(distortions), seed

    def every_level(self, repeats: int = 1) -> Iterator[LabelledImage]:
        """Each photograph with each distortion at each level, and clean as often as with one distortion.

        Args:
            repeats: The number of regions for each of these. More repeats do not change the first ones.
        """
        for photo in range(len(self.files)):
            for number in range(repeats):
                for level in range(1, LEVELS + 1):
                    yield self.sample(photo, (number, 0, level), [])
                    for index, distortion in enumerate(self.distortions):
                        yield self.sample(photo, (number, index + 1, level), [(distortion, level)])

    def pairs(self, count: int) -> Iterator[LabelledImage]:
        """``count`` regions of each photograph, each with two distortions of different groups."""
        for photo in range(len(self.files)):
            for number in range(count):
                random = np.random.default_rng((self.seed, photo, number, 1))
                first = self.distortions[int(random.integers(len(self.distortions)))]
                others = [distortion for distortion in self.distortions if distortion.group != first.group]
                if others:
                    second = others[int(random.integers(len(others)))]
                    low, high = (int(level) for level in random.integers(MIN_PAIR_LEVEL, LEVELS + 1, size=2))
                    yield self.sample(photo, (number, 1000), [(first, low), (second, high)])

    def sample(
        self, photo: int, number: tuple[int, ...], distortions: Sequence[tuple[Distortion, int]]
    ) -> LabelledImage:
        """A region of a photograph at a random place.

        Args:
            photo: The index of the photograph in ``files``.
            number: Seeds the place, with the seed and the photograph.
            distortions: Distortions with their levels, applied in this order; none for a clean region.
        """
        random = np.random.default_rng((self.seed, photo, *number))
        scale = float(random.choice(SCALES))
        place = random.random(2)
        offset = random.integers(MARGIN + 1, size=2)
        text = "+".join(str(random.choice(distortion.levels[level - 1])) for distortion, level in distortions) or CLEAN
        levels = {distortion.name: level for distortion, level in distortions}
        load = partial(self._distorted, photo, scale, place, offset, text)
        return LabelledImage(self.files[photo].photo, levels, text, load)

    def _distorted(
        self, photo: int, scale: float, place: NDArray[np.float64], offset: NDArray[np.int64], text: str
    ) -> NDArray[np.float32]:
        pixels = self._photograph(photo, scale)
        length = self.side + MARGIN
        top, left = (int(share * (side - length)) for share, side in zip(place, pixels.shape[:2], strict=True))
        distorted = parse_degradation(text).apply(pixels[top : top + length, left : left + length], self.seed)
        top, left = offset
        return distorted[top : top + self.side, left : left + self.side]

    @lru_cache(maxsize=64)  # noqa: B019  (the photographs live as long as the sampler)
    def _photograph(self, photo: int, scale: float) -> NDArray[np.float32]:
        file = self.files[photo]
        pixels = read_image(file).pixels
        shorter, length = min(pixels.shape[:2]), self.side + MARGIN
        if shorter < self.side:
            raise InputError(f"{file.path} is smaller than the regions of `side`={self.side} pixels: leave it out")
        factor = max(scale, length / shorter)
        height, width = (max(length, round(side * factor)) for side in pixels.shape[:2])
        return np.clip(resize(pixels, (height, width)), 0, 1)


def read_labelled_folder(folder: str | Path, photo_from: str = "prefix") -> list[LabelledImage]:
    """The images of a folder whose subfolders name their distortion.

    Args:
        folder: Holds images as ``TYPE/*`` or ``TYPE/LEVEL/*``, with levels 1 to 5, and clean ones as ``clean/*``.
        photo_from: What images of one photograph share: see `assign_photographs`.

    Raises:
        InputError: An image lies in no subfolder.
    """
    images = []
    for file in assign_photographs(find_images([folder]), photo_from):
        kind, *subfolders = Path(file.name).parts[:-1] or [""]
        if not kind:
            raise InputError(
                f"{file.path} lies in no subfolder that names its distortion: put it into one, such as {folder}/{CLEAN}"
            )
        level = subfolders[0] if subfolders else ""
        graded = int(level) if level in map(str, range(1, LEVELS + 1)) else DEFAULT_LEVEL
        levels = {} if kind == CLEAN else {kind: graded}
        # The name without folders, since crops of one photograph may lie in several.
        images.append(LabelledImage(Path(file.photo).name, levels, str(file.path), partial(_read_pixels, file)))
    return images


def _read_pixels(file: ImageFile) -> NDArray[np.float32]:
    return read_image(file).pixels
