"""Two sets of images along the axes of degradation, and typical images of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddrscope.errors import InputError
from ddrscope.images import read_image
from ddrscope.io.files import atomic_write
from ddrscope.results.comparison import ComparisonResult, MeasuredImages
from ddrscope.viz.fonts import Figure, plain
from ddrscope.viz.style import OKABE_ITO

DPI = 110
# The side of the part of an image that is shown, in pixels.
SHOWN = 192


def write_sheet(path: Path, result: ComparisonResult, sets: Sequence[MeasuredImages]) -> None:
    """Write a PNG: distributions along each axis above, typical images of both sets below; atomically."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    figure.suptitle(plain(result.verdict()), fontsize=10, wrap=True)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.5))[:, 0]
    panels = above.subplots(1, len(result.differences))
    for index, (panel, each) in enumerate(zip(panels, result.differences, strict=True)):
        values = [images.values[:, index] for images in sets]
        low, high = np.percentile(np.concatenate(values), [0.5, 99.5])
        edges = np.linspace(low, high if high > low else low + 1, 25)
        for name, color, own in zip(("first", "second"), OKABE_ITO, values, strict=False):
            weights = np.full(len(own), 1 / len(own))
            panel.hist(np.clip(own, edges[0], edges[-1]), edges, weights=weights, alpha=0.6, color=color, label=name)
            panel.axvline(float(own.mean()), color=color, linewidth=2)
        unit = f" ({each.axis.unit})" if each.axis.unit else ""
        panel.set_xlabel(f"{each.axis.words}{unit}")
        value, low, high = each.difference.value, each.difference.low, each.difference.high
        weight = "bold" if each.differs else "normal"
        panel.set_title(f"{value:+.2f} [{low:+.2f}, {high:+.2f}]", fontsize=9, weight=weight)
    panels[0].set_ylabel("share of images")
    panels[0].legend(frameon=False)
    rows = below.subplots(2, max(map(len, result.typical)), squeeze=False)
    for row, paths, name in zip(rows, result.typical, ("first", "second"), strict=True):
        for panel in row:
            panel.axis("off")
        for panel, image in zip(row, paths, strict=False):
            panel.set_title(plain(f"{name}: {Path(image).name}"[:28]), fontsize=7)
            try:
                pixels = read_image(image).pixels
            except InputError:
                # Its name had bytes of no encoding, or it was deleted meanwhile.
                continue
            top, left = ((side - min(side, SHOWN)) // 2 for side in pixels.shape[:2])
            panel.imshow(pixels[top : top + SHOWN, left : left + SHOWN].clip(0, 1), interpolation="nearest")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)
