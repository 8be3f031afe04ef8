"""Figures and the self-contained pages."""

from ddrscope.report.curves import depth_figure, path_figure, series_figure
from ddrscope.report.generalization import density_figure, generalization_html, srga_figure, write_generalization
from ddrscope.report.maps import grid_figure
from ddrscope.report.page import report_html, write_report

__all__ = [
    "density_figure",
    "depth_figure",
    "generalization_html",
    "grid_figure",
    "path_figure",
    "report_html",
    "series_figure",
    "srga_figure",
    "write_generalization",
    "write_report",
]
