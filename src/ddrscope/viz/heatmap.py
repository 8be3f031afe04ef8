"""Where an image is distorted, drawn over the image."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.io.files import atomic_write
from ddrscope.results.identification import DistortionMap, Identification
from ddrscope.results.vocabulary import CLEAN
from ddrscope.viz.fonts import Figure, plain
from ddrscope.viz.identification import group_color

# Likelihoods at which a group's colour begins to show, and shows in full.
MIN_LIKELIHOOD, FULL_LIKELIHOOD = 0.25, 0.75
# How opaque the full colour is, and how colourful the image is under it.
OPACITY, SATURATION = 0.65, 0.25
# Larger images are drawn shrunk.
MAX_SIDE = 1024
# A group is in the legend if it shows this strongly on this share of the image.
VISIBLE_STRENGTH, VISIBLE_SHARE = 0.1, 0.005
# Of height to width: wide images get a broader figure.
TALL = 1.6


def write_heatmap(
    path: Path, pixels: NDArray[np.float32], distortions: DistortionMap, identification: Identification
) -> None:
    """Write `heatmap_figure`, with the file's name as title, as a PNG; atomically."""
    figure = heatmap_figure(pixels, distortions, identification, path.stem)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def heatmap_figure(
    pixels: NDArray[np.float32], distortions: DistortionMap, identification: Identification, name: str
) -> Figure:
    """An image, and beside it the image under the colours of the groups that are likely at each place.

    Args:
        pixels: The image, float32 (H, W, 3) in 0..1.
        distortions: Of this image.
        identification: Of this image, for the title.
        name: Of this image, for the title.
    """
    height, width = pixels.shape[:2]
    factor = min(1.0, MAX_SIDE / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    shown = np.clip(resize(pixels, size), 0, 1) if factor < 1 else pixels
    likelihoods = {
        group: resize(plane.astype(np.float32)[..., None], size)[..., 0]
        for group, plane in distortions.group_likelihoods().items()
    }
    groups = list(likelihoods)
    likeliest, strength = _likeliest_group(likelihoods)
    overlay = _overlay(shown, groups, likeliest, strength)

    ratio = size[0] / size[1]
    figsize = (10, 5 * ratio + 1.1) if ratio < TALL else (8, 4 * ratio + 1.1)
    figure = Figure(figsize=figsize, dpi=110, layout="constrained")
    for panel, image, title in zip(figure.subplots(1, 2), (shown, overlay), ("image", "distortions"), strict=True):
        panel.imshow(np.clip(image, 0, 1), interpolation="nearest" if factor == 1 else "auto")
        panel.set_title(title, fontsize=10)
        panel.axis("off")
    visible = [
        group
        for index, group in enumerate(groups)
        if (strength * (likeliest == index) > VISIBLE_STRENGTH).mean() > VISIBLE_SHARE
    ]
    handles = [Patch(color=group_color(group), label=group.replace("_", ", ")) for group in visible]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    figure.suptitle(textwrap.fill(plain(f"{name}: {identification}"), 95 if ratio < TALL else 75), fontsize=11)
    return figure


def _likeliest_group(likelihoods: dict[str, NDArray[np.float32]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The index of the likeliest group at each place, and how strongly to show it: not at all where it is clean."""
    stacked = np.stack(list(likelihoods.values()))
    likeliest = stacked.argmax(axis=0)
    strength = np.clip((stacked.max(axis=0) - MIN_LIKELIHOOD) / (FULL_LIKELIHOOD - MIN_LIKELIHOOD), 0, 1)
    return likeliest, np.where(likeliest == list(likelihoods).index(CLEAN), 0, strength)


def _overlay(
    shown: NDArray[np.float32], groups: list[str], likeliest: NDArray[np.int64], strength: NDArray[np.float64]
) -> NDArray[np.float64]:
    grey = np.repeat(shown.mean(axis=2, keepdims=True), 3, axis=2) * (1 - SATURATION) + SATURATION * shown
    palette = np.array([to_rgb(group_color(group)) for group in groups])
    weight = OPACITY * strength[..., None]
    return grey * (1 - weight) + palette[likeliest] * weight
