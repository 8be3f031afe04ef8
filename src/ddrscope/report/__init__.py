"""Figures and the self-contained pages."""

from ddrscope.report.curves import depth_figure, path_figure, series_figure
from ddrscope.report.generalization import density_figure, generalization_figures, generalization_html, srga_figure, write_generalization
from ddrscope.report.maps import grid_figure
from ddrscope.report.page import analysis_figures, report_html, write_report

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
