"""Generated images that resemble photographs in their frequencies, for tests of near-duplicates and of the set of photographs."""

from __future__ import annotations

import numpy as np
from PIL import Image


def scene(seed: int, size: tuple[int, int] = (240, 160)) -> Image.Image:
    """Smooth areas, edges and fine texture; another seed, another scene."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    areas = np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.float64)
    y, x = np.mgrid[: size[1], : size[0]]
    for _ in range(6):
        left, top, side = rng.integers(0, size[0]), rng.integers(0, size[1]), rng.integers(20, 60)
        areas[(abs(x - left) < side) & (abs(y - top) < side / 2)] += rng.integers(-60, 60, 3)
    return Image.fromarray(np.clip(areas + rng.normal(0, 4, areas.shape), 0, 255).astype(np.uint8))
