"""The result of an analysis: the numbers, the maps, the images' thumbnails, on disk and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write, read_json, write_json
from ddrscope.io.paths import expand_path

# What a run writes at the top of its folder.
OUTPUTS = ("analysis.json", "embedding.parquet", "thumbnails.parquet", "report.html", "figures")
EMBEDDING_COLUMNS = (
    "network", "layer", "view", "control", "picture", "photo", "degradation", "level", "x", "y", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class AnalysisResult:
    """What `analyze` found.

    ``data`` is the content of ``analysis.json`` (its keys are described in docs/files.md). ``embedding`` has one row for each point
    of each t-SNE plane, with the columns `EMBEDDING_COLUMNS`. ``thumbnails`` has the columns ``picture``, ``degradation`` and
    ``jpeg`` (bytes): the degraded image as the network saw it.
    """

    data: dict[str, Any]
    embedding: pd.DataFrame
    thumbnails: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row for each network, layer and view, the controls included (column ``control``, empty for the networks)."""
        rows: list[dict[str, Any]] = []
        for entry in [*self.data["networks"], *self.data["controls"]]:
            head = {"network": entry.get("network", entry["name"]), "control": entry.get("kind", "")}
            rows += [{**head, **{k: v for k, v in layer.items() if k != "paths"}} for layer in entry["layers"]]
        return pd.DataFrame(rows)

    def layer(self, network: str, view: str, layer: str | None = None) -> dict[str, Any]:
        """The measures of one layer of an asked network; by default of its last one, the last HR layer."""
        for entry in self.data["networks"]:
            if entry["name"] == network:
                rows = [row for row in entry["layers"] if row["view"] == view and layer in (None, row["layer"])]
                if rows:
                    return rows[-1]
        raise KeyError(f"no layer {layer!r} of network {network!r} in view {view!r}")

    def save(self, folder: str | Path) -> Path:
        """Write ``analysis.json``, ``embedding.parquet``, ``thumbnails.parquet``, ``figures/`` and ``report.html``; return the page."""
        from ddrscope.viz import write_report

        folder = expand_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in (("embedding", self.embedding), ("thumbnails", self.thumbnails)):
            with atomic_write(folder / f"{name}.parquet") as temporary:
                frame.to_parquet(temporary, index=False)
        page = write_report(self, folder)
        write_json(folder / "analysis.json", self.data)
        return page

    @classmethod
    def load(cls, folder: str | Path) -> AnalysisResult:
        """Read what `save` wrote. Raises `InputError` when the folder holds no analysis."""
        folder = expand_path(folder)
        try:
            data = read_json(folder / "analysis.json")
            if not isinstance(data, dict) or not {"networks", "controls", "verdicts"} <= data.keys():
                raise ValueError("it is no result")
            frames = [pd.read_parquet(folder / f"{name}.parquet") for name in ("embedding", "thumbnails")]
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder} holds no finished analysis ({error}): run `ddrscope analyze --out {folder}`"
            ) from None
        return cls(data, *frames)

    def plot(self) -> Any:
        """The paper's figure, layers by networks, as a matplotlib figure."""
        from ddrscope.viz import grid_figure

        return grid_figure(self)

    def _repr_html_(self) -> str:
        """The whole page inside a frame, so that a notebook shows the interactive report."""
        from ddrscope.viz import report_html
        from ddrscope.viz.writing import framed

        return framed(report_html(self))
