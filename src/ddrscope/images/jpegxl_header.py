"""Size and depth from the header of a JPEG XL (ISO/IEC 18181-1, annexes A and D).

They are needed before the pixels are decoded, and imagecodecs reports neither.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_CODESTREAM = b"\xff\x0a"
_MAX_BOXES = 64
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
# Each value is one of four choices: a start, and the number of bits that are added to it.
_SIDES = ((1, 9), (1, 13), (1, 18), (1, 30))
_ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))


@dataclass(frozen=True)
class JpegXlHeader:
    """Size in pixels as stored, bits per sample (of floats too), and whether there is an alpha channel."""

    width: int
    height: int
    bits: int
    alpha: bool


def is_jpegxl(head: bytes) -> bool:
    """Whether the first 12 bytes of a file are those of a JPEG XL."""
    return head.startswith((_CODESTREAM, _CONTAINER))


def read(data: bytes) -> JpegXlHeader:
    """Read the header.

    Raises:
        ValueError: The header is truncated or corrupt, or there are channels other than grey, RGB and straight alpha.
    """
    bits = _Bits(_codestream(data)[:4096])
    bits.take(16)
    width, height = _size(bits)
    if bits.take(1):
        return JpegXlHeader(width, height, 8, False)
    if bits.take(1):
        bits.take(3)
        if bits.take(1):
            _size(bits)
        if bits.take(1):
            raise ValueError("a JPEG XL with a preview: save it as PNG")
        if bits.take(1):
            _skip_animation(bits)
    depth = _depth(bits)
    bits.take(1)
    extra = bits.choose((0, 0), (1, 0), (2, 4), (1, 12))
    if extra > 1 or (extra and not _is_straight_alpha(bits)):
        raise ValueError("a JPEG XL with channels other than colour and straight alpha: save it as PNG")
    return JpegXlHeader(width, height, depth, bool(extra))


class _Bits:
    """Reads numbers of any width from bytes, lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("a JPEG XL that ends in its header")
        self._left -= count
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        return value

    def choose(self, *choices: tuple[int, int]) -> int:
        start, count = choices[self.take(2)]
        return start + self.take(count)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = 8 * (1 + bits.take(5)) if small else bits.choose(*_SIDES)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return (8 * (1 + bits.take(5)) if small else bits.choose(*_SIDES)), height


def _skip_animation(bits: _Bits) -> None:
    bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choose((0, 0), (0, 3), (0, 16), (0, 32))
    bits.take(1)


def _depth(bits: _Bits) -> int:
    if bits.take(1):
        depth = bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
        return depth
    return bits.choose((8, 0), (10, 0), (12, 0), (1, 6))


def _is_straight_alpha(bits: _Bits) -> bool:
    if bits.take(1):
        return True
    kind = bits.choose(*_ENUM)
    _depth(bits)
    bits.choose((0, 0), (3, 0), (4, 0), (1, 3))
    name = bits.choose((0, 0), (0, 4), (16, 5), (48, 10))
    bits.take(8 * name)
    return kind == 0 and not bits.take(1)


def _codestream(data: bytes) -> bytes:
    """The codestream, or its first part, taken out of the container."""
    if data.startswith(_CODESTREAM):
        return data
    offset = len(_CONTAINER)
    for _ in range(_MAX_BOXES):
        if len(data) < offset + 16:
            break
        length, kind = struct.unpack_from(">I4s", data, offset)
        start = offset + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        if kind in (b"jxlc", b"jxlp"):
            part = data[start + (4 if kind == b"jxlp" else 0) :][:4096]
            if part.startswith(_CODESTREAM):
                return part
            break
        if length < 8:
            break
        offset += length
    raise ValueError("a JPEG XL without an image in it, or a corrupt one")
