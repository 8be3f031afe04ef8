"""Which of the tensors that a network gives is the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ddrscope.errors import InputError

# Outputs within outputs; one that holds itself has no end.
_DEEPEST = 8


def image_of(output: Any, batch: Tensor, scale: int | None, name: str) -> Tensor:
    """The image in what a network gives for ``batch`` (B, C, H, W): a tensor as it is; of several the first that has an image's shape.

    That is (B, C, scale*H, scale*W), or any whole multiple of H and W where ``scale`` is None; else the first tensor. Raises
    `InputError` for an output without a floating-point tensor.
    """
    if isinstance(output, Tensor):
        return output
    tensors = list(output_tensors(output))
    if not tensors:
        raise InputError(
            f"{name} gives a {type(output).__name__} without a tensor: give a function that wraps it and returns the image"
        )
    return next((tensor for tensor in tensors if _is_image(tensor, batch, scale)), tensors[0])


def output_tensors(output: Any, depth: int = _DEEPEST) -> Iterator[Tensor]:
    """The floating-point tensors in nested tuples, lists, mappings and dataclasses, in order."""
    if isinstance(output, Tensor):
        if output.is_floating_point():
            yield output
        return
    inner: Any = ()
    if isinstance(output, Mapping):
        inner = output.values()
    elif isinstance(output, (tuple, list)):
        inner = output
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        inner = vars(output).values()
    if depth:
        for one in inner:
            yield from output_tensors(one, depth - 1)


def _is_image(tensor: Tensor, batch: Tensor, scale: int | None) -> bool:
    if tensor.ndim != 4 or tensor.shape[:2] != batch.shape[:2]:
        return False
    factors = {divmod(made, given) for made, given in zip(tensor.shape[2:], batch.shape[2:], strict=True)}
    factor, rest = factors.pop()
    return not factors and not rest and factor > 0 and scale in (None, factor)
