"""What an architecture declares: how its checkpoints are recognized, and what is read from their weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

State = dict[str, Tensor]


@dataclass(frozen=True)
class ModelSpec:
    """What the weights of a checkpoint determine.

    Args:
        state: The weights under the module's own names.
        build: The constructor with the arguments read from the weights; it is given whether the network has a global
            residual, and may ignore it.
        scale: Output side over input side.
        channels: Input channels.
        layers: The layers to analyze by default, in forward order; the last one is the last HR layer. Empty: they are
            found by a trial run, see `ddrscope.layers.default_layers`.
        global_residual: Whether the network adds its enlarged input to its output; None if the weights do not
            determine it.
        minimum_size: The smallest input side in pixels.
        notes: Sentences that a report should show.
    """

    state: State
    build: Callable[[bool], nn.Module]
    scale: int
    channels: int
    layers: tuple[str, ...] = ()
    global_residual: bool | None = False
    minimum_size: int = 1
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    Args:
        name: The name of the architecture, as in the metadata of checkpoints.
        matches: Whether weights have the key names of this architecture.
        read: Reads a `ModelSpec` from weights that match. Sizes come from shapes and counts, never from a number in a
            key: an untrusted checkpoint may name a billionth layer. KeyError, IndexError, ValueError and
            ZeroDivisionError are reported as a misfit, `InputError` with its own message.
        example: Builds the network in its usual sizes under the weight names of checkpoints, with which weights of an
            unknown architecture are compared; None if they are not.
    """

    name: str
    matches: Callable[[State], bool]
    read: Callable[[State], ModelSpec]
    example: Callable[[], nn.Module] | None = None


class SelfInitializing(nn.Module):
    """A module with its own rule for drawing initial weights."""

    @abstractmethod
    def initialize(self) -> None:
        """Draw the weights anew."""


def count_blocks(state: State, prefix: str) -> int:
    """How many submodules are numbered directly below ``prefix``, as in ``body.0.weight``."""
    depth = prefix.count(".")
    return len({key.split(".")[depth] for key in state if key.startswith(prefix)})


def whole_image_note(what: str) -> str:
    """The sentences on a network whose output at a place depends on the whole image.

    Args:
        what: The part that does so, and how.
    """
    return (
        f"{what}: an image upscaled in tiles differs from the whole. Upscale with one tile as large as the image if "
        "memory allows."
    )
