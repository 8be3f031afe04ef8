"""Results of a training: the quality of each stage's network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Quality:
    """The quality of an enlarged photograph, by the network and by bicubic interpolation.

    Attributes:
        photo: Name of the photograph.
        psnr: PSNR on Y in dB, by the network.
        psnr_bicubic: The same by bicubic interpolation.
        ssim: SSIM on Y, by the network.
        ssim_bicubic: The same by bicubic interpolation.
        lpips: LPIPS, by the network; smaller is better.
        lpips_bicubic: The same by bicubic interpolation.
    """

    photo: str
    psnr: float
    psnr_bicubic: float
    ssim: float
    ssim_bicubic: float
    lpips: float
    lpips_bicubic: float

    def to_json(self) -> dict[str, Any]:
        """The row in ``quality.json``."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Quality:
        """The quality of a row that `to_json` made."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


# The measures in the log of a training.
MEASURES = tuple(field.name for field in fields(Quality))[1:]


@dataclass(frozen=True)
class StageResult:
    """The result of one stage of a training.

    Attributes:
        name: ``pixel`` or ``adversarial``.
        weights: File of the averaged weights, which every command takes as a network.
        test: Quality on each test photograph; None if there are none.
    """

    name: str
    weights: str
    test: tuple[Quality, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The stage in the machine-readable summary."""
        stage: dict[str, Any] = {"weights": self.weights}
        return stage if self.test is None else stage | {"test": [quality.to_json() for quality in self.test]}

    def __str__(self) -> str:
        """The quality on the test photographs in one line; the file of weights if there are none."""
        if not self.test:
            return self.weights
        gains = [quality.psnr - quality.psnr_bicubic for quality in self.test]
        lpips = np.mean([quality.lpips for quality in self.test])
        lpips_bicubic = np.mean([quality.lpips_bicubic for quality in self.test])
        return (
            f"{self.name} stage on {len(self.test)} photographs: PSNR-Y over bicubic {np.mean(gains):+.2f} dB "
            f"({min(gains):+.2f} to {max(gains):+.2f}), LPIPS {lpips:.3f} (bicubic {lpips_bicubic:.3f}, smaller is better)"
        )
