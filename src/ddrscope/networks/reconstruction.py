"""Which variant of a network weights belong to, where they do not contain it: the one that reconstructs an image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.strict_loading import loaded

# The wrong variant of a trained network misses by the whole image, several times the error of the right one.
DECISIVE_RATIO = 1.25
# Of the shrunken patterns, in pixels.
SIDE = 24
# Of a trial run. Published networks have scales up to 8; shapes in an untrusted file could ask for an image of any size.
_MAX_SCALE = 16
# The note names the best variants.
_LISTED = 3


class Variant(NamedTuple):
    """How to build a variant of a network, and its output side over its input side."""

    build: Callable[[], nn.Module]
    scale: int


class Choice(NamedTuple):
    """The name of a variant, and one sentence for the report."""

    name: str
    note: str


@torch.inference_mode()
def choose_variant(subject: str, variants: Mapping[str, Variant], state: Mapping[str, Tensor], channels: int) -> Choice:
    """The variant that reconstructs shrunken test patterns best.

    Args:
        subject: What the variants differ in, as the note names it.
        variants: Variants by name, as the note names them. The first of those that are not clearly worse than the
            best is taken.
        state: The weights.
        channels: Input and output channels of the network.

    Raises:
        ValueError: The scale is larger than that of any network.
        RuntimeError: The weights do not fit.
    """
    errors = {name: _relative_error(variant, state, channels) for name, variant in variants.items()}
    ranking = sorted(errors.items(), key=lambda pair: pair[1])
    listed = ", ".join(f"{name} {error:.2f}" for name, error in ranking[:_LISTED])
    limit = DECISIVE_RATIO * min(errors.values())
    name, *others = [name for name, error in errors.items() if error <= limit]
    if not others:
        measured = "measured by which variant reconstructs, by its error over that of bilinear enlargement"
        return Choice(name, f"{subject}: not in the checkpoint; {measured} ({listed}): {name}.")
    undecided = f"measuring does not decide (relative errors {listed}); assumed {name}"
    return Choice(name, f"{subject}: not in the checkpoint, and {undecided}.")


def _relative_error(variant: Variant, state: Mapping[str, Tensor], channels: int) -> float:
    """The mean absolute error over that of bilinear enlargement; infinite if it is no number."""
    if not 1 <= variant.scale <= _MAX_SCALE:
        raise ValueError(f"scale {variant.scale}")
    module = loaded(variant.build, state)
    patterns = make_patterns(channels, SIDE * variant.scale)
    shrunk = functional.interpolate(patterns, size=(SIDE, SIDE), mode="bicubic", antialias=True)
    # Some published networks explode outside the range of images.
    shrunk = shrunk.clamp(0, 1)
    enlarged = functional.interpolate(shrunk, size=patterns.shape[-2:], mode="bilinear", align_corners=False)
    error = float((module(shrunk) - patterns).abs().mean() / (enlarged - patterns).abs().mean())
    return error if math.isfinite(error) else math.inf


def make_patterns(channels: int, side: int) -> Tensor:
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
