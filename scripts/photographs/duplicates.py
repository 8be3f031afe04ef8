"""Near-duplicates between splits, by a perceptual hash that is robust to re-encoding, resizing, brightness, flips and quarter turns.

The hash is the sign pattern of the 63 lowest frequencies of a cosine transform (Zauner, *Implementation and Benchmarking of Perceptual
Image Hash Functions*, 2010). It does not find crops; see `scripts.photographs.crops`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from scripts.photographs.table import FITTING, MEASURING

BITS = 63
# Bits. Near-duplicates in these sets differ in up to 8.
LIMIT = 10
BUNDLED = "bundled"
# Of two near-duplicates, the one whose split is first is kept.
ORDER = (BUNDLED, *MEASURING, "val", "train", *(split for split in FITTING if split not in ("val", "train")))


def perceptual_hash(image: Image.Image) -> NDArray[np.bool_]:
    """The hash of an image in its eight flips and quarter turns, (8, 63)."""
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    turned = [np.rot90(side, turns) for side in (small, small.T) for turns in range(4)]
    low = [dctn(pixels, norm="ortho")[:8, :8].ravel()[1:] for pixels in turned]
    return np.array([values > np.median(values) for values in low])


def distances(hashes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Differing bits (n, n) between any two of (n, 8, 63) hashes: the minimum over the flips and turns of one of them."""
    signs = hashes.astype(np.float32) * 2 - 1
    upright = signs[:, 0]
    least = np.full((len(signs), len(signs)), BITS, np.int64)
    for turn in range(8):
        least = np.minimum(least, np.rint((BITS - signs[:, turn] @ upright.T) / 2).astype(np.int64))
    return np.minimum(least, least.T)


@dataclass(frozen=True)
class Pair:
    """Indices of two near-duplicates; ``removed`` is the index of the one to exclude, or None."""

    first: int
    second: int
    distance: int
    removed: int | None


def near_duplicates(hashes: NDArray[np.bool_], splits: Sequence[str], limit: int = LIMIT) -> list[Pair]:
    """Near-duplicates between splits.

    The one whose split is later in `ORDER` is excluded, so that no network is fitted to an image that results are measured on, and
    no bundled photograph is used for anything else. Two images of test sets are both kept: those sets are used as published. Pairs
    within one split are ignored.
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
