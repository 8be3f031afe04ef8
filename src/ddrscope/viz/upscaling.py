"""Images of what upscale did: side by side with bicubic enlargement, and the input's place among known degradations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.io.files import atomic_write
from ddrscope.upscaling import EmbeddingMap
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import group_style, plain

# Pixels of the result a side of the detail shown, and of the whole at most.
DETAIL, WHOLE = 360, 720
# Pixels among which the place of most detail is looked for.
SEARCHED = 1_000_000


def write_comparison(
    path: Path, small: NDArray[np.float32], made: NDArray[np.unsignedinteger], name: str, found: str
) -> None:
    """Write a PNG: an image (H, W, 1 or 3) in 0..1, and its place of most detail, enlarged bicubically and as ``made`` by a network."""
    scale = made.shape[0] // small.shape[0]
    large = made[..., : small.shape[2]] / np.float32(np.iinfo(made.dtype).max) if made.size <= 4 * WHOLE**2 else None
    top, left, side = _place_of_detail(small, max(DETAIL // scale, 1))
    piece = small[top : top + side[0], left : left + side[1]]
    inside = made[top * scale : (top + side[0]) * scale, left * scale : (left + side[1]) * scale, : small.shape[2]]
    whole = min(1.0, WHOLE / max(made.shape[:2]))
    size = (max(round(made.shape[0] * whole), 1), max(round(made.shape[1] * whole), 1))
    shown = resize(large, size) if large is not None else _thinned(made[..., : small.shape[2]], size)
    cells = (
        (resize(small, size), shown),
        (resize(piece, inside.shape[:2]), inside / np.float32(np.iinfo(made.dtype).max)),
    )
    # A stripe of an image must not make a figure of a million lines.
    ratio = [min(max(shape[0] / shape[1], 0.15), 2.5) for shape in (size, inside.shape)]
    figure = Figure(figsize=(10, 5 * sum(ratio) + 1.2), dpi=110, layout="constrained")
    figure.suptitle(plain(found), fontsize=11)
    panels = figure.subplots(2, 2, height_ratios=ratio)
    titles = (("whole, bicubic", f"whole, {name}"), (f"detail x{scale}, bicubic", f"detail x{scale}, {name}"))
    for row, images, words in zip(panels, cells, titles, strict=True):
        for panel, image, title in zip(row, images, words, strict=True):
            panel.imshow(np.repeat(image, 3 // image.shape[2], axis=2).clip(0, 1), interpolation="nearest")
            panel.set_title(plain(title), fontsize=10)
            panel.set_axis_off()
    _save(figure, path)


def write_explanation(path: Path, known: EmbeddingMap, cells: NDArray[np.float64], title: str) -> None:
    """Write a PNG: the plane of known degradations, the image's cells (N, 2) in it and their mean."""
    _save(map_figure(known, cells.mean(axis=0), title, cells=cells), path)


def map_figure(
    known: EmbeddingMap,
    place: NDArray[np.float64],
    title: str,
    *,
    cells: NDArray[np.float64] | None = None,
    trail: Sequence[tuple[float, float]] = (),
    near: Sequence[int] = (),
) -> Figure:
    """The plane of known degradations and an image's ``place`` (2,) in it.

    Drawn beside: the image's ``cells`` (N, 2), the ``trail`` of earlier places that leads to this one, rings around the known
    images ``near``.
    """
    figure = Figure(figsize=(7.5, 5), dpi=110, layout="constrained")
    panel = figure.subplots()
    if cells is not None:
        panel.scatter(
            cells[:, 0], cells[:, 1], s=6, color="#999999", alpha=0.5, linewidths=0, label="places in the image"
        )
    for index, degradations in enumerate(dict.fromkeys(known.degradations)):
        color, marker = group_style(index)
        chosen = np.array(known.degradations) == degradations
        x, y = known.points[chosen].T
        panel.scatter(
            x, y, s=30, color=color, marker=marker, edgecolors="white", linewidths=0.5, label=plain(degradations)
        )
    if len(near):
        x, y = known.points[list(near)].T
        panel.scatter(x, y, s=130, facecolors="none", edgecolors="black", linewidths=1.2, label="nearest known")
    if trail:
        x, y = np.array([*trail, tuple(place)]).T
        panel.plot(x, y, color="black", linewidth=1, marker="o", markersize=3, alpha=0.6, label="earlier")
    panel.scatter(
        place[0],
        place[1],
        s=260,
        color="black",
        marker="*",
        edgecolors="white",
        linewidths=1,
        label="the image",
        zorder=3,
    )
    panel.set_xlabel(f"first component of the embedding ({known.plane.explained_variance_ratio_[0]:.0%} of variance)")
    panel.set_ylabel(f"second ({known.plane.explained_variance_ratio_[1]:.0%})")
    panel.set_title(plain(title), fontsize=10)
    figure.legend(
        loc="outside right center", title=f"{len(set(known.photos))} photographs each,\ndegraded on purpose", fontsize=9
    )
    return figure


def _place_of_detail(small: NDArray[np.float32], side: int) -> tuple[int, int, tuple[int, int]]:
    """Corner and size of the window where neighbours differ most."""
    # Every so many pixels of a large image are enough to find it.
    step = max(round((small.shape[0] * small.shape[1] / SEARCHED) ** 0.5), 1)
    grey = small[::step, ::step].mean(axis=2)
    height, width = (max(min(side // step, length), 1) for length in grey.shape)
    change = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    sums = np.pad(change, ((1, 0), (1, 0))).cumsum(0, dtype=np.float64).cumsum(1)
    windows = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(windows.argmax(), windows.shape)
    size = min(side, small.shape[0]), min(side, small.shape[1])
    return min(int(top) * step, small.shape[0] - size[0]), min(int(left) * step, small.shape[1] - size[1]), size


def _thinned(made: NDArray[np.unsignedinteger], size: tuple[int, int]) -> NDArray[np.float32]:
    """A huge image at a size to look at, from every so many pixels' means, without a second copy of it."""
    step = max(made.shape[0] // size[0], 1)
    rows = [made[row : row + step].mean(axis=0, dtype=np.float32) for row in range(0, made.shape[0] - step + 1, step)]
    lines = np.stack(rows) / np.float32(np.iinfo(made.dtype).max)
    return resize(lines, size)


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
