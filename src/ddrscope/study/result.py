"""The result of a study: verdicts, the tables they rest on, figures, a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.io.files import atomic_write, write_json
from ddrscope.io.paths import expand_path
from ddrscope.study.evidence import Evidence

# What a run writes at the top of its folder.
OUTPUTS = (
    "study.json", "claims.csv", "layers.csv", "checkpoints.csv", "paths.csv", "report.html", "figures", "trainings",
    "images", "analyses",
)  # fmt: skip
TABLES = ("layers", "checkpoints", "paths")


@dataclass
class StudyResult:
    """``data`` is what `study.json` holds; ``embeddings`` are the t-SNE planes of the bundled networks and of the classifier."""

    data: dict[str, Any]
    evidence: Evidence
    embeddings: dict[str, pd.DataFrame]

    def save(self, folder: str | Path) -> Path:
        """Write ``study.json``, ``claims.csv``, the evidence as CSV, ``figures/`` and ``report.html``; return the page's path."""
        from ddrscope.viz.study_page import write_study

        folder = expand_path(folder)
        for name, table in {
            "claims": self.to_frame(),
            **{name: getattr(self.evidence, name) for name in TABLES},
        }.items():
            with atomic_write(folder / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, float_format="%.6g")
        page = write_study(self, folder)
        write_json(folder / "study.json", self.data)
        return page

    def to_frame(self) -> pd.DataFrame:
        """A row for each case of each claim in each view."""
        return pd.DataFrame(
            [
                {"claim": claim["claim"], "view": claim["view"], "verdict": claim["verdict"], **case}
                for claim in self.data["claims"]
                for case in claim["cases"]
            ]
        )

    def plot(self, claim: str = "C2") -> Any:
        """The figure of one claim, as a matplotlib figure."""
        from ddrscope.viz.study_figures import FIGURES

        return FIGURES[claim](self)

    def _repr_html_(self) -> str:
        """The whole page inside a frame, for a notebook."""
        from ddrscope.viz.study_page import study_html
        from ddrscope.viz.writing import framed

        return framed(study_html(self))
