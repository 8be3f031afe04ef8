"""What a training tells while it runs: a CSV file, TensorBoard's event files, preview images."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch.utils.tensorboard import SummaryWriter

from ddrscope.io.files import atomic_write

GAP, HEADING = 8, 30
PREVIEWED = ("bicubic", "network", "photograph")


class Log:
    """The log of one stage in its ``folder``: ``log.csv``, ``tensorboard/``, ``previews/``.

    ``step`` is where the stage takes up again: what was logged after it, by a run that died, is taken out.
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
        """What has been logged so far; a line cut short by a crash is left out."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Log the ``values`` of a step, one for each column."""
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(
                {"step": step} | {key: f"{values[key]:.6g}" for key in self.columns[1:]}
            )
        for key in self.columns[1:]:
            self.board.add_scalar(key, values[key], step)
        self.board.flush()

    def preview(self, step: int, rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
        """Keep a contact sheet, a row a photograph: enlarged by bicubic, by the network, and the photograph itself."""
        widest = max(cell.shape[1] for row in rows for cell in row)
        sheet = np.concatenate(
            [_padded(np.concatenate([_padded(cell, widest) for cell in row], axis=1)) for row in rows]
        )
        heading = Image.new("RGB", (sheet.shape[1], HEADING), "white")
        for column, name in enumerate(PREVIEWED):
            ImageDraw.Draw(heading).text(
                (column * sheet.shape[1] // len(PREVIEWED) + GAP, GAP), name, "black", ImageFont.load_default(14)
            )
        sheet = np.concatenate([np.asarray(heading), sheet])
        with atomic_write(self.folder / "previews" / f"step-{step:06d}.png") as temporary:
            Image.fromarray(sheet).save(temporary, "PNG")
        self.board.add_image(", ".join(PREVIEWED), sheet, step, dataformats="HWC")
        self.board.flush()

    def close(self) -> None:
        """Flush TensorBoard's file and let go of it."""
        self.board.close()


def _padded(pixels: NDArray[np.uint8], width: int = 0) -> NDArray[np.uint8]:
    """With a white gap below and on the right, where it also fills up to ``width``: photographs smaller than the crop differ in size."""
    return np.pad(pixels, ((0, GAP), (0, max(width - pixels.shape[1], 0) + GAP), (0, 0)), constant_values=255)
