"""Reading visitors' images, and rendering images for their browsers."""

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
from ddrscope.images.crops import Window
from ddrscope.images.skipped_files import image_suffixes

# Largest side in pixels of an image that is sent to a browser.
_MAX_SIDE = 1024
SUFFIXES = sorted(image_suffixes())


@dataclass(frozen=True)
class UploadLimits:
    """The largest upload.

    Attributes:
        megabytes: Size of a file in millions of bytes.
        megapixels: Size of an image in millions of pixels.
    """

    megabytes: float
    megapixels: float

    @property
    def bytes(self) -> int:
        """The largest size of a file in bytes."""
        return round(self.megabytes * 1e6)

    @property
    def pixels(self) -> int:
        """The largest size of an image in pixels."""
        return round(self.megapixels * 1e6)

    def __str__(self) -> str:
        return f"up to {self.megabytes:g} MB and {self.megapixels:g} megapixels"


@dataclass(frozen=True)
class ImageSource:
    """Where an image comes from: a visitor's file, or a bundled photograph with a degradation."""

    path: Path
    degradation: str | None = None

    def read(self, limits: UploadLimits) -> NDArray[np.float32]:
        """The pixels (H, W, 3) in 0..1. Raises `UnreadableImage` for a file that cannot be read as an image."""
        pixels = read_image(self.path, max_pixels=limits.pixels).pixels
        return parse_degradation(self.degradation).apply(pixels) if self.degradation else pixels


def visible_error(error: InputError) -> gr.Error:
    """The error that a visitor sees for an image that cannot be used: one line, without a traceback."""
    reason = error.reason if isinstance(error, UnreadableImage) else str(error)
    if reason == "no such file":
        reason = "it was deleted here after an hour: please upload it again"
    # gradio shows the message as HTML.
    return gr.Error(
        html.escape(f"This image cannot be used: {printable(reason)}"), title="Sorry", print_exception=False
    )


def first_crops() -> dict[str, ImageFile]:
    """The first crop of each bundled photograph, by the photograph's name."""
    crops: dict[str, ImageFile] = {}
    for file in find_images([bundled_photos()]):
        crops.setdefault(file.photo, file)
    return crops


def photo_credits() -> list[str]:
    """Author and licence of each bundled photograph, a line each."""
    with (bundled_photos() / "credits.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["photograph"]: row for row in csv.DictReader(file)}
    return [f"{name} by {row['author']} ({row['licence']})" for name, row in rows.items()]


def square_around(pixels: NDArray[np.float32], side: int, x_percent: float = 50, y_percent: float = 50) -> Window:
    """The square around a position, moved to lie within the image.

    Args:
        pixels: Image (H, W, C).
        side: Side of the square in pixels; it is cut where the image is smaller.
        x_percent: Position of the centre in percent of the image's width.
        y_percent: Position of the centre in percent of the image's height.
    """
    height, width = (min(side, length) for length in pixels.shape[:2])
    top = round(pixels.shape[0] * y_percent / 100 - height / 2)
    left = round(pixels.shape[1] * x_percent / 100 - width / 2)
    return Window(min(max(top, 0), pixels.shape[0] - height), min(max(left, 0), pixels.shape[1] - width), height, width)


def to_display(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image (H, W, 3) in 0..1 as uint8, shrunk if it is larger than a browser needs."""
    factor = _MAX_SIDE / max(pixels.shape[:2])
    if factor < 1:
        pixels = resize(pixels, (max(round(pixels.shape[0] * factor), 1), max(round(pixels.shape[1] * factor), 1)))
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def render_to_array(figure: Figure) -> NDArray[np.uint8]:
    """The pixels (H, W, 3) of a figure."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
