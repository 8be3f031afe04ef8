"""Near-duplicates: a perceptual hash that survives re-encoding, resizing, brightness, flips and quarter turns; the rule who stays.

The hash is the sign pattern of the 63 lowest frequencies of a cosine transform (Zauner, *Implementation and Benchmarking of Perceptual
Image Hash Functions*, 2010). It does not find an image inside of another: `photos.crops` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from photos.table import FITTING, MEASURING

BITS = 63
# Near-duplicates in these sets differ in up to 8 bits.
LIMIT = 10
BUNDLED = "bundled"
# Who comes first stays.
ORDER = (BUNDLED, *MEASURING, "val", "train", *(split for split in FITTING if split not in ("val", "train")))


def perceptual_hash(image: Image.Image) -> NDArray[np.bool_]:
    """The hash of an image in its eight flips and quarter turns, (8, 63)."""
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    turned = [np.rot90(side, turns) for side in (small, small.T) for turns in range(4)]
    low = [dctn(pixels, norm="ortho")[:8, :8].ravel()[1:] for pixels in turned]
    return np.array([values > np.median(values) for values in low])


def distances(hashes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Differing bits between any two of (n, 8, 63) hashes, (n, n), the least over the flips and turns of one of them."""
    signs = hashes.astype(np.float32) * 2 - 1
    upright = signs[:, 0]
    least = np.full((len(signs), len(signs)), BITS, np.int64)
    for turn in range(8):
        least = np.minimum(least, np.rint((BITS - signs[:, turn] @ upright.T) / 2).astype(np.int64))
    return np.minimum(least, least.T)


@dataclass(frozen=True)
class Pair:
    """Two near-duplicates, indices of the images that were compared; ``removed`` is that of the one to leave out, or None."""

    first: int
    second: int
    distance: int
    removed: int | None


def near_duplicates(hashes: NDArray[np.bool_], splits: Sequence[str], limit: int = LIMIT) -> list[Pair]:
    """Near-duplicates between splits.

    Of two, the one whose split is later in `ORDER` is left out, so that nothing is fitted to what is measured on, and no bundled
    photograph is used otherwise. Two that lie in sets for measuring both stay: those sets are used as published. Pairs inside one split
    are not looked for.
    """
    pairs = []
    between = distances(hashes)
    for first, second in zip(*np.nonzero(np.triu(between <= limit, 1)), strict=True):
        ranks = ORDER.index(splits[first]), ORDER.index(splits[second])
        if ranks[0] == ranks[1]:
            continue
        measuring = max(ranks) < ORDER.index("val")
        later = int(first if ranks[0] > ranks[1] else second)
        pairs.append(Pair(int(first), int(second), int(between[first, second]), None if measuring else later))
    return pairs
