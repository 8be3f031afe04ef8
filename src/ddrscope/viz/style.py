"""Colours, markers and names that figures and pages share."""

from __future__ import annotations

from ddrscope.viz.fonts import plain as plain

# The palette of Okabe and Ito, which colour-blind readers can distinguish.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
# Markers repeat the colours, for print in grey and for more groups than colours.
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
CONTROL_COLOR = "#777777"

# The measures in tables and menus, by their names in `ddrscope.results.layers.LayerMeasures`.
MEASURE_NAMES = {
    "degradation_share": "degradation share of the variance",
    "content_share": "content share of the variance",
    "interaction_share": "interaction share of the variance",
    "class_share": "class share of the variance",
    "chi_pca": "CHI by degradation (PCA-50)",
    "chi_content_pca": "CHI by content (PCA-50)",
    "chi_tsne": "CHI by degradation (t-SNE)",
    "chi_content_tsne": "CHI by content (t-SNE)",
    "knn_accuracy": "held-out 5-NN accuracy",
}


def measure_names(balanced: bool, folders: bool = False) -> dict[str, str]:
    """`MEASURE_NAMES`, without the variance shares where the design is not balanced.

    Args:
        balanced: Whether it is.
        folders: Whether content groups are folders; else there is no class share.
    """
    return {
        key: name
        for key, name in MEASURE_NAMES.items()
        if (balanced or not key.endswith("share")) and (folders or key != "class_share")
    }


def group_style(index: int) -> tuple[str, str]:
    """Colour and marker of a group; each pair occurs once in 64 groups."""
    turn = index // len(OKABE_ITO)
    return OKABE_ITO[index % len(OKABE_ITO)], MARKERS[(index + turn) % len(MARKERS)]
