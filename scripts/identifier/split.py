"""Which photographs train the bundled identifier's network, and which calibrate it: by a hash of the name."""

from __future__ import annotations

import hashlib

# Of 256: 15 %.
HELD_OUT = 38


def is_held_out(photo: str) -> bool:
    """Whether a photograph is kept for choosing and calibrating."""
    return hashlib.sha256(photo.encode()).digest()[0] < HELD_OUT
