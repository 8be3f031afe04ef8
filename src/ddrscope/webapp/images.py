"""Visitors' images in, images for their browsers out."""

from __future__ import annotations

import csv
import html
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation, resize
from ddrscope.errors import InputError, printable
from ddrscope.images import ImageFile, UnreadableImage, bundled_photos, find_images, read_image
from ddrscope.images.skipped_files import image_suffixes

# The largest side of an image in a browser.
SHOWN = 1024
SUFFIXES = sorted(image_suffixes())


@dataclass(frozen=True)
class Limits:
    """What a visitor may send: bytes of a file in ``megabytes``, pixels of an image in ``megapixels``, both in millions."""

    megabytes: float
    megapixels: float

    @property
    def bytes(self) -> int:
        """The most bytes of a file."""
        return round(self.megabytes * 1e6)

    @property
    def pixels(self) -> int:
        """The most pixels of an image."""
        return round(self.megapixels * 1e6)


@dataclass(frozen=True)
class Source:
    """Where a visitor's image comes from: their file, or a bundled photograph under a degradation."""

    path: Path
    degradation: str | None = None

    def read(self, limits: Limits) -> NDArray[np.float32]:
        """The pixels (H, W, 3) in 0..1; raises `UnreadableImage` for a file that is no image."""
        pixels = read_image(self.path, max_pixels=limits.pixels).pixels
        return parse_degradation(self.degradation).apply(pixels) if self.degradation else pixels


def complaint(error: InputError) -> gr.Error:
    """What a visitor is told of an image that cannot be used: one line, and nothing of how it happened."""
    reason = error.reason if isinstance(error, UnreadableImage) else str(error)
    if reason == "no such file":
        reason = "it was deleted here after an hour: please drop it again"
    # The message is shown as HTML.
    return gr.Error(
        html.escape(f"This image cannot be used: {printable(reason)}"), title="Sorry", print_exception=False
    )


def photographs() -> dict[str, ImageFile]:
    """The first crop of each bundled photograph, by the photograph's name."""
    found: dict[str, ImageFile] = {}
    for file in find_images([bundled_photos()]):
        found.setdefault(file.photo, file)
    return found


def credits() -> list[str]:
    """Who made the bundled photographs, and under which licence each is: a line for each photograph."""
    with (bundled_photos() / "credits.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["photograph"]: row for row in csv.DictReader(file)}
    return [f"{name} by {row['author']} ({row['licence']})" for name, row in rows.items()]


def to_show(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image (H, W, 3) in 0..1 in 8 bits, shrunk where it is larger than a browser needs."""
    factor = SHOWN / max(pixels.shape[:2])
    if factor < 1:
        pixels = resize(pixels, (max(round(pixels.shape[0] * factor), 1), max(round(pixels.shape[1] * factor), 1)))
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def drawn(figure: Figure) -> NDArray[np.uint8]:
    """A figure as pixels (H, W, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
