"""Figures and the self-contained pages."""

from ddrscope.viz.analysis_page import analysis_figures, report_html, write_report
from ddrscope.viz.curves import depth_figure, path_figure, series_figure
from ddrscope.viz.embedding_grid import grid_figure

__all__ = [
    "analysis_figures",
    "depth_figure",
    "grid_figure",
    "path_figure",
    "report_html",
    "series_figure",
    "write_report",
]
