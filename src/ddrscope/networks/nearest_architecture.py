"""The known architecture that weights of an unknown one resemble most."""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ddrscope.networks.architectures.base import Architecture, State

# Share of the kinds of weights, of both sides together, and their number, from which the likeness is real: many
# networks have only names such as `conv_first` and `conv_last` in common.
_LEAST_SHARE, _LEAST_KINDS = 0.25, 4
# Those of spandrel from which others descend, with what their constructors need. Building all takes many seconds.
_SPANDREL: dict[str, dict[str, int]] = {
    "SPAN": {"num_in_ch": 3, "num_out_ch": 3},
    "SAFMN": {"dim": 36},
    "SwinIR": {"window_size": 8},
    "HAT": {},
    "DAT": {},
    "OmniSR": {},
    "PLKSR": {},
    "SwiftSRGAN": {},
    "Compact": {},
    "ESRGAN": {},
}


class Likeness(NamedTuple):
    """What weights have in common with an architecture.

    Attributes:
        architecture: Its name.
        common: Kinds of weights that both have. Weights of blocks that differ only in their number are one kind.
        share: These over the kinds that either has, 0..1.
        missing: One weight of each kind that only the architecture has.
        surplus: One weight of each kind that only the checkpoint has.
    """

    architecture: str
    common: int
    share: float
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def nearest_architecture(states: Iterable[State], architectures: Iterable[Architecture]) -> Likeness | None:
    """The architecture, of ddrscope or spandrel, that shares most kinds of weights; None if the likeness is not real.

    Args:
        states: What may be the weights of the network.
        architectures: Those of ddrscope.
    """
    checkpoints = [kinds for kinds in map(_kinds, states) if kinds]
    found = [_likeness(name, kinds, checkpoint) for name, kinds in _known(architectures) for checkpoint in checkpoints]
    real = [likeness for likeness in found if likeness.share >= _LEAST_SHARE and likeness.common >= _LEAST_KINDS]
    return max(real, key=lambda likeness: likeness.share, default=None)


def _likeness(name: str, known: dict[Any, str], seen: dict[Any, str]) -> Likeness:
    common, either = len(known.keys() & seen.keys()), len(known.keys() | seen.keys())
    missing = tuple(key for kind, key in known.items() if kind not in seen)
    return Likeness(
        name, common, common / either, missing, tuple(key for kind, key in seen.items() if kind not in known)
    )


def _kinds(state: State) -> dict[Any, str]:
    """The first weight of each kind: its name without the numbers of blocks, its dimensions, its kernel."""
    kinds: dict[Any, str] = {}
    for key, tensor in state.items():
        name, _, rest = key.partition(".")
        first = re.sub(r"\d+$", "#", name)
        parts = ["#" if part.isdigit() else part for part in rest.split(".")]
        kinds.setdefault((".".join([first, *parts]), tensor.ndim, tuple(tensor.shape[2:])), key)
    return kinds


def _known(architectures: Iterable[Architecture]) -> Iterator[tuple[str, dict[Any, str]]]:
    for architecture in architectures:
        if architecture.example:
            yield architecture.name, _example_kinds(architecture.example)
    yield from _known_to_spandrel()


@functools.cache
def _known_to_spandrel() -> tuple[tuple[str, dict[Any, str]], ...]:
    known = []
    for name, arguments in _SPANDREL.items():
        class_ = getattr(importlib.import_module(f"spandrel.architectures.{name}"), name)
        known.append((name, _example_kinds(lambda: class_(**arguments))))  # noqa: B023
    return tuple(known)


class _OnCPU(TorchFunctionMode):
    """Numbers that constructors read from a tensor need memory."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}) | ({"device": "cpu"} if func is torch.linspace else {}))


def _example_kinds(build: Callable[[], nn.Module]) -> dict[Any, str]:
    # Shapes only, which takes little time.
    with torch.device("meta"), _OnCPU(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _kinds(dict(build().state_dict()))
