"""Figures and the self-contained page of an analysis."""

from ddrscope.report.curves import depth_figure, path_figure, series_figure
from ddrscope.report.maps import grid_figure
from ddrscope.report.page import report_html, write_report

__all__ = ["depth_figure", "grid_figure", "path_figure", "report_html", "series_figure", "write_report"]
