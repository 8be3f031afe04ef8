"""Networks of the NTIRE challenges on efficient super-resolution, built by the code of a checkout.

The repositories of these challenges have one file, ``test_demo.py``, with a function ``select_model`` that builds the
network of a team, and weights in ``model_zoo``. The code of a checkout is run: use one that you trust. To analyse one
team's network without this experiment, put this into ``mine.py`` in the working directory:

    from experiments.published_networks.checkouts import challenge_module

    def team11():
        return challenge_module("NTIRE2024_ESR", 11)

and run ``ddrscope analyze mine:team11``.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn


def challenge_module(folder: str | Path, team: int) -> nn.Module:
    """The network of a team, with its published weights; its attributes ``scale``, ``channels`` and ``pixel_range`` set.

    Args:
        folder: A checkout of NTIRE2022_ESR, NTIRE2024_ESR, NTIRE2025_ESR or NTIRE2026_ESR.
        team: The number by which ``test_demo.py`` selects the network; 0 and -1 are baselines.
    """
    with imports_from(Path(folder)):
        demo = importlib.import_module("test_demo")
        module, _, data_range, _ = demo.select_model(argparse.Namespace(model_id=team), torch.device("cpu"))
    module.scale, module.channels = 4, 3
    module.pixel_range = "0..255" if data_range > 1 else "0..1"
    return module


def run_without_gpu() -> None:
    """Where there is no GPU, let `.cuda()` return the tensor or module itself: some networks call it in their code."""
    if not torch.cuda.is_available():
        torch.Tensor.cuda = nn.Module.cuda = lambda self, *_args, **_keywords: self  # type: ignore[assignment]


@contextmanager
def imports_from(folder: Path) -> Iterator[None]:
    """Import modules from a checkout, in its folder, and forget them afterwards: all checkouts use the same names.

    `torch.load` reads weights only, onto the CPU.
    """
    folder = folder.resolve()
    here, load, known = Path.cwd(), torch.load, set(sys.modules)
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    torch.load = functools.partial(load, map_location="cpu", weights_only=True)
    try:
        yield
    finally:
        torch.load = load
        os.chdir(here)
        sys.path.remove(str(folder))
        own = {path.stem for path in folder.iterdir()}
        for name in set(sys.modules) - known:
            if name.partition(".")[0] in own:
                del sys.modules[name]
