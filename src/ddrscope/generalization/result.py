"""The result of a generalization run, on disk and in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.generalization.ranking import rank
from ddrscope.io.files import atomic_write, read_json, write_json
from ddrscope.io.paths import expand_path

# What a run writes at the top of its folder.
OUTPUTS = ("generalization.json", "generalization.csv", "report.html", "figures")


@dataclass(frozen=True)
class GeneralizationResult:
    """What `generalize` found: ``data`` is the content of ``generalization.json``, whose keys are described in docs/files.md.

    ``draws`` are the resampled scores (R,) by network and set, the same photographs weighing the same in all; empty after `load`.
    """

    data: dict[str, Any]
    draws: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def rank(self, sets: Sequence[str] | None = None, networks: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Some of the networks ranked by their mean score on some of the sets, as `ranking` describes; of a fresh result only.

        Without ``sets``: on all that every network has a score of.
        """
        networks = networks or list(dict.fromkeys(network for network, _ in self.draws))
        scored = [name for network, name in self.draws if network == networks[0]] if networks else []
        sets = sets or [name for name in scored if all((network, name) in self.draws for network in networks)]
        if not sets:
            return []
        means = {network: float(np.mean([self.score(network, name)["srga"] for name in sets])) for network in networks}
        return rank(
            {network: np.mean([self.draws[network, name] for name in sets], axis=0) for network in networks}, means
        )

    def to_frame(self) -> pd.DataFrame:
        """One row for each network and set."""
        rows = [{key: value for key, value in row.items() if key != "histogram"} for row in self.data["scores"]]
        return pd.DataFrame(rows)

    def score(self, network: str, name: str) -> dict[str, Any]:
        """The row of one network and set."""
        for row in self.data["scores"]:
            if (row["network"], row["set"]) == (network, name):
                return row
        raise KeyError(f"no set {name!r} of network {network!r}")

    def save(self, folder: str | Path) -> Path:
        """Write ``generalization.json``, ``generalization.csv``, ``figures/`` and ``report.html``; return the page."""
        from ddrscope.viz import write_generalization

        folder = expand_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "generalization.csv") as temporary:
            self.to_frame().to_csv(temporary, index=False)
        page = write_generalization(self, folder)
        write_json(folder / "generalization.json", self.data)
        return page

    @classmethod
    def load(cls, folder: str | Path) -> GeneralizationResult:
        """Read what `save` wrote. Raises `InputError` when the folder holds no finished run."""
        folder = expand_path(folder)
        try:
            data = read_json(folder / "generalization.json")
            if not isinstance(data, dict) or not {"networks", "scores", "ranking"} <= data.keys():
                raise ValueError("it is no result")
            return cls(data)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder} holds no finished run ({error}): run `ddrscope generalize --out {folder}`"
            ) from None

    def plot(self) -> Any:
        """Score against level for each kind of degradation, as a matplotlib figure."""
        from ddrscope.viz import srga_figure

        return srga_figure(self)

    def _repr_html_(self) -> str:
        """The whole page inside a frame."""
        from ddrscope.viz import generalization_html
        from ddrscope.viz.writing import framed

        return framed(generalization_html(self))
