"""The result of a generalization run, in memory and on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ddrscope.errors import InputError
from ddrscope.generalization.ranking import rank_by_mean
from ddrscope.io.files import atomic_write, read_json, write_json
from ddrscope.io.paths import expand_path
from ddrscope.results.generalization import GeneralizationData, RankedNetwork

# What a run writes at the top of its folder.
OUTPUTS = ("generalization.json", "generalization.csv", "report.html", "figures")


@dataclass(frozen=True)
class GeneralizationResult(GeneralizationData):
    """The result of `ddrscope.generalize`.

    Args:
        resampled: Resampled scores (R,) by network and set, without the reference; a photograph has the same weights in
            all of them. Empty for a result that was loaded.
    """

    resampled: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)

    def rank(
        self, sets: Sequence[str] | None = None, networks: Sequence[str] | None = None
    ) -> tuple[RankedNetwork, ...]:
        """Rank some of the networks by their mean score over some of the sets. Not for results that were loaded.

        Args:
            sets: Names of the sets. Default: all that every network has a score of.
            networks: Names of the networks. Default: all.
        """
        return rank_by_mean(self.scores, self.resampled, sets, networks)

    def save(self, folder: str | Path) -> Path:
        """Write ``generalization.json``, ``generalization.csv``, ``figures/`` and ``report.html``.

        Returns:
            The path of the report.
        """
        from ddrscope.viz.generalization_page import write_generalization

        folder = expand_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / "generalization.csv") as temporary:
            self.to_frame().to_csv(temporary, index=False)
        page = write_generalization(self, folder)
        # Last, since its presence says that the result is complete.
        write_json(folder / "generalization.json", self.to_json())
        return page

    @classmethod
    def load(cls, folder: str | Path) -> GeneralizationResult:
        """Read what `save` wrote.

        Raises:
            InputError: The folder holds no result.
        """
        folder = expand_path(folder)
        try:
            return cls.from_json(read_json(folder / "generalization.json"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{folder} holds no finished result of generalize ({type(error).__name__}: {error})"
            ) from None

    def plot(self) -> Figure:
        """Plot SRGA against the level of each degradation."""
        from ddrscope.viz.generalization_figures import srga_figure

        return srga_figure(self)

    def _repr_html_(self) -> str:
        """The report inside a frame."""
        from ddrscope.viz.generalization_page import generalization_html
        from ddrscope.viz.writing import framed

        return framed(generalization_html(self))
