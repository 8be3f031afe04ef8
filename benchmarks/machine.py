"""What a benchmark ran on: processor, versions, memory, and the rate of matrix multiplication."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import torch


def describe(libraries: Sequence[str]) -> dict[str, Any]:
    """Processor, threads, date, and the versions of Python and of libraries."""
    return {
        "machine": {"processor": processor(), "threads": torch.get_num_threads(), "date": str(date.today())},
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in libraries},
    }


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def matmul_rate(dtype: torch.dtype = torch.float32) -> float:
    """Floating-point operations per second of a large matrix product."""
    matrix = torch.rand(4096, 4096).to(dtype)
    matrix @ matrix
    started = time.perf_counter()
    for _ in range(5):
        matrix @ matrix
    return 5 * 2 * 4096**3 / (time.perf_counter() - started)


def measured(work: Callable[[], Any]) -> dict[str, Any]:
    """The result of a function, its seconds, and its peak memory above that at its start, in GB. Linux only."""
    Path("/proc/self/clear_refs").write_text("5")
    before, started = _memory("VmRSS"), time.perf_counter()
    result = work()
    return {"result": result, "seconds": time.perf_counter() - started, "peak_gb": (_memory("VmHWM") - before) / 1e9}


def _memory(field: str) -> int:
    """Memory of this process in bytes: VmRSS now, VmHWM at its peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) * 1024
