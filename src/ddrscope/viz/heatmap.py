"""Where the degradation is, drawn over the image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.identification.identifier import CLEAN
from ddrscope.identification.image_identifier import DistortionMap, Finding
from ddrscope.identification.tiles import ALIGNED
from ddrscope.io.files import atomic_write
from ddrscope.viz.fonts import Figure, plain

# Okabe and Ito's palette: told apart by colour-blind readers too.
COLORS = {
    "blur": "#0072B2",
    "color": "#CC79A7",
    "compression": "#D55E00",
    "noise": "#009E73",
    "brightness": "#F0E442",
    "spatial": "#56B4E9",
    "sharpness_contrast": "#E69F00",
}
OTHER = "#000000"
# Probabilities at which a group's colour begins to show, and shows in full.
UNLIKELY, LIKELY = 0.25, 0.75
# Drawn no larger than this: a heatmap is for looking at.
LARGEST_SIDE = 1024


def group_map(
    degradations: DistortionMap, groups: Mapping[str, str], height: int, width: int
) -> dict[str, NDArray[np.float64]]:
    """The likelihood (H, W) of clean and each group, that of its likeliest type, averaged over tiles, near centers counting more."""
    of_type = {CLEAN: CLEAN, **groups}
    names = dict.fromkeys(of_type[name] for name in degradations.names)
    weight = np.zeros((height, width))
    sums = {group: np.zeros((height, width)) for group in names}
    columns = {group: [i for i, name in enumerate(degradations.names) if of_type[name] == group] for group in names}
    for (top, left), said in zip(degradations.corners, degradations.probabilities, strict=True):
        rows, cols = (
            slice(top, _end(top + degradations.side, height)),
            slice(left, _end(left + degradations.side, width)),
        )
        window = np.outer(_bump(rows.stop - rows.start), _bump(cols.stop - cols.start))
        weight[rows, cols] += window
        for group, types in columns.items():
            sums[group][rows, cols] += window * said[types].max()
    return {group: total / np.maximum(weight, 1e-12) for group, total in sums.items()}


def write_heatmap(
    path: Path, pixels: NDArray[np.float32], degradations: DistortionMap, groups: Mapping[str, str], finding: Finding
) -> None:
    """Write `heatmap_figure`, called like the file, as a PNG."""
    with atomic_write(path) as temporary:
        heatmap_figure(pixels, degradations, groups, finding, path.stem).savefig(temporary, format="png")


def heatmap_figure(
    pixels: NDArray[np.float32], degradations: DistortionMap, groups: Mapping[str, str], finding: Finding, name: str
) -> Figure:
    """The image (H, W, 3) as it is, and beside it with each group's colour laid over it where the group is likely."""
    height, width = pixels.shape[:2]
    maps = group_map(degradations, groups, height, width)
    factor = min(1.0, LARGEST_SIDE / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    shown = np.clip(resize(pixels, size), 0, 1) if factor < 1 else pixels
    grey = np.repeat(shown.mean(axis=2, keepdims=True), 3, axis=2) * 0.75 + 0.25 * shown
    small = {group: resize(plane.astype(np.float32)[..., None], size)[..., 0] for group, plane in maps.items()}
    likeliest = np.stack(list(small.values())).argmax(axis=0)
    # Nothing to show where clean is likeliest, and little where nothing is likely.
    undamaged = likeliest == list(small).index(CLEAN)
    sure = np.stack(list(small.values())).max(axis=0)
    strength = np.where(undamaged, 0, np.clip((sure - UNLIKELY) / (LIKELY - UNLIKELY), 0, 1))[..., None]
    palette = np.array([to_rgb(COLORS.get(group, OTHER)) for group in small])
    overlay = grey * (1 - 0.65 * strength) + palette[likeliest] * 0.65 * strength

    ratio = size[0] / size[1]
    wide = ratio < 1.6
    figure = Figure(figsize=(10, 5 * ratio + 1.1) if wide else (8, 4 * ratio + 1.1), dpi=110, layout="constrained")
    for panel, image, title in zip(
        figure.subplots(1, 2), (shown, overlay), ("picture", "where the degradation is"), strict=True
    ):
        panel.imshow(np.clip(image, 0, 1), interpolation="nearest" if factor == 1 else "auto")
        panel.set_title(title, fontsize=10)
        panel.axis("off")
    seen = [
        group for index, group in enumerate(small) if (strength[..., 0] * (likeliest == index) > 0.1).mean() > 0.005
    ]
    handles = [Patch(color=COLORS.get(group, OTHER), label=group.replace("_", ", ")) for group in seen]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    said = finding.type if finding.type == CLEAN else f"{finding.type}, level {finding.level:.1f}"
    unseen = "; unlike anything known" if finding.unseen else ""
    figure.suptitle(f"{plain(name)}: {said} (probability {finding.probability:.2f}{unseen})", fontsize=11)
    return figure


def _end(end: int, length: int) -> int:
    """Where what a tile says ends: the last tile, which begins on the grid, speaks for the few pixels behind it too."""
    return length if length - end < ALIGNED else end


def _bump(length: int) -> NDArray[np.float64]:
    """A window that is highest in the middle."""
    return np.hanning(length + 2)[1:-1]
