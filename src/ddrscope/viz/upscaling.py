"""Figures of upscaling: an image beside its bicubic enlargement, and its place among known degradations."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.io.files import atomic_write
from ddrscope.results.upscaling import EmbeddingPlane
from ddrscope.viz.detail import most_detailed_window
from ddrscope.viz.fonts import Figure
from ddrscope.viz.style import group_style, plain

# Pixels of the result, a side: of the detail that is shown, and of the whole at most.
_DETAIL_SIDE, _WHOLE_SIDE = 360, 720


def write_comparison(path: Path, source: NDArray[np.float32], enlarged: NDArray[Any], network: str, title: str) -> None:
    """Write `comparison_figure` as a PNG."""
    _write(comparison_figure(source, enlarged, network, title), path)


def comparison_figure(source: NDArray[np.float32], enlarged: NDArray[Any], network: str, title: str) -> Figure:
    """An image, and its most detailed part, enlarged bicubically and by a network.

    Args:
        source: The image (H, W, 1 or 3) in 0..1.
        enlarged: The same enlarged by the network (scale*H, scale*W, C), unsigned integers or floats in 0..1. Further
            channels, such as transparency, are ignored.
        network: Name of the network.
        title: Title of the figure.
    """
    scale = enlarged.shape[0] // source.shape[0]
    window = most_detailed_window(source, max(_DETAIL_SIDE // scale, 1))
    detail, enlarged_detail = window.of(source), _to_unit_range(window.scaled(scale).of(enlarged), source.shape[2])
    whole = _whole(enlarged, source.shape[2])
    cells = (
        (resize(source, (whole.shape[0], whole.shape[1])), whole),
        (resize(detail, (enlarged_detail.shape[0], enlarged_detail.shape[1])), enlarged_detail),
    )
    # Bounded: a narrow image would make a figure of a million lines.
    ratios = [min(max(image.shape[0] / image.shape[1], 0.15), 2.5) for image in (whole, enlarged_detail)]
    figure = Figure(figsize=(10, 5 * sum(ratios) + 1.2), dpi=110, layout="constrained")
    figure.suptitle(plain(title), fontsize=11)
    panels = figure.subplots(2, 2, height_ratios=ratios)
    labels = (("whole, bicubic", f"whole, {network}"), (f"detail x{scale}, bicubic", f"detail x{scale}, {network}"))
    for row, images, titles in zip(panels, cells, labels, strict=True):
        for panel, image, label in zip(row, images, titles, strict=True):
            panel.imshow(np.repeat(image, 3 // image.shape[2], axis=2).clip(0, 1), interpolation="nearest")
            panel.set_title(plain(label), fontsize=10)
            panel.set_axis_off()
    return figure


def write_explanation(path: Path, plane: EmbeddingPlane, cells: NDArray[np.float64], title: str) -> None:
    """Write a PNG of the plane of known degradations with the cells (N, 2) of an image and their mean."""
    _write(plane_figure(plane, cells.mean(axis=0), title, cells=cells), path)


def plane_figure(
    plane: EmbeddingPlane,
    position: NDArray[np.float64],
    title: str,
    *,
    cells: NDArray[np.float64] | None = None,
    trail: Sequence[tuple[float, float]] = (),
    nearest: Sequence[int] = (),
) -> Figure:
    """The plane of known degradations, and the position of an image in it.

    Args:
        plane: The plane.
        position: Position (2,) of the image.
        title: Title of the figure.
        cells: Positions (N, 2) of the image's cells.
        trail: Earlier positions of the image, joined by a line that ends at ``position``.
        nearest: Indices of known images to mark with a ring.
    """
    figure = Figure(figsize=(7.5, 5), dpi=110, layout="constrained")
    panel = figure.subplots()
    if cells is not None:
        panel.scatter(
            cells[:, 0], cells[:, 1], s=6, color="#999999", alpha=0.5, linewidths=0, label="parts of the image"
        )
    _draw_known_images(panel, plane)
    if len(nearest):
        x, y = plane.points[list(nearest)].T
        panel.scatter(x, y, s=130, facecolors="none", edgecolors="black", linewidths=1.2, label="nearest known")
    if trail:
        x, y = np.array([*trail, tuple(position)]).T
        panel.plot(x, y, color="black", linewidth=1, marker="o", markersize=3, alpha=0.6, label="earlier")
    star: dict[str, Any] = {
        "s": 260,
        "color": "black",
        "marker": "*",
        "edgecolors": "white",
        "linewidths": 1,
        "zorder": 3,
    }
    panel.scatter(position[0], position[1], label="the image", **star)
    first, second = plane.explained_variance
    panel.set_xlabel(f"first component of the embedding ({first:.0%} of variance)")
    panel.set_ylabel(f"second component ({second:.0%})")
    panel.set_title(textwrap.fill(plain(title), 70), fontsize=10)
    heading = f"{len(set(plane.photos))} photographs each,\ndegraded on purpose"
    figure.legend(loc="outside right center", title=heading, fontsize=9)
    return figure


def _draw_known_images(panel: Axes, plane: EmbeddingPlane) -> None:
    for index, degradation in enumerate(dict.fromkeys(plane.degradations)):
        color, marker = group_style(index)
        x, y = plane.points[np.array(plane.degradations) == degradation].T
        style: dict[str, Any] = {"s": 30, "color": color, "marker": marker, "edgecolors": "white", "linewidths": 0.5}
        panel.scatter(x, y, label=plain(degradation), **style)


def _to_unit_range(pixels: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """The first channels as float32 in 0..1."""
    white = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return (pixels[..., :channels] / np.float32(white)).astype(np.float32, copy=False)


def _whole(enlarged: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """The enlarged image in 0..1 at the size at which it is shown."""
    height, width = enlarged.shape[:2]
    factor = min(1.0, _WHOLE_SIDE / max(height, width))
    size = max(round(height * factor), 1), max(round(width * factor), 1)
    if enlarged.size <= 4 * _WHOLE_SIDE**2:
        return resize(_to_unit_range(enlarged, channels), size)
    # Of a huge image every few rows are averaged, so that there is no second copy of it.
    step = max(height // size[0], 1)
    rows = [
        enlarged[row : row + step, :, :channels].mean(axis=0, dtype=np.float32)
        for row in range(0, height - step + 1, step)
    ]
    white = np.iinfo(enlarged.dtype).max if enlarged.dtype.kind == "u" else 1
    return resize(np.stack(rows) / np.float32(white), size)


def _write(figure: Figure, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
