"""The number of processor threads that PyTorch uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[int]:
    """Let PyTorch use a number of threads while the block runs.

    Args:
        count: The number; 0 leaves it to PyTorch, which takes OMP_NUM_THREADS or all cores.

    Yields:
        The number of threads in use.
    """
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
