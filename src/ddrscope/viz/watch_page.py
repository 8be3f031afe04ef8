"""The page of a watch: values of images over time, and the evidence of a change."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddrscope.io.files import atomic_write
from ddrscope.results.comparison import AXES
from ddrscope.results.watch import WatchResult
from ddrscope.viz.fonts import Figure
from ddrscope.viz.markup import png_source
from ddrscope.viz.style import OKABE_ITO
from ddrscope.viz.templates import render

DPI = 100
# The mean of so many images is drawn as a line.
WINDOW = 9
# The last images are listed.
LISTED = 30


def write_watch_page(folder: Path, result: WatchResult) -> Path:
    """Write ``report.html``; atomically."""
    page = render(
        "watch.html",
        {"images": len(result.images), "reference": len(result.reference), "threshold": result.detection.threshold},
        result=result,
        axes=AXES,
        last=list(reversed(result.images[-LISTED:])),
        figure=png_source(watch_figure(result), DPI),
    )
    path = folder / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def watch_figure(result: WatchResult) -> Figure:
    """A panel for each axis, and one for the evidence on a logarithmic scale with the threshold."""
    readable = result.readable
    values = np.array([image.values for image in readable]).reshape(-1, len(AXES))
    figure = Figure(figsize=(9, 2 * (len(AXES) + 1)), layout="constrained")
    panels = figure.subplots(len(AXES) + 1, 1, sharex=True)
    positions = np.arange(1, len(values) + 1)
    for index, (panel, axis) in enumerate(zip(panels, AXES, strict=False)):
        panel.plot(positions, values[:, index], ".", markersize=3, color=OKABE_ITO[0], alpha=0.5)
        if len(values) >= WINDOW:
            smooth = np.convolve(values[:, index], np.full(WINDOW, 1 / WINDOW), "valid")
            panel.plot(positions[WINDOW // 2 : WINDOW // 2 + len(smooth)], smooth, color=OKABE_ITO[0])
        panel.set_ylabel(f"{axis.words}\n({axis.unit})", fontsize=8)
    if not len(values):
        # Matplotlib cannot lay out panels without anything in them.
        panels[-1].set_xlim(0, 1)
    evidence = result.detection.evidence
    panels[-1].plot(positions[: len(evidence)], np.maximum(evidence, 1e-2), color="black")
    panels[-1].axhline(result.detection.threshold, color=OKABE_ITO[1], linestyle="--")
    panels[-1].text(1, result.detection.threshold, " alarm", va="top", fontsize=8, color=OKABE_ITO[1])
    panels[-1].set_yscale("log")
    panels[-1].set_ylabel("evidence of\na change", fontsize=8)
    panels[-1].set_xlabel("image, in order of arrival")
    if result.detection.alarm:
        for panel in panels:
            panel.axvline(result.detection.alarm.onset + 1, color=OKABE_ITO[1], linewidth=1)
    return figure
