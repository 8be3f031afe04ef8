"""Enlarging an image of any size tile by tile, without seams, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.degradations import resize
from ddrscope.features import Precision
from ddrscope.features.precision import autocast
from ddrscope.layers import device_of
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet
from ddrscope.networks.architectures.guided import CELL, REACH
from ddrscope.upscaling.checks import check_finite, check_scale, check_size, check_tiles
from ddrscope.upscaling.spans import Span, spans

# Input pixels a side of a tile, and of the overlap that is read around it and discarded. The overlap covers the
# receptive field of an SRResNet of 16 blocks (37 pixels).
TILE, OVERLAP = 256, 40
# How much of the overlap is kept behind the trunk: the tail of an SRResNet sees 3 pixels, shrinking its output about 4
# more.
_TAIL_MARGIN = 8
# A guide computes features at the input's size only, so its tiles can be larger by this factor: less overlap is
# discarded.
_GUIDE_TILE_FACTOR = 2


def count_tiles(network: Network, height: int, width: int, tile: int = TILE) -> int:
    """The number of tiles of an image, those of a guide included."""
    sides = [tile, tile * _GUIDE_TILE_FACTOR] if _guide_of(network) else [tile]
    return sum(-(-height // side) * -(-width // side) for side in sides)


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
    """Enlarge an image in memory, tile by tile.

    If the overlap covers the network's receptive field, tiles leave no seam. In memory are the image, the result, the
    embedding of a guided network (two bytes a pixel), and one tile.

    Args:
        network: A network for RGB images.
        pixels: float32 (H, W, 3), or grey (H, W, 1), in 0..1. Grey goes through the network as RGB and stays grey.
        scale: The network's own scale, or a divisor of it, which is reached by bicubic shrinking. None: its own.
        alpha: Transparency (H, W, 1) in 0..1, which is enlarged bicubically.
        bits: 8 or 16.
        tile: Input pixels a side of a tile, a multiple of 8.
        overlap: Input pixels read on each side of a tile, a multiple of 8.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 if it is faster.
        advance: Called after each tile; `count_tiles` gives their number.

    Returns:
        ``(scale*H, scale*W, C)``, uint8 or, with 16 ``bits``, uint16; ``alpha`` is the last channel.

    Raises:
        InputError: The image is smaller than the network takes, its output is not finite, or an argument is out of
            range.

    Examples:
        >>> network = ddrscope.load_network("blind-ddr")
        >>> ddrscope.enlarge(network, ddrscope.read_image("photo.jpg").pixels).shape
        (1200, 1600, 3)
    """
    check_tiles(tile, overlap)
    height, width, channels = pixels.shape
    check_size(network, height, width)
    scale = check_scale(network, scale)
    depth = channels + (alpha is not None)
    result = np.empty((height * scale, width * scale, depth), np.uint16 if bits == 16 else np.uint8)
    # An image of one tile is read whole, wherever windows begin.
    multiple = math.lcm(CELL, network.tile_multiple) if max(height, width) > tile else CELL
    embedding = _embed(network, pixels, tile * _GUIDE_TILE_FACTOR, precision, advance)
    for rows in spans(height, tile, overlap, multiple):
        for columns in spans(width, tile, overlap, multiple):
            output = _run(network, pixels, embedding, rows, columns, precision)
            part = _finish(output, alpha, rows, columns, scale, channels)
            area = slice(rows.start * scale, rows.stop * scale), slice(columns.start * scale, columns.stop * scale)
            result[area] = np.rint(part.clip(0, 1) * np.iinfo(result.dtype).max)
            advance()
    return result


def guide_margin(guide: DegradationGuide) -> int:
    """The input pixels around a tile that a guide must see so that its cells are those of the whole image."""
    receptive_field = 2 + 2 * len(guide.body)
    return (REACH + 1) * CELL + -(-receptive_field // CELL) * CELL


def _guide_of(network: Network) -> DegradationGuide | None:
    return network.module.guide if isinstance(network.module, GuidedSRResNet) else None


def _to_batch(network: Network, pixels: NDArray[np.float32], rows: Span, columns: Span) -> Tensor:
    part = torch.from_numpy(np.ascontiguousarray(pixels[rows.read, columns.read]))
    batch = part.permute(2, 0, 1)[None].expand(-1, 3, -1, -1)
    return batch.to(device_of(network.module)).contiguous(memory_format=torch.channels_last)


def _embed(
    network: Network, pixels: NDArray[np.float32], tile: int, precision: Precision, advance: Callable[[], object]
) -> Tensor | None:
    """The embedding (1, D, rows, columns) of all cells of an image that steers a guided network; None for others."""
    guide, module = _guide_of(network), network.module
    if guide is None:
        return None
    assert isinstance(module, GuidedSRResNet)
    height, width = pixels.shape[:2]
    margin, bands = guide_margin(guide), []
    with autocast(precision, device_of(module)):
        for rows in spans(height, tile, margin):
            band = []
            for columns in spans(width, tile, margin):
                cells = module.embedding(_to_batch(network, pixels, rows, columns))
                inner_rows, inner_columns = rows.with_margin(0), columns.with_margin(0)
                band.append(cells[..., inner_rows.cells(rows.read_start), inner_columns.cells(columns.read_start)])
                advance()
            bands.append(torch.cat(band, 3))
    return torch.cat(bands, 2)


def _run(
    network: Network,
    pixels: NDArray[np.float32],
    embedding: Tensor | None,
    rows: Span,
    columns: Span,
    precision: Precision,
) -> NDArray[np.float32]:
    """The output of the network for a tile with `_TAIL_MARGIN` pixels around it."""
    module, batch = network.module, _to_batch(network, pixels, rows, columns)
    kept_rows, kept_columns = rows.with_margin(_TAIL_MARGIN), columns.with_margin(_TAIL_MARGIN)
    with autocast(precision, device_of(module)):
        if isinstance(module, SRResNet | GuidedSRResNet):
            condition = () if embedding is None else (embedding[..., rows.cells(), columns.cells()],)
            # The tail takes half of the time and sees only few pixels: it runs on the kept part of the trunk's output.
            inner = (..., kept_rows.read_within(rows), kept_columns.read_within(columns))
            features = module.trunk(batch, *condition)[inner]
            for stage in module.tail():
                features = stage(features)
            output = module.finish(batch[inner], features)
        else:
            scale = network.scale
            inner = (..., kept_rows.read_within(rows, scale), kept_columns.read_within(columns, scale))
            output = network(batch)[inner]
    check_finite(output, network, rows, columns, precision)
    return output[0].float().permute(1, 2, 0).cpu().numpy()


def _finish(
    output: NDArray[np.float32],
    alpha: NDArray[np.float32] | None,
    rows: Span,
    columns: Span,
    scale: int,
    channels: int,
) -> NDArray[np.float32]:
    """The tile without margin at the requested scale, with as many channels as the image and its transparency."""
    rows, columns = rows.with_margin(_TAIL_MARGIN), columns.with_margin(_TAIL_MARGIN)
    size = rows.read_length * scale, columns.read_length * scale
    if output.shape[:2] != size:
        output = resize(output, size)
    if channels == 1:
        output = output.mean(axis=2, keepdims=True)
    if alpha is not None:
        output = np.concatenate([output, resize(alpha[rows.read, columns.read], size)], axis=2)
    top, left = (rows.start - rows.read_start) * scale, (columns.start - columns.read_start) * scale
    return output[top : top + rows.length * scale, left : left + columns.length * scale]
