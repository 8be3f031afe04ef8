"""Tuning of the C library's allocator for runs that allocate large tensors again and again."""

from __future__ import annotations

import ctypes
import sys

# Parameters of mallopt, from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next allocation, for the rest of the process; elsewhere, do nothing.

    By default glibc maps every tensor of tens of megabytes anew and returns it to the system, which must zero its
    pages each time. Here nothing is mapped separately, and up to 2 GiB at the end of the heap are kept.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
