"""The rows of an analysis: each image under each degradation, or the images of given sets, as they enter a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ddrscope.analysis.thumbnails import thumbnail
from ddrscope.images import photograph_notes
from ddrscope.metrics.design import Design


@dataclass(frozen=True)
class InputRow:
    """One image in one group.

    Args:
        image: Name of the image.
        photo: Name of the photograph that it comes from.
        group: Text of the degradation, or name of the set.
        family: Family of the degradation, ``blur+noise`` for a chain; None for a set.
        level: Level of a single degradation, 0 for clean; else None.
        neutral: The level at which the family changes nothing; None where there is no such level.
        pixels: What enters the network, float32, shape (H, W, C), 0..1.
        folder: The folder that the image lies in.
    """

    image: str
    photo: str
    group: str
    family: str | None
    level: float | None
    neutral: float | None
    pixels: np.ndarray
    folder: str = ""


@dataclass
class InputRows:
    """All rows for one scale and number of channels, groups in the order given.

    Args:
        rows: The rows.
        skipped: The reason for each image file that could not be read, by path.
        notes: What was left out, in sentences.
    """

    rows: list[InputRow] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of all rows, names and pixels, in hexadecimal."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row.image}|{row.photo}|{row.group}|{row.pixels.shape}".encode("utf-8", "surrogatepass"))
            digest.update(np.ascontiguousarray(row.pixels).data)
        return digest.hexdigest()

    @property
    def design(self) -> Design:
        """The image, photograph, group and folder of each row."""
        return Design(
            images=np.array([row.image for row in self.rows]),
            photos=np.array([row.photo for row in self.rows]),
            groups=np.array([row.group for row in self.rows]),
            folders=np.array([row.folder for row in self.rows]),
        )

    def levels(self) -> dict[str, np.ndarray]:
        """The level of every row, shape (n,), for each family with two or more levels; NaN for rows of other families.

        Clean images have the neutral level of the family, where there is one.
        """
        families = {row.family: row.neutral for row in self.rows if row.family not in (None, "clean")}
        levels = {}
        for family, neutral in families.items():
            own = {row.level for row in self.rows if row.family == family and row.level is not None}
            if family and len(own) >= 2:
                values = [
                    row.level if row.family == family else neutral if row.family == "clean" else None
                    for row in self.rows
                ]
                levels[family] = np.array(values, dtype=float)
        return levels

    def photograph_notes(self, photo_from: str) -> list[str]:
        """Remarks on how images were assigned to photographs, by the rule ``photo_from``."""
        return photograph_notes({row.image: row.photo for row in self.rows}, photo_from)

    def batches(self, size: int) -> Iterator[Tensor]:
        """The rows as float32 batches of shape (B, C, H, W), B <= ``size``."""
        for start in range(0, len(self.rows), size):
            pixels = np.stack([row.pixels for row in self.rows[start : start + size]])
            yield torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()

    def sample(self) -> Tensor:
        """The first row as a batch of one."""
        return next(self.batches(1))

    def labels(self) -> pd.DataFrame:
        """The columns ``picture``, ``photo``, ``degradation`` and ``level`` of every row."""
        return pd.DataFrame(
            {
                "picture": [row.image for row in self.rows],
                "photo": [row.photo for row in self.rows],
                "degradation": [row.group for row in self.rows],
                "level": np.array([row.level for row in self.rows], dtype=float),
            }
        )

    def thumbnails(self) -> pd.DataFrame:
        """The columns ``picture``, ``degradation`` and ``jpeg`` (the pixels of each row as a small JPEG)."""
        return pd.DataFrame(
            {
                "picture": [row.image for row in self.rows],
                "degradation": [row.group for row in self.rows],
                "jpeg": [thumbnail(row.pixels) for row in self.rows],
            }
        )
