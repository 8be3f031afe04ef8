"""Colours, marks and words that figures and page share."""

from __future__ import annotations

import math

from ddrscope.viz.fonts import plain as plain

# Okabe and Ito's palette, told apart by colour-blind readers too; black first where it must be readable in print.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
# Shapes repeat the colours' message, for print in grey and for more groups than colours.
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
CONTROL_COLOR = "#777777"

MEASURE_NAMES = {
    "degradation_share": "variance that follows the degradation",
    "content_share": "variance that follows the content",
    "interaction_share": "variance of their interaction",
    "chi_pca": "CHI by degradation (PCA-50)",
    "chi_content_pca": "CHI by content (PCA-50)",
    "chi_tsne": "CHI by degradation (t-SNE)",
    "chi_content_tsne": "CHI by content (t-SNE)",
    "knn_accuracy": "5-NN accuracy, photographs held out",
}


def group_style(index: int) -> tuple[str, str]:
    """Colour and marker of the group number ``index``; colours and markers run out together only after 64 groups."""
    turn = index // len(OKABE_ITO)
    return OKABE_ITO[index % len(OKABE_ITO)], MARKERS[(index + turn) % len(MARKERS)]


def number(value: float | None) -> str:
    """Three significant digits, without exponents up to a million; a dash for what is not there."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.0e}"


def with_interval(row: dict[str, float | None], key: str) -> str:
    """The value and, where there is one, its interval in brackets."""
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    value = number(row.get(key))
    return value if low is None or math.isnan(low) else f"{value} [{number(low)}, {number(high)}]"
