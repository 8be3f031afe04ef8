"""Colours of the groups of distortions, and the number of images of each type."""

from __future__ import annotations

from ddrscope.results.identification_table import IdentificationTable
from ddrscope.results.vocabulary import CLEAN
from ddrscope.viz.fonts import Figure, plain

# Okabe and Ito's palette, which colour-blind readers tell apart.
GROUP_COLORS = {
    "blur": "#0072B2",
    "color": "#CC79A7",
    "compression": "#D55E00",
    "noise": "#009E73",
    "brightness": "#F0E442",
    "spatial": "#56B4E9",
    "sharpness_contrast": "#E69F00",
}
OTHER_GROUP, CLEAN_COLOR = "#000000", "#777777"


def group_color(group: str) -> str:
    """The colour of a group of distortions; black for groups of one's own."""
    return CLEAN_COLOR if group == CLEAN else GROUP_COLORS.get(group, OTHER_GROUP)


def types_figure(table: IdentificationTable) -> Figure:
    """The number of images of each type, as bars in the colours of the groups."""
    summary = table.summary
    types = list(summary.types)
    figure = Figure(figsize=(7, 1.2 + 0.3 * max(1, len(types))), dpi=110, layout="constrained")
    panel = figure.subplots()
    colors = [group_color(summary.group_of[name]) for name in types]
    bars = panel.barh([plain(name.replace("_", " ")) for name in types], list(summary.types.values()), color=colors)
    panel.bar_label(bars, padding=3)
    panel.invert_yaxis()
    panel.set_xlabel(f"images (of {summary.images})")
    panel.spines[["top", "right"]].set_visible(False)
    return figure
