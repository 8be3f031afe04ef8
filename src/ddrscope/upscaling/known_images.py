"""The bundled photographs under known degradations, with which other images are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.images import ImageFile, bundled_photos, find_images, read_image

KNOWN_DEGRADATIONS = (
    "clean", "blur:2", "blur:4", "noise:10", "noise:20", "jpeg:60", "jpeg:30", "blur:3+noise:15",
)  # fmt: skip


class KnownImage(NamedTuple):
    """A bundled photograph under a known degradation."""

    degradation: str
    file: ImageFile

    def read(self, scale: int) -> NDArray[np.float32]:
        """The degraded image, shrunk by ``scale``: (H // scale, W // scale, 3) in 0..1."""
        return parse_degradation(self.degradation).apply(read_image(self.file).pixels, 0, scale)


def known_images(degradations: Sequence[str] = KNOWN_DEGRADATIONS) -> list[KnownImage]:
    """The first crop of each bundled photograph under each of ``degradations``."""
    first: dict[str, ImageFile] = {}
    for file in find_images([bundled_photos()]):
        first.setdefault(file.photo, file)
    return [KnownImage(degradation, file) for degradation in degradations for file in first.values()]
