"""The result of `ddrscope.run_study`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddrscope.io.paths import expand_path
from ddrscope.results.study import STUDY_FILE, TABLES, StudyData
from ddrscope.viz.writing import FIGURES, PAGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What a run writes at the top of its folder.
OUTPUTS = (STUDY_FILE, *(f"{name}.csv" for name in TABLES), PAGE, FIGURES, "trainings", "images", "analyses")


@dataclass(frozen=True, eq=False)
class StudyResult(StudyData):
    """The verdicts and the report of a study. `ddrscope.results.study.StudyData` documents the fields."""

    def plot(self, claim: str = "C2") -> Figure:
        """The figure of one claim, ``C1`` to ``C6``."""
        from ddrscope.viz.study_figures import FIGURES

        return FIGURES[claim](self)

    def save(self, folder: str | Path) -> Path:
        """Write all files of the result.

        Args:
            folder: Receives ``study.json``, ``claims.csv``, the evidence as CSV, ``figures/`` and ``report.html``.

        Returns:
            The path of ``report.html``.
        """
        from ddrscope.viz.study_page import write_study

        folder = expand_path(folder)
        page = write_study(self, folder)
        self.write(folder)
        return page

    def _repr_html_(self) -> str:
        """The report in a frame, for a notebook."""
        from ddrscope.viz.study_page import study_html
        from ddrscope.viz.writing import framed

        return framed(study_html(self))
