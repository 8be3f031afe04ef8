"""A sheet of labelled thumbnails, in sections."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from ddrscope.errors import printable
from ddrscope.images import ImageFile, UnreadableImage, read_image
from ddrscope.io.files import atomic_write
from ddrscope.viz.fonts import Figure, plain
from ddrscope.viz.style import CONTROL_COLOR, OKABE_ITO

COLUMNS = 6
DPI = 110
# In inches: a cell, the square for its image, the text below it, a heading.
CELL, SQUARE, TEXT, HEADING, BORDER = 2.3, 2.1, 0.66, 0.36, 0.12
# Characters of a line, and lines of a reason.
LINE, REASON_LINES = 32, 3
# The title is larger than the text.
TITLE_SHARE = 0.7


@dataclass(frozen=True)
class SheetImage:
    """An image of a sheet.

    Attributes:
        file: Where it is, and the name to show.
        text: What to write below.
    """

    file: ImageFile
    text: str


def write_contact_sheet(path: Path, title: str, sections: Mapping[str, Sequence[SheetImage]]) -> None:
    """Write thumbnails of images as a PNG, each with its name and text; atomically.

    Args:
        path: The file to write.
        title: Stands above.
        sections: The images by heading; sections without images are left out. Each gets a colour.
    """
    figure = contact_sheet_figure(title, sections)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)


def contact_sheet_figure(title: str, sections: Mapping[str, Sequence[SheetImage]]) -> Figure:
    """Thumbnails of images, each with its name and text; an image that cannot be read is an empty square."""
    shown = {heading: images for heading, images in sections.items() if images}
    columns = min(COLUMNS, max(len(images) for images in shown.values()))
    rows = sum(-(-len(images) // columns) for images in shown.values())
    width = max(2, columns) * CELL + BORDER
    height = rows * (SQUARE + TEXT) + (len(shown) + 1) * HEADING + BORDER
    figure = Figure(figsize=(width, height), dpi=DPI)
    title = textwrap.shorten(printable(title), round(columns * LINE * TITLE_SHARE), placeholder=" ...")
    top = height - BORDER / 2
    figure.text(BORDER / width, (top - HEADING * 0.6) / height, plain(title), fontsize=12)
    top -= HEADING
    for (heading, images), color in zip(shown.items(), OKABE_ITO, strict=False):
        figure.text(
            BORDER / width, (top - HEADING * 0.6) / height, plain(heading), fontsize=12, color=color, weight="bold"
        )
        top -= HEADING
        for start in range(0, len(images), columns):
            for column, image in enumerate(images[start : start + columns]):
                left, bottom = BORDER + column * CELL, top - SQUARE
                panel = figure.add_axes(
                    (left / width, bottom / height, (CELL - BORDER) / width, (SQUARE - BORDER) / height)
                )
                _draw(panel, image, color)
            top -= SQUARE + TEXT
    return figure


def _draw(panel: Axes, image: SheetImage, color: str) -> None:
    side = round(SQUARE * DPI)
    try:
        pixels = _thumbnail(read_image(image.file).pixels, side)
    except UnreadableImage as error:
        pixels = np.full((1, 1, 3), 255, np.uint8)
        panel.text(0.5, 0.5, _wrapped(error.reason), transform=panel.transAxes, ha="center", va="center", fontsize=8)
    height, width = pixels.shape[:2]
    # One pixel of the thumbnail is one of the sheet, in the middle of the square.
    left, top = (side - width) / 2, (side - height) / 2
    panel.imshow(pixels, extent=(left, left + width, top + height, top), interpolation="nearest")
    panel.set(xlim=(0, side), ylim=(side, 0), xticks=[], yticks=[], facecolor="#f4f4f4")
    for spine in panel.spines.values():
        spine.set(color=color, linewidth=2)
    below: dict[str, Any] = {"transform": panel.transAxes, "va": "top", "fontsize": 8, "linespacing": 1.15}
    panel.text(0, -0.03, plain(_shortened(image.file.name)), color=CONTROL_COLOR, **below)
    panel.text(0, -0.105, _wrapped(image.text), **below)


def _thumbnail(pixels: NDArray[np.float32], side: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) of at most ``side`` a side: larger images averaged, smaller ones with every pixel as a block."""
    height, width = pixels.shape[:2]
    image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    longer = max(height, width)
    if longer <= side:
        factor = max(1, side // longer)
        size, resample = (width * factor, height * factor), Image.Resampling.NEAREST
    else:
        size = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
        resample = Image.Resampling.BOX
    return np.asarray(image.resize(size, resample))


def _shortened(name: str) -> str:
    """The end of a name, which tells more than its beginning."""
    name = printable(name)
    if _width(name) <= LINE:
        return name
    while _width(name) > LINE - 3:
        name = name[1:]
    return f"...{name}"


def _width(text: str) -> int:
    """The width of a text in letters: those of East Asia take two places."""
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def _wrapped(text: str) -> str:
    """A text in lines, one or more for each reason, made plain for Matplotlib."""
    lines = [line for part in text.split("; ") for line in textwrap.wrap(part, LINE)]
    if len(lines) > REASON_LINES:
        lines = [*lines[: REASON_LINES - 1], f"{lines[REASON_LINES - 1][: LINE - 4]} ..."]
    return "\n".join(map(plain, lines))
