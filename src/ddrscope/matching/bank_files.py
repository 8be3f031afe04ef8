"""Banks of a search in files, from which an interrupted run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddrscope.degradations.chains import DegradationChain, parse_chain
from ddrscope.io.files import atomic_write
from ddrscope.matching.fitting import Bank


def save_bank(path: Path, bank: Bank) -> None:
    """Write a bank; atomically."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, chains=np.array([chain.text for chain in bank.chains]), features=bank.features)


def load_bank(path: Path) -> Bank:
    """Read what `save_bank` wrote."""
    with np.load(path, allow_pickle=False) as content:
        chains: tuple[DegradationChain, ...] = tuple(parse_chain(str(text)) for text in content["chains"])
        return Bank(chains, content["features"])
