"""Enlarging a picture of any size tile by tile, without seams, in the memory of the picture, the result and one tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.errors import InputError
from ddrscope.features import Precision
from ddrscope.features.execution import autocast
from ddrscope.features.taps import device_of
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network
from ddrscope.networks.guided import CELL, REACH

# Input pixels a side of what each tile adds to the result, and of what is read around it and thrown away. The latter holds the
# receptive field of an SRResNet of 16 blocks (37 pixels).
TILE, OVERLAP = 256, 40


@dataclass(frozen=True)
class Span:
    """A part of one axis: ``start`` and ``stop`` of what is made, ``first`` and ``last`` of what is read for it."""

    start: int
    stop: int
    first: int
    last: int


def check_scale(network: Network, scale: int | None) -> int:
    """The scale of the result: the network's own, or a whole fraction of it. Raises `InputError` for any other."""
    if not scale or scale == network.scale:
        return network.scale
    if scale > network.scale or network.scale % scale:
        fit = ", ".join(str(number) for number in range(1, network.scale + 1) if network.scale % number == 0)
        raise InputError(f"{network.name} enlarges by {network.scale}, of which {scale} cannot be made: --scale may be {fit}")
    return scale


def check_tiles(tile: int, overlap: int) -> None:
    """Raise `InputError` unless tiles lie on a guide's cells."""
    if tile % CELL or overlap % CELL:
        raise InputError(f"--tile {tile} and --overlap {overlap} must be multiples of {CELL}")


@torch.inference_mode()
def check_network(network: Network) -> None:
    """Raise `InputError` for a network that makes no RGB pictures of RGB pictures."""
    if network.channels != 3:
        raise InputError(f"{network.name} takes {network.channels} channels: upscale needs a network for RGB")
    side = 64
    made = network(torch.zeros(1, 3, side, side, device=device_of(network.module)))
    if made.shape != (1, 3, side * network.scale, side * network.scale):
        raise InputError(f"{network.name} makes no pictures (its output of one of {side} pixels is {tuple(made.shape)}): choose another")


def count_tiles(height: int, width: int, tile: int = TILE) -> int:
    """How many tiles a picture is made of."""
    return -(-height // tile) * -(-width // tile)


@torch.inference_mode()
def enlarge(
    network: Network,
    pixels: NDArray[np.float32],
    scale: int | None = None,
    *,
    alpha: NDArray[np.float32] | None = None,
    bits: int = 8,
    tile: int = TILE,
    overlap: int = OVERLAP,
    precision: Precision = "float32",
    advance: Callable[[], object] = lambda: None,
) -> NDArray[np.unsignedinteger]:
    """The picture (H, W, 3), or grey (H, W, 1), in 0..1 through ``network``: (scale*H, scale*W, C), uint8 or, with ``bits`` 16, uint16.

    Grey goes through the network as RGB and stays grey. ``alpha`` (H, W, 1) is enlarged bicubically and comes last. A ``scale`` smaller
    than the network's is reached by bicubic shrinking. All of it happens tile by tile: beside picture and result only one tile's
    work is held. Each tile is read with ``overlap`` pixels around it: where that holds the network's receptive field, tiles leave no seam.
    ``advance`` is called after each. Raises `InputError` for a picture smaller than the network takes.
    """
    check_tiles(tile, overlap)
    height, width, channels = pixels.shape
    if min(height, width) < network.minimum_size:
        raise InputError(f"{width} x {height} pixels are too few: {network.name} takes {network.minimum_size} a side or more")
    wanted = check_scale(network, scale)
    depth = channels + (alpha is not None)
    made = np.empty((height * wanted, width * wanted, depth), np.uint16 if bits == 16 else np.uint8)
    highest = np.iinfo(made.dtype).max
    multiple = math.lcm(CELL, network.size_multiple)
    for rows in spans(height, tile, overlap, multiple):
        for columns in spans(width, tile, overlap, multiple):
            size = (rows.last - rows.first) * wanted, (columns.last - columns.first) * wanted
            piece = _run(network, pixels, rows, columns, precision)
            if wanted < network.scale:
                piece = resize(piece, size)
            if channels == 1:
                piece = piece.mean(axis=2, keepdims=True)
            if alpha is not None:
                piece = np.concatenate([piece, resize(alpha[rows.first : rows.last, columns.first : columns.last], size)], axis=2)
            top, left = (rows.start - rows.first) * wanted, (columns.start - columns.first) * wanted
            bottom, right = top + (rows.stop - rows.start) * wanted, left + (columns.stop - columns.start) * wanted
            kept = np.rint(piece[top:bottom, left:right].clip(0, 1) * highest)
            made[rows.start * wanted : rows.stop * wanted, columns.start * wanted : columns.stop * wanted] = kept
            advance()
    return made


def spans(length: int, tile: int, overlap: int, multiple: int = CELL) -> Iterator[Span]:
    """Parts of an axis one after the other, each read with ``overlap`` or more on both sides where there is any, from ``multiple`` to
    ``multiple``, where the windows of some networks begin.
    """
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        first, last = max(start - overlap, 0) // multiple * multiple, -(-(stop + overlap) // multiple) * multiple
        yield Span(start, stop, first, min(last, length))


def guide_margin(guide: DegradationGuide) -> int:
    """The input pixels beyond a tile that a guide must see so that its cells say what they say of the whole picture."""
    seen = 2 + 2 * len(guide.body)
    return (REACH + 1) * CELL + -(-seen // CELL) * CELL


def _run(network: Network, pixels: NDArray[np.float32], rows: Span, columns: Span, precision: Precision) -> NDArray[np.float32]:
    module, device = network.module, device_of(network.module)

    def batch(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
        part = torch.from_numpy(np.ascontiguousarray(pixels[top:bottom, left:right])).permute(2, 0, 1)[None]
        return part.expand(-1, 3, -1, -1).to(device).contiguous(memory_format=torch.channels_last)

    inside = batch(rows.first, rows.last, columns.first, columns.last)
    with autocast(precision, device):
        if isinstance(module, GuidedSRResNet) and module.guide is not None:
            margin = guide_margin(module.guide)
            top, left = (max(span.first - margin, 0) for span in (rows, columns))
            cells = module.condition(batch(top, rows.last + margin, left, columns.last + margin))
            down, right = (rows.first - top) // CELL, (columns.first - left) // CELL
            count = [-(-side // CELL) for side in inside.shape[2:]]
            output = module(inside, cells[:, :, down : down + count[0], right : right + count[1]])
        else:
            output = network(inside)
    return output[0].float().permute(1, 2, 0).cpu().numpy()
