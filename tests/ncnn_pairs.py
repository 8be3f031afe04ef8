"""Tiny ncnn pairs."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np


class Graph:
    """Writes tiny ncnn pairs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.data = b""
        self.random = np.random.default_rng(0)

    def add(self, kind: str, ins: list[str], out: str, options: str = "") -> str:
        self.lines.append(f"{kind} {kind}_{len(self.lines)} {len(ins)} 1 {' '.join([*ins, out])} {options}")
        return out

    def convolution(self, source: str, out: str, inputs: int, outputs: int, options: str = "", kernel: int = 3) -> str:
        size = inputs * outputs * kernel**2
        weights = self.random.normal(0, 0.1, size).astype("<f4")
        self.data += (
            struct.pack("<I", 0) + weights.tobytes() + self.random.normal(0, 0.1, outputs).astype("<f4").tobytes()
        )
        return self.add("Convolution", [source], out, f"0={outputs} 1={kernel} 4={kernel // 2} 5=1 6={size} {options}")

    def write(self, folder: Path) -> tuple[Path, Path]:
        param, binary = folder / "tiny.param", folder / "tiny.bin"
        param.write_text("\n".join(["7767517", f"{len(self.lines)} {len(self.lines)}", *self.lines, ""]))
        binary.write_bytes(self.data)
        return param, binary
