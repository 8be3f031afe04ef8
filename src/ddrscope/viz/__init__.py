"""Figures and the self-contained pages."""

from ddrscope.viz.analysis_page import analysis_figures, report_html, write_report
from ddrscope.viz.curves import depth_figure, path_figure, series_figure
from ddrscope.viz.embedding_grid import grid_figure
from ddrscope.viz.generalization import (
    density_figure,
    generalization_figures,
    generalization_html,
    srga_figure,
    write_generalization,
)

__all__ = [
    "analysis_figures",
    "density_figure",
    "depth_figure",
    "generalization_figures",
    "generalization_html",
    "grid_figure",
    "path_figure",
    "report_html",
    "series_figure",
    "srga_figure",
    "write_generalization",
    "write_report",
]
