"""The last HR layer computed a few rows at a time: only the trunk's output, many times smaller, is kept whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.features.precision import Precision, autocast
from ddrscope.layers import device_of

# Rows of the trunk's output in a block: 210 MB for 800 patches of 32 px, enlarged four times, with 64 channels.
_ROWS_PER_BLOCK = 2
# Patches that go through the tail together.
_PATCHES_PER_CHUNK = 32


@runtime_checkable
class HasTrunk(Protocol):
    """A network of a trunk at the input's size and a tail of stages, each a 3 x 3 convolution and local layers."""

    def trunk(self, x: Tensor) -> Tensor:
        """From the input (B, C, H, W) to the input of the tail, at the same size."""
        ...

    def tail(self) -> list[nn.Sequential]:
        """The stages from there to the last HR layer, in order."""
        ...


class RowStream:
    """Runs stages on rows that arrive from top to bottom; together the results are those of the whole image.

    Each convolution keeps the last two rows of its input, so nothing is computed twice. Results lag one row behind for
    each stage.
    """

    def __init__(self, stages: Sequence[nn.Sequential]) -> None:
        self.stages = list(stages)
        self._kept_rows: list[Tensor | None] = [None] * len(self.stages)

    def push(self, rows: Tensor, last: bool) -> Tensor:
        """Add input rows and return the output rows (B, C, h, W) that are complete, possibly none.

        Args:
            rows: The next input rows (B, C, h, W).
            last: Whether they are the last ones.
        """
        for index, stage in enumerate(self.stages):
            convolution, *local = stage
            assert isinstance(convolution, nn.Conv2d)
            kept = self._kept_rows[index]
            # The zero padding of the convolution above and below the image.
            padding = rows.new_zeros(*rows.shape[:2], 1, rows.shape[3])
            above = padding if kept is None else kept
            below = [padding] if last else []
            rows = torch.cat([above, rows, *below], 2)
            self._kept_rows[index] = rows[:, :, -2:].clone()
            rows = functional.conv2d(rows, convolution.weight, convolution.bias, padding=(0, 1))
            for layer in local:
                rows = layer(rows)
        return rows


@torch.inference_mode()
def stream_last_hr_layer(
    module: HasTrunk, batches: Iterable[Tensor], precision: Precision = "auto"
) -> Iterator[np.ndarray]:
    """Compute the last HR layer of all images block by block.

    Args:
        module: The network.
        batches: float32 (B, C, H, W), all of one size.
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 if it is faster.

    Yields:
        float32 (N, w) blocks that together hold every feature once, in some order. A block is valid until the next one:
        they share their memory.

    Raises:
        InputError: Images differ in size, or there are none.
    """
    assert isinstance(module, nn.Module)
    device = device_of(module)
    with autocast(precision, device):
        trunks = [module.trunk(batch.to(device).contiguous(memory_format=torch.channels_last)) for batch in batches]
    if len({trunk.shape[1:] for trunk in trunks}) != 1:
        raise InputError("images of one size, and at least one, are needed: crop them alike")
    chunks = [part for trunk in trunks for part in trunk.split(_PATCHES_PER_CHUNK)]
    streams = [RowStream(module.tail()) for _ in chunks]
    count, height = sum(map(len, chunks)), chunks[0].shape[2]
    # One buffer for all blocks: with one each, the previous block would still be held while the next is computed.
    buffer = np.empty(0, dtype=np.float32)
    for top in range(0, height, _ROWS_PER_BLOCK):
        last = top + _ROWS_PER_BLOCK >= height
        width, first = 0, 0
        for stream, chunk in zip(streams, chunks, strict=True):
            # Inside the loop: around it, autocast would stay in force for the caller between two blocks.
            with autocast(precision, device):
                rows = stream.push(chunk[:, :, top : top + _ROWS_PER_BLOCK], last)
            width = rows[0].numel()
            if buffer.size < count * width:
                buffer = np.empty(count * width, dtype=np.float32)
            target = torch.from_numpy(buffer[: count * width].reshape(count, width)[first : first + len(rows)])
            # Channels last, as in memory. Any order will do for products of features if it is the same for all chunks.
            target.view(len(rows), *rows.shape[2:], rows.shape[1]).copy_(rows.permute(0, 2, 3, 1))
            first += len(rows)
        yield buffer[: count * width].reshape(count, width)
