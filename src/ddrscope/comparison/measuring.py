"""Images as points along the axes of degradation: blur, noise, JPEG quality, enlargement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ddrscope.errors import escaped
from ddrscope.identification import ImageIdentifier, load_identifier
from ddrscope.identification.compact import CompactIdentifier
from ddrscope.identification.descriptor import MIN_SIDE
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles
from ddrscope.images import ImageFile, read_ahead
from ddrscope.results.comparison import AXES, MeasuredImages
from ddrscope.results.skipped import SkippedImage
from ddrscope.results.vocabulary import ESTIMATES


class ImageMeasurer:
    """Measures images by the bundled compact identifier.

    Args:
        identifier: A compact identifier. Default: the bundled one.
    """

    def __init__(self, identifier: ImageIdentifier | None = None) -> None:
        self._identifier = identifier or load_identifier()

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        """The values (axes,) of an image (H, W, 3) in 0..1."""
        corners = place_tiles(pixels.shape[0], pixels.shape[1], TILE, MAX_TILES)
        reader = self._identifier.identifier
        assert isinstance(reader, CompactIdentifier)
        expected = reader.expected(self._identifier.descriptor.describe(cut_tiles(pixels, corners)))
        return np.array([expected[ESTIMATES.index(axis.name)] for axis in AXES])

    def measure_files(
        self,
        files: Sequence[ImageFile],
        skipped: list[SkippedImage],
        advance: Callable[[], None] = lambda: None,
    ) -> MeasuredImages:
        """Measure image files; those that cannot be read or are too small are added to ``skipped``."""
        paths: list[str] = []
        photos: list[str] = []
        rows: list[NDArray[np.float64]] = []
        for file, values in self.iter_files(files, skipped):
            if values is not None:
                paths.append(escaped(str(file.path)))
                photos.append(file.photo)
                rows.append(values)
            advance()
        return MeasuredImages(tuple(paths), tuple(photos), np.array(rows).reshape(len(rows), len(AXES)))

    def iter_files(
        self, files: Sequence[ImageFile], skipped: list[SkippedImage]
    ) -> Iterator[tuple[ImageFile, NDArray[np.float64] | None]]:
        """Measure image files one after the other; None for those that are added to ``skipped``."""
        for reading in read_ahead(files):
            path = escaped(str(reading.file.path))
            if reading.image is None:
                skipped.append(SkippedImage(path, reading.error.reason if reading.error else "cannot be read"))
                yield reading.file, None
                continue
            pixels = reading.image.pixels
            if min(pixels.shape[:2]) < MIN_SIDE:
                reason = f"{pixels.shape[1]} x {pixels.shape[0]} pixels are too few: {MIN_SIDE} a side are needed"
                skipped.append(SkippedImage(path, reason))
                yield reading.file, None
                continue
            yield reading.file, self(pixels)
