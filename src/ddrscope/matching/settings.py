"""What a run of `match` depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ddrscope.errors import InputError

CHAINS, TILES, SCALE = 1200, 1024, 4
# Memory and time grow with the square of the number of chains.
MAX_CHAINS = 5000


@dataclass(frozen=True)
class MatchSettings:
    """The settings of a run.

    Attributes:
        images: Where the real images are.
        hr: Where the clean photographs are; empty: the bundled ones.
        scale: The factor from LR to HR.
        chains: The size of the first bank of chains.
        tiles: The largest number of tiles of real images.
        seed: Of all choices.
    """

    images: tuple[str, ...]
    hr: tuple[str, ...]
    scale: int
    chains: int
    tiles: int
    seed: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("scale", 1, 8), ("chains", 100, MAX_CHAINS), ("tiles", 32, 5000), ("seed", 0, 2**63 - 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"`{name}`={value} is out of range: give {low} to {high}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)
