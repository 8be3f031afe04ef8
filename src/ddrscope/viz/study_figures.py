"""The figure of each claim of a study."""

from __future__ import annotations

from collections.abc import Callable

from ddrscope.results.study import StudyData
from ddrscope.viz.fonts import Figure
from ddrscope.viz.study_curves import depth_figure, path_figure, training_figure
from ddrscope.viz.study_shares import adversarial_figure, clustering_figure, residual_figure

FIGURES: dict[str, Callable[[StudyData], Figure]] = {
    "C1": clustering_figure,
    "C2": residual_figure,
    "C3": adversarial_figure,
    "C4": path_figure,
    "C5": depth_figure,
    "C6": training_figure,
}
