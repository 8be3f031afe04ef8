"""The report of a study: one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ddrscope.results.study import ClaimResult, StudyData
from ddrscope.viz.fonts import Figure
from ddrscope.viz.markup import png_source
from ddrscope.viz.study_figures import FIGURES
from ddrscope.viz.templates import render
from ddrscope.viz.writing import write_page

PAGE_DPI = 100


def write_study(data: StudyData, folder: Path) -> Path:
    """Write ``figures/`` (PNG and PDF) and ``report.html`` into a folder; returns the path of the report."""
    figures = _figures(data)
    return write_page(folder, figures, _page(data, figures))


def study_html(data: StudyData) -> str:
    """The report as text."""
    return _page(data, _figures(data))


def _figures(data: StudyData) -> dict[str, Figure]:
    return {claim: draw(data) for claim, draw in FIGURES.items()}


def _page(data: StudyData, figures: Mapping[str, Figure]) -> str:
    claims: dict[str, list[ClaimResult]] = {}
    for claim in data.claims:
        claims.setdefault(claim.claim, []).append(claim)
    return render(
        "study.html",
        data.manifest,
        data=data,
        claims=claims,
        images={claim: png_source(figure, PAGE_DPI) for claim, figure in figures.items()},
        answers={True: "holds", False: "does not hold", None: "not decided here"},
    )
