"""The report of a generalization run: a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from ddrscope.metrics.estimate import format_number
from ddrscope.results.generalization import GeneralizationData
from ddrscope.viz.generalization_figures import generalization_figures
from ddrscope.viz.markup import png_source
from ddrscope.viz.templates import render
from ddrscope.viz.writing import write_page

_PAGE_DPI = 100


def write_generalization(result: GeneralizationData, folder: Path) -> Path:
    """Write ``figures/`` (PNG and PDF) and ``report.html`` into a folder; returns the path of the report."""
    figures = generalization_figures(result)
    names = ["srga", *(f"densities-{index}" for index in range(len(result.networks)))]
    return write_page(folder, dict(zip(names, figures.values(), strict=True)), _page(result, figures))


def generalization_html(result: GeneralizationData) -> str:
    """The report as text."""
    return _page(result, generalization_figures(result))


def _page(result: GeneralizationData, figures: Mapping[str, Figure]) -> str:
    images = {caption: png_source(figure, _PAGE_DPI) for caption, figure in figures.items()}
    return render("generalization.html", result.manifest, result=result, images=images, number=format_number)
