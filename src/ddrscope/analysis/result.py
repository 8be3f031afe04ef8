"""The result of `ddrscope.analyze`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from ddrscope.io.paths import expand_path
from ddrscope.results.analysis import ANALYSIS_FILE, TABLES, AnalysisData
from ddrscope.results.layers import LayerMeasures
from ddrscope.viz.writing import FIGURES, PAGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULT_FILES = (ANALYSIS_FILE, *(f"{name}.parquet" for name in TABLES), PAGE)
# What a run writes at the top of its folder.
OUTPUTS = (*RESULT_FILES, FIGURES)


@dataclass(frozen=True, eq=False)
class AnalysisResult(AnalysisData):
    """The numbers, t-SNE planes and report of an analysis.

    `ddrscope.results.analysis.AnalysisData` documents the fields.
    """

    def layer(self, network: str, view: str, layer: str | None = None) -> LayerMeasures:
        """The measures of one layer of a network.

        Args:
            network: Name of the network.
            view: ``flattened`` or ``pooled``.
            layer: Name of the layer; None takes the last HR layer.

        Raises:
            KeyError: There is no such layer.
        """
        for entry in self.networks:
            if entry.name == network:
                layers = [each for each in entry.layers if each.view == view and layer in (None, each.layer)]
                if layers:
                    return layers[-1]
        raise KeyError(f"no layer {layer!r} of network {network!r} in view {view!r}")

    def to_frame(self) -> pd.DataFrame:
        """A row for each network, layer and view; the controls follow.

        Returns:
            The columns ``network``, ``control`` (empty for the networks) and those of ``layers[]`` in
            ``analysis.json`` but for ``paths``.
        """
        rows: list[dict[str, Any]] = []
        for network, kind, layers in (
            *((entry.name, "", entry.layers) for entry in self.networks),
            *((control.network, control.kind, control.layers) for control in self.controls),
        ):
            for layer in layers:
                values = layer.to_json()
                values.pop("paths", None)
                rows.append({"network": network, "control": kind, **values})
        return pd.DataFrame(rows)

    def plot(self, view: str | None = None) -> Figure:
        """The t-SNE planes as a figure, layers by networks.

        Args:
            view: ``flattened`` or ``pooled``; None takes the first one.
        """
        from ddrscope.viz.embedding_grid import grid_figure

        return grid_figure(self, view)

    def save(self, folder: str | Path) -> Path:
        """Write all files of the result.

        Args:
            folder: Receives ``analysis.json``, ``embedding.parquet``, ``thumbnails.parquet``, ``figures/`` (PNG and
                PDF) and ``report.html``.

        Returns:
            The path of ``report.html``.
        """
        from ddrscope.viz.analysis_page import write_report

        folder = expand_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        page = write_report(self, folder)
        self.write(folder)
        return page

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read the result that `save` wrote.

        Raises:
            InputError: The folder holds no finished analysis.
        """
        return cls.read(expand_path(folder))

    def _repr_html_(self) -> str:
        """The report in a frame, for a notebook."""
        from ddrscope.viz.analysis_page import report_html
        from ddrscope.viz.writing import framed

        return framed(report_html(self))
