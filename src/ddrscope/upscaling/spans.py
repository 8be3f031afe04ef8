"""Dividing an axis of an image into parts that are read with a margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ddrscope.networks.architectures.guided import CELL


@dataclass(frozen=True)
class Span:
    """A part of one axis of an image, in pixels.

    Attributes:
        start: Where the part begins.
        stop: Where it ends, exclusive.
        read_start: Where the pixels that are read for it begin.
        read_stop: Where these end, exclusive.
    """

    start: int
    stop: int
    read_start: int
    read_stop: int

    @property
    def length(self) -> int:
        """Length of the part."""
        return self.stop - self.start

    @property
    def read_length(self) -> int:
        """Length of what is read."""
        return self.read_stop - self.read_start

    @property
    def read(self) -> slice:
        """What is read, in the image."""
        return slice(self.read_start, self.read_stop)

    def with_margin(self, margin: int) -> Span:
        """The same part read with at most ``margin`` pixels on each side."""
        return replace(
            self,
            read_start=max(self.read_start, self.start - margin),
            read_stop=min(self.read_stop, self.stop + margin),
        )

    def read_within(self, other: Span, scale: int = 1) -> slice:
        """Where what this span reads lies in what ``other`` reads, enlarged by ``scale``."""
        offset = other.read_start
        return slice((self.read_start - offset) * scale, (self.read_stop - offset) * scale)

    def cells(self, origin: int = 0) -> slice:
        """The cells of a guide that cover what is read, counted from the pixel ``origin``."""
        return slice((self.read_start - origin) // CELL, -(-(self.read_stop - origin) // CELL))


def spans(length: int, tile: int, overlap: int, multiple: int = CELL) -> Iterator[Span]:
    """Divide an axis into parts.

    Args:
        length: Length of the axis in pixels.
        tile: Length of each part but the last.
        overlap: Margin that is read on both sides of each part, where the image has it.
        multiple: What is read begins and ends at multiples of this, where the windows of some networks begin.
    """
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        read_start = max(start - overlap, 0) // multiple * multiple
        read_stop = -(-(stop + overlap) // multiple) * multiple
        yield Span(start, stop, read_start, min(read_stop, length))
