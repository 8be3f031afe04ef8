"""Which of the tensors that a network returns is the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ddrscope.errors import InputError

# Of nested outputs; one that contains itself has no end.
_MAX_DEPTH = 8


def image_of(output: Any, batch: Tensor, scale: int | None, name: str) -> Tensor:
    """The image in the output of a network: of several tensors the first with its shape, else the first.

    Args:
        output: What the network returned.
        batch: What it was given, (B, C, H, W).
        scale: The image has the shape (B, C, scale*H, scale*W); None: any whole multiple of H and W.
        name: The network, for the message.

    Raises:
        InputError: The output contains no floating-point tensor.
    """
    if isinstance(output, Tensor):
        return output
    tensors = list(output_tensors(output))
    if not tensors:
        raise InputError(
            f"{name} returns a {type(output).__name__} without a tensor: wrap it in a function that returns the image"
        )
    return next((tensor for tensor in tensors if _is_image(tensor, batch, scale)), tensors[0])


def output_tensors(output: Any, depth: int = _MAX_DEPTH) -> Iterator[Tensor]:
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
        for item in inner:
            yield from output_tensors(item, depth - 1)


def _is_image(tensor: Tensor, batch: Tensor, scale: int | None) -> bool:
    if tensor.ndim != 4 or tensor.shape[:2] != batch.shape[:2]:
        return False
    factors = {divmod(outer, inner) for outer, inner in zip(tensor.shape[2:], batch.shape[2:], strict=True)}
    factor, rest = factors.pop()
    return not factors and not rest and factor > 0 and scale in (None, factor)
