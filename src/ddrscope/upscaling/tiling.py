"""Enlarging an image of any size tile by tile, without seams, in the memory of the image, the result and one tile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrscope.degradations import resize
from ddrscope.errors import InputError, printable
from ddrscope.features import Precision
from ddrscope.features.hooks import device_of
from ddrscope.features.precision import autocast
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet
from ddrscope.networks.architectures.guided import CELL, REACH

# Input pixels a side of what each tile adds to the result, and of what is read around it and thrown away. The latter holds the
# receptive field of an SRResNet of 16 blocks (37 pixels).
TILE, OVERLAP = 256, 40
# How much of the overlap is kept once a trunk is done: the tail of an SRResNet sees 3 pixels and shrinking its result some 4 more.
EDGE = 8
# A guide works on features of the input's size only, so its tiles may be so many times larger: it throws less away.
GUIDE_TILES = 2
# What an even grey may become, on the median. A network for pixels in 0..255 goes far beyond it.
MAX_GREY_RESPONSE = 4.0


@dataclass(frozen=True)
class Span:
    """A part of one axis: ``start`` and ``stop`` of what is made, ``first`` and ``last`` of what is read for it."""

    start: int
    stop: int
    first: int
    last: int

    def narrowed(self, edge: int) -> Span:
        """The same with at most ``edge`` pixels read on each side."""
        return replace(self, first=max(self.first, self.start - edge), last=min(self.last, self.stop + edge))

    def within(self, other: Span, scale: int = 1) -> slice:
        """Where what is read here lies in what is read there, ``scale`` times enlarged."""
        return slice((self.first - other.first) * scale, (self.last - other.first) * scale)

    def cells(self, origin: int = 0) -> slice:
        """The guide's cells of what is read, counted from the pixel ``origin``."""
        return slice((self.first - origin) // CELL, -(-(self.last - origin) // CELL))


def check_scale(network: Network, scale: int | None) -> int:
    """The scale of the result: the network's own, or a whole fraction of it. Raises `InputError` for any other."""
    if not scale or scale == network.scale:
        return network.scale
    if scale > network.scale or network.scale % scale:
        fit = ", ".join(str(number) for number in range(1, network.scale + 1) if network.scale % number == 0)
        raise InputError(
            f"{network.name} enlarges by {network.scale}, of which {scale} cannot be made: --scale may be {fit}"
        )
    return scale


def check_tiles(tile: int, overlap: int) -> None:
    """Raise `InputError` unless tiles lie on a guide's cells."""
    if tile % CELL or overlap % CELL:
        raise InputError(f"--tile {tile} and --overlap {overlap} must be multiples of {CELL}")


@torch.inference_mode()
def check_network(network: Network) -> None:
    """Raise `InputError` for a network that makes no RGB images of RGB images."""
    if network.channels != 3:
        raise InputError(f"{network.name} takes {network.channels} channels: upscale needs a network for RGB")
    side = 64
    try:
        made = network(torch.full((1, 3, side, side), 0.5, device=device_of(network.module)))
    except InputError:
        raise
    # Somebody's own function fails in any way.
    except Exception as error:
        reason = printable(str(error))[:200] or type(error).__name__
        raise InputError(
            f"{network.name} fails on an image of {side} x {side} pixels ({reason}): mend it, or choose another"
        ) from error
    if made.shape != (1, 3, side * network.scale, side * network.scale):
        raise InputError(
            f"{network.name} makes no images (its output of one of {side} pixels is {tuple(made.shape)}): choose another"
        )
    level = float(made.float().abs().median())
    if MAX_GREY_RESPONSE < level < math.inf:
        raise InputError(
            f"{network.name} turns an even grey of 0.5 into values around {level:.4g}, but images are 0..1: give a function "
            "(module:function) that wraps it and divides its output, by 255 for instance"
        )


def check_finite(values: Tensor, network: Network, rows: Span, columns: Span, precision: Precision) -> None:
    """Raise `InputError` for an output with values that are NaN or infinite: written as pixels, they would be black or white."""
    if values.isfinite().all():
        return
    broken = next((name for name, tensor in network.module.state_dict().items() if not tensor.isfinite().all()), None)
    if broken:
        remedy = f"its weights {printable(broken)[:80]!r} are not finite: get another file of weights"
    else:
        remedy = "choose another network" if precision == "float32" else "give --precision float32"
    tile = f"the tile of rows {rows.start} to {rows.stop - 1} and columns {columns.start} to {columns.stop - 1}"
    raise InputError(f"{network.name} gives NaN or infinite values in {tile}: {remedy}")


def check_size(network: Network, height: int, width: int) -> None:
    """Raise `InputError` for an image that is smaller than the network takes."""
    if min(height, width) < network.minimum_size:
        raise InputError(
            f"{width} x {height} pixels are too few: {network.name} takes {network.minimum_size} a side or more"
        )


def count_tiles(network: Network, height: int, width: int, tile: int = TILE) -> int:
    """How many tiles an image is made of, those of a guide included."""
    sides = [tile, tile * GUIDE_TILES] if _guide(network) else [tile]
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
    """The image (H, W, 3), or grey (H, W, 1), in 0..1 through ``network``: ``(scale*H, scale*W, C)``, uint8 or, with ``bits`` 16, uint16.

    Grey goes through the network as RGB and stays grey. ``alpha`` (H, W, 1) is enlarged bicubically and comes last. A ``scale`` smaller
    than the network's is reached by bicubic shrinking. All of it happens tile by tile: beside image, result and a guide's embedding (two
    bytes a pixel) only one tile's work is held. Each tile is read with ``overlap`` pixels around it: where that holds the network's
    receptive field, tiles leave no seam.
    ``advance`` is called after each. Raises `InputError` for an image smaller than the network takes, and for an output that is not
    finite.
    """
    check_tiles(tile, overlap)
    height, width, channels = pixels.shape
    check_size(network, height, width)
    wanted = check_scale(network, scale)
    depth = channels + (alpha is not None)
    made = np.empty((height * wanted, width * wanted, depth), np.uint16 if bits == 16 else np.uint8)
    highest = np.iinfo(made.dtype).max
    # What takes one tile is read whole, wherever windows begin.
    multiple = math.lcm(CELL, network.tile_multiple) if max(height, width) > tile else CELL
    embedding = _embed(network, pixels, tile * GUIDE_TILES, precision, advance)
    for read_rows in spans(height, tile, overlap, multiple):
        for read_columns in spans(width, tile, overlap, multiple):
            piece = _run(network, pixels, embedding, read_rows, read_columns, precision)
            rows, columns = read_rows.narrowed(EDGE), read_columns.narrowed(EDGE)
            size = (rows.last - rows.first) * wanted, (columns.last - columns.first) * wanted
            if wanted < network.scale:
                piece = resize(piece, size)
            if channels == 1:
                piece = piece.mean(axis=2, keepdims=True)
            if alpha is not None:
                piece = np.concatenate(
                    [piece, resize(alpha[rows.first : rows.last, columns.first : columns.last], size)], axis=2
                )
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
    """The input pixels beyond a tile that a guide must see so that its cells say what they say of the whole image."""
    seen = 2 + 2 * len(guide.body)
    return (REACH + 1) * CELL + -(-seen // CELL) * CELL


def _guide(network: Network) -> DegradationGuide | None:
    return network.module.guide if isinstance(network.module, GuidedSRResNet) else None


def _batch(network: Network, pixels: NDArray[np.float32], rows: Span, columns: Span) -> Tensor:
    part = torch.from_numpy(np.ascontiguousarray(pixels[rows.first : rows.last, columns.first : columns.last])).permute(
        2, 0, 1
    )[None]
    return part.expand(-1, 3, -1, -1).to(device_of(network.module)).contiguous(memory_format=torch.channels_last)


def _embed(
    network: Network, pixels: NDArray[np.float32], tile: int, precision: Precision, advance: Callable[[], object]
) -> Tensor | None:
    """What steers a guided network, (1, D, rows, columns), of all cells of an image; None for other networks."""
    guide, module = _guide(network), network.module
    if guide is None:
        return None
    assert isinstance(module, GuidedSRResNet)
    height, width = pixels.shape[:2]
    margin, strips = guide_margin(guide), []
    with autocast(precision, device_of(module)):
        for rows in spans(height, tile, margin):
            strip = []
            for columns in spans(width, tile, margin):
                seen = module.embedding(_batch(network, pixels, rows, columns))
                strip.append(seen[..., rows.narrowed(0).cells(rows.first), columns.narrowed(0).cells(columns.first)])
                advance()
            strips.append(torch.cat(strip, 3))
    return torch.cat(strips, 2)


def _run(
    network: Network,
    pixels: NDArray[np.float32],
    embedding: Tensor | None,
    rows: Span,
    columns: Span,
    precision: Precision,
) -> NDArray[np.float32]:
    """What the network makes of a tile with `EDGE` pixels around it."""
    module, batch = network.module, _batch(network, pixels, rows, columns)
    kept = rows.narrowed(EDGE), columns.narrowed(EDGE)
    with autocast(precision, device_of(module)):
        if isinstance(module, SRResNet | GuidedSRResNet):
            steered = () if embedding is None else (embedding[..., rows.cells(), columns.cells()],)
            # Enlarging is half of the work and sees little around a place: only what is kept of the trunk is enlarged.
            inside = (..., kept[0].within(rows), kept[1].within(columns))
            features = module.trunk(batch, *steered)[inside]
            for stage in module.tail():
                features = stage(features)
            output = module.finish(batch[inside], features)
        else:
            output = network(batch)[..., kept[0].within(rows, network.scale), kept[1].within(columns, network.scale)]
    check_finite(output, network, rows, columns, precision)
    return output[0].float().permute(1, 2, 0).cpu().numpy()
