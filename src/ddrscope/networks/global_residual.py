"""Whether a network has a global residual, which the weights do not contain: asked for, stated, or measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import ModelSpec

# The wrong variant of a trained network misses by the whole image, several times the error of the right one.
DECISIVE_RATIO = 1.25
_SIDE = 24


class GlobalResidual(NamedTuple):
    """The answer; its source (``option``, ``metadata``, ``measured`` or ``architecture``); sentences for the report."""

    value: bool
    source: str
    notes: tuple[str, ...] = ()


def resolve_global_residual(
    spec: ModelSpec, build: Callable[[bool], nn.Module], metadata: Mapping[str, str], option: bool | None
) -> GlobalResidual:
    """Whether a network adds its enlarged input to its output.

    Args:
        spec: What the weights determine.
        build: Builds the network with or without global residual.
        metadata: The metadata of the checkpoint.
        option: The user's answer, which overrules the metadata.
    """
    if spec.global_residual is not None:
        return GlobalResidual(spec.global_residual, "architecture")
    stated = {"true": True, "false": False}.get(metadata.get("global_residual", "").lower())
    if option is not None:
        overruled = f"Global residual: the checkpoint states {_variant(bool(stated))}, the option overrules it."
        return GlobalResidual(option, "option", (overruled,) if stated not in (None, option) else ())
    if stated is not None:
        return GlobalResidual(stated, "metadata")
    measured = measure_global_residual(build, spec.channels, spec.scale)
    return GlobalResidual(measured.global_residual, "measured", (measured.note(),))


class ResidualMeasurement(NamedTuple):
    """Mean absolute errors of the two variants, for pixels in 0..1, and which of them reconstructs."""

    error_with: float
    error_without: float

    @property
    def decided(self) -> bool:
        """Whether one variant is clearly better."""
        low, high = sorted((self.error_with, self.error_without))
        return high > DECISIVE_RATIO * low

    @property
    def global_residual(self) -> bool:
        """The better variant; with global residual, as MSRResNet was published, if neither is clearly better."""
        return self.error_with < self.error_without if self.decided else True

    def note(self) -> str:
        """One sentence for the report."""
        errors = f"mean error {self.error_with:.3f} with, {self.error_without:.3f} without"
        variant = _variant(self.global_residual)
        if not self.decided:
            return (
                f"Global residual: not in the checkpoint, and measuring does not decide ({errors}); assumed {variant}."
            )
        return f"Global residual: not in the checkpoint; measured by which variant reconstructs ({errors}): {variant}."


def _variant(global_residual: bool) -> str:
    return "with" if global_residual else "without"


def measure_global_residual(build: Callable[[bool], nn.Module], channels: int, scale: int) -> ResidualMeasurement:
    """Compare the outputs of both variants for shrunken test patterns with the patterns.

    Args:
        build: Builds the network with or without global residual.
        channels: Its input and output channels.
        scale: Output side over input side.
    """
    with_residual, without = (reconstruction_error(build(variant), channels, scale) for variant in (True, False))
    return ResidualMeasurement(with_residual, without)


@torch.inference_mode()
def reconstruction_error(module: nn.Module, channels: int, scale: int) -> float:
    """The mean absolute difference of test patterns from what the module makes of the shrunken ones.

    Args:
        module: The network; it is set to evaluation mode.
        channels: Its input and output channels.
        scale: Output side over input side.
    """
    patterns = _test_patterns(channels, _SIDE * scale)
    shrunk = functional.interpolate(patterns, size=(_SIDE, _SIDE), mode="bicubic", antialias=True)
    return float((module.eval()(shrunk) - patterns).abs().mean())


def _test_patterns(channels: int, side: int) -> Tensor:
    """A gradient, a disk, stripes and smooth noise, (4, channels, side, side) in 0..1, always the same."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.linspace(0, 1, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    disk = (torch.hypot(x - 0.4, y - 0.6) < 0.3).float()
    stripes = 0.5 + 0.5 * torch.sin(30 * x + 12 * y)
    coarse = torch.rand(1, 1, 6, 6, generator=generator)
    smooth = functional.interpolate(coarse, size=(side, side), mode="bilinear")[0, 0]
    patterns = torch.stack([(x + y) / 2, disk, stripes, smooth])[:, None]
    return patterns * (0.4 + 0.6 * torch.rand(4, channels, 1, 1, generator=generator))
