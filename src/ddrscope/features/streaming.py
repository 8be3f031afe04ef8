"""The last HR layer strip by strip: only the trunk's output, many times smaller, is kept whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.features.hooks import device_of
from ddrscope.features.precision import Precision, autocast

# Rows of the trunk in a strip: 210 MB for 800 patches of 32 px enlarged four times in 64 channels.
ROWS = 2
# Patches that go through the tail together.
CHUNK = 32


@runtime_checkable
class HasTrunk(Protocol):
    """A network that runs in two parts: a trunk at the input's size, and a tail of stages, each a 3 x 3 convolution and local layers."""

    def trunk(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to what enters the tail, at the same size."""
        ...

    def tail(self) -> list[nn.Sequential]:
        """The stages from there to the last HR layer, in order."""
        ...


class RowStream:
    """Runs stages over rows that arrive from top to bottom; together the results are those of the whole image.

    Each convolution keeps the last two rows it was given, so nothing is computed twice. Results lag a row for each stage behind.
    """

    def __init__(self, stages: Sequence[nn.Sequential]) -> None:
        self.stages = list(stages)
        self.kept: list[Tensor | None] = [None] * len(self.stages)

    def push(self, rows: Tensor, last: bool) -> Tensor:
        """The rows (B, C, h, W) that are complete now that ``rows`` are known; none may be. ``last``: no more will come."""
        for index, stage in enumerate(self.stages):
            convolution, *local = stage
            assert isinstance(convolution, nn.Conv2d)
            kept = self.kept[index]
            # The zeros that the convolution pads with above and below the image.
            above = rows.new_zeros(*rows.shape[:2], 1, rows.shape[3]) if kept is None else kept
            below = [rows.new_zeros(*rows.shape[:2], 1, rows.shape[3])] if last else []
            rows = torch.cat([above, rows, *below], 2)
            self.kept[index] = rows[:, :, -2:].clone()
            rows = functional.conv2d(rows, convolution.weight, convolution.bias, padding=(0, 1))
            for layer in local:
                rows = layer(rows)
        return rows


@torch.inference_mode()
def last_hr_strips(module: HasTrunk, batches: Iterable[Tensor], precision: Precision = "auto") -> Iterator[np.ndarray]:
    """The last HR layer of all images as float32 (N, w) blocks that together hold every feature once, in some order.

    ``batches`` are float32 (B, C, H, W), all of one size. A block is valid until the next is asked for: they share their memory.
    """
    assert isinstance(module, nn.Module)
    device = device_of(module)
    with autocast(precision, device):
        trunks = [module.trunk(batch.to(device).contiguous(memory_format=torch.channels_last)) for batch in batches]
    if len({trunk.shape[1:] for trunk in trunks}) != 1:
        raise InputError("images of one size, and at least one, are needed: crop them alike")
    chunks = [part for trunk in trunks for part in trunk.split(CHUNK)]
    streams = [RowStream(module.tail()) for _ in chunks]
    count, height = sum(map(len, chunks)), chunks[0].shape[2]
    # One for all strips: the one before would still be held while the next is made.
    strip = np.empty(0, dtype=np.float32)
    for top in range(0, height, ROWS):
        last = top + ROWS >= height
        width, first = 0, 0
        for stream, chunk in zip(streams, chunks, strict=True):
            # Not around the loop: it would stay in force for the caller between two strips.
            with autocast(precision, device):
                rows = stream.push(chunk[:, :, top : top + ROWS], last)
            width = rows[0].numel()
            if strip.size < count * width:
                strip = np.empty(count * width, dtype=np.float32)
            filled = torch.from_numpy(strip[: count * width].reshape(count, width)[first : first + len(rows)])
            # Channels last, as they lie in memory; any order will do for products of features, if it is that of all chunks.
            filled.view(len(rows), *rows.shape[2:], rows.shape[1]).copy_(rows.permute(0, 2, 3, 1))
            first += len(rows)
        yield strip[: count * width].reshape(count, width)
