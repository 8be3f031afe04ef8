"""Finding out whether a network has a global residual: it leaves no trace in the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

# The wrong variant of a trained network misses by the whole image, several times the right one's error.
DECISIVE_RATIO = 1.25
_SIDE = 24


class ResidualMeasurement(NamedTuple):
    """Mean absolute errors (pixels in 0..1) of the two variants, and which of them reconstructs."""

    error_with: float
    error_without: float

    @property
    def decided(self) -> bool:
        """Whether one variant is clearly the better."""
        low, high = sorted((self.error_with, self.error_without))
        return high > DECISIVE_RATIO * low

    @property
    def global_residual(self) -> bool:
        """The better variant; with, as MSRResNet was published, where neither is clearly better."""
        return self.error_with < self.error_without if self.decided else True

    def note(self) -> str:
        """One sentence for the report."""
        errors = f"mean error {self.error_with:.3f} with, {self.error_without:.3f} without"
        verdict = "with" if self.global_residual else "without"
        if not self.decided:
            return f"Global residual: not written in the file, and measuring does not decide ({errors}); taken as {verdict}."
        return (
            f"Global residual: not written in the file; measured by which variant reconstructs ({errors}): {verdict}."
        )


@torch.inference_mode()
def measure_global_residual(build: Callable[[bool], nn.Module], channels: int, scale: int) -> ResidualMeasurement:
    """Run the network built with and without global residual on drawn images and compare with the images before shrinking."""
    images = _drawn_images(channels, _SIDE * scale)
    shrunk = functional.interpolate(images, size=(_SIDE, _SIDE), mode="bicubic", antialias=True)

    def error(global_residual: bool) -> float:
        output = build(global_residual).eval()(shrunk)
        return float((output - images).abs().mean())

    return ResidualMeasurement(error(True), error(False))


def _drawn_images(channels: int, side: int) -> Tensor:
    """A slope, a disk, stripes and clouds, (4, channels, side, side) in 0..1: always the same."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.linspace(0, 1, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    disk = (torch.hypot(x - 0.4, y - 0.6) < 0.3).float()
    stripes = 0.5 + 0.5 * torch.sin(30 * x + 12 * y)
    clouds = functional.interpolate(torch.rand(1, 1, 6, 6, generator=generator), size=(side, side), mode="bilinear")[
        0, 0
    ]
    patterns = torch.stack([(x + y) / 2, disk, stripes, clouds])[:, None]
    return patterns * (0.4 + 0.6 * torch.rand(4, channels, 1, 1, generator=generator))
