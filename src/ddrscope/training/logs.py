"""The log of a training: a CSV file, TensorBoard's event files, preview images."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch.utils.tensorboard import SummaryWriter

from ddrscope.io.files import atomic_write

_GAP, _HEADING_HEIGHT = 8, 30
_PREVIEW_COLUMNS = ("bicubic", "network", "photograph")


class TrainingLog:
    """The log of one stage in its folder: ``log.csv``, ``tensorboard/``, ``previews/``.

    Args:
        folder: Folder of the stage.
        columns: Columns of the CSV file besides ``step``.
        step: The step at which the stage continues. Later rows, of an interrupted run, are removed.
    """

    def __init__(self, folder: Path, columns: Sequence[str], step: int) -> None:
        self.folder, self.columns = folder, ("step", *columns)
        rows = [row for row in self.rows() if int(row["step"]) <= step]
        with atomic_write(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    @property
    def path(self) -> Path:
        """The CSV file."""
        return self.folder / "log.csv"

    def rows(self) -> list[dict[str, str]]:
        """The rows so far, without a line that was cut by a crash."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step, one for each column."""
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(
                {"step": step} | {key: f"{values[key]:.6g}" for key in self.columns[1:]}
            )
        for key in self.columns[1:]:
            self.board.add_scalar(key, values[key], step)
        self.board.flush()

    def preview(self, step: int, rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
        """Write a contact sheet, a row for each photograph: enlarged bicubically, by the network, and the photograph."""
        widest = max(cell.shape[1] for row in rows for cell in row)
        sheet = np.concatenate(
            [_padded(np.concatenate([_padded(cell, widest) for cell in row], axis=1)) for row in rows]
        )
        heading = Image.new("RGB", (sheet.shape[1], _HEADING_HEIGHT), "white")
        for column, name in enumerate(_PREVIEW_COLUMNS):
            ImageDraw.Draw(heading).text(
                (column * sheet.shape[1] // len(_PREVIEW_COLUMNS) + _GAP, _GAP),
                name,
                "black",
                ImageFont.load_default(14),
            )
        sheet = np.concatenate([np.asarray(heading), sheet])
        with atomic_write(self.folder / "previews" / f"step-{step:06d}.png") as temporary:
            Image.fromarray(sheet).save(temporary, "PNG")
        self.board.add_image(", ".join(_PREVIEW_COLUMNS), sheet, step, dataformats="HWC")
        self.board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        self.board.close()


def _padded(pixels: NDArray[np.uint8], width: int = 0) -> NDArray[np.uint8]:
    """An image with a white gap below and on the right, and filled with white up to ``width``."""
    return np.pad(pixels, ((0, _GAP), (0, max(width - pixels.shape[1], 0) + _GAP), (0, 0)), constant_values=255)
