"""Finds crops in larger photographs by normalized cross-correlation at reduced size, over a range of scales."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

# Side in pixels of the templates of the search and of the confirmation.
COARSE, FINE = 20, 64
# Ratio of consecutive scales: a template that is 6 % too large or too small still correlates.
STEP = 1.12
# The content of a crop may be this many times smaller in the photograph. Perceptual hashes find smaller ones.
SMALLEST = 2.0
# Crops reach 0.94 to 1.00 in the photographs that they were cut from; smooth gradients reach up to 0.91 in other photographs.
CANDIDATE, CONFIRMED = 0.75, 0.92
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Match:
    """A crop, the image that contains it, and the highest correlation, at a place `side` pixels wide."""

    crop: Path
    image: Path
    correlation: float
    side: float


def find_crops(crops: Sequence[Path], images: Iterable[Path]) -> list[Match]:
    """Images that may contain one of the square crops; rotated crops are not found."""
    sources = [Image.open(path).convert("L") for path in crops]
    coarse = np.array([_pixels(source, (COARSE, COARSE)) for source in sources])
    matches = []
    for path in images:
        image = Image.open(path).convert("L")
        best: dict[int, tuple[float, float]] = {}
        for side in _sides(image, sources[0].width):
            for index, score in enumerate(_best_correlations(image, coarse, side)):
                best[index] = max(best.get(index, (0.0, 0.0)), (float(score), side))
        for index, (score, side) in best.items():
            if score < CANDIDATE:
                continue
            template = _pixels(sources[index], (FINE, FINE))[None]
            sides = [side * STEP ** (step / 6) for step in range(-6, 7)]
            finer = max(
                (float(_best_correlations(image, template, other)[0]), other)
                for other in sides
                if other <= min(image.size)
            )
            if finer[0] >= CONFIRMED:
                matches.append(Match(crops[index], path, *finer))
    return sorted(matches, key=lambda match: -match.correlation)


def _sides(image: Image.Image, crop_side: int) -> list[float]:
    """Widths in pixels to search: the crop may have one of these in the image."""
    side, sides = crop_side / SMALLEST, []
    while side <= min(image.size):
        sides.append(side)
        side *= STEP
    return sides


def _pixels(image: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(
        image.resize(size, Image.Resampling.BOX if image.width > size[0] else Image.Resampling.BICUBIC), np.float32
    )


def _best_correlations(image: Image.Image, templates: NDArray[np.float32], side: float) -> NDArray[np.float32]:
    """The highest normalized cross-correlation of each of (n, t, t) templates with any square of the image `side` pixels wide."""
    t = templates.shape[-1]
    size = max(t, round(image.width * t / side)), max(t, round(image.height * t / side))
    pixels = _pixels(image, size)
    pixels = pixels - pixels.mean()
    centred = templates - templates.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=(1, 2)))
    shape = [fft.next_fast_len(length, real=True) for length in pixels.shape]
    valid = slice(0, pixels.shape[0] - t + 1), slice(0, pixels.shape[1] - t + 1)
    spectrum = fft.rfft2(pixels, shape)
    products = fft.irfft2(spectrum * np.conj(fft.rfft2(centred, shape)), shape)[:, valid[0], valid[1]]
    means, squares = _window_sums(pixels, t) / t**2, _window_sums(pixels**2, t)
    spread = np.sqrt(np.maximum(squares - t**2 * means**2, 0))
    # A flat window matches nothing.
    spread[spread < t] = np.inf
    return (products / (spread * np.maximum(norms, NEGLIGIBLE)[:, None, None])).max(axis=(1, 2)).astype(np.float32)


def _window_sums(pixels: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    total = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1))
    total[1:, 1:] = pixels.astype(np.float64).cumsum(0).cumsum(1)
    return total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
