"""Building a module for weights and loading them strictly; whatever does not fit is one line of an error."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.networks.architectures.base import State
from ddrscope.networks.checkpoints.safety import AllocationLimit
from ddrscope.networks.misfits import misfit

T = TypeVar("T")


def load_strictly(name: str, architecture: str, build: Callable[[], nn.Module], state: State) -> nn.Module:
    """The built module with these weights, in evaluation mode; `InputError` if they do not fit."""
    return fitting(name, architecture, lambda: loaded(build, state))


def loaded(build: Callable[[], nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """The built module with these weights, in evaluation mode; it may not be far larger than they are."""
    with AllocationLimit(state.values()), warnings.catch_warnings():
        # Warnings on the initial weights, which are replaced.
        warnings.simplefilter("ignore", UserWarning)
        module = build()
    module.load_state_dict(state)
    return module.eval()


def fitting(name: str, architecture: str, step: Callable[[], T]) -> T:
    """The result of a step; `InputError` if it fails because the weights do not fit the architecture.

    Args:
        name: The checkpoint, as the message names it.
        architecture: The architecture that the names of the weights indicate.
        step: Reads, builds or loads.
    """
    try:
        return step()
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except (RuntimeError, ValueError, KeyError, IndexError, ZeroDivisionError) as error:
        raise misfit(name, architecture, error) from None
