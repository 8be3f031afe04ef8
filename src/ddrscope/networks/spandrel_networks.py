"""Checkpoints of the architectures that spandrel knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.networks.architectures.base import State
from ddrscope.networks.checkpoints.safety import AllocationLimit
from ddrscope.networks.misfits import misfit
from ddrscope.networks.network import Network

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

# Architectures with attention beyond windows: the output at a place depends on the whole image.
_GLOBAL_ATTENTION = ("ATD", "OmniSR", "RGT")
_GLOBAL_ATTENTION_NOTE = (
    "The attention of this network is not limited to windows: an image upscaled in tiles differs from the whole. "
    "Upscale with one tile as large as the image if memory allows."
)
_GLOBAL_RESIDUAL = {"ESRGAN": False, "Compact": True}


def build_by_spandrel(state: State, name: str) -> Network | None:
    """The network, if spandrel knows the architecture.

    Raises:
        InputError: The weights resemble a known architecture but do not fit it, or the network needs more than an
            image.
    """
    # Importing spandrel takes seconds, and most runs do not need it.
    from spandrel import MAIN_REGISTRY, ImageModelDescriptor, UnsupportedModelError

    try:
        with AllocationLimit(state.values()):
            descriptor = MAIN_REGISTRY.load(dict(state))
    except UnsupportedModelError:
        return None
    # spandrel's detection trusts the names; weights that only resemble an architecture can fail in any way.
    except Exception as error:
        raise misfit(name, "an architecture that spandrel knows", error) from None
    architecture = descriptor.architecture.id
    # spandrel would run these at a noise level of its own choice, which the features would show.
    needs_noise_level = architecture == "DRUNet" or getattr(descriptor.model, "mode", None) == "FDnCNN"
    if needs_noise_level or not isinstance(descriptor, ImageModelDescriptor):
        raise InputError(
            f"{name} is a {architecture}, which takes more than an image (a noise level or a mask): wrap it in a "
            "function that fixes the other input, and name that as module:function"
        )
    layers = _default_layers(architecture, descriptor.model)
    residual = _GLOBAL_RESIDUAL.get(architecture)
    return Network(
        name=name,
        module=descriptor.model,
        scale=descriptor.scale,
        channels=descriptor.input_channels,
        architecture=architecture,
        global_residual=residual,
        global_residual_source=None if residual is None else "architecture",
        layers=layers,
        last_hr_layer=layers[-1] if layers else None,
        minimum_size=max(1, descriptor.size_requirements.minimum),
        size_multiple=descriptor.size_requirements.multiple_of,
        notes=(_GLOBAL_ATTENTION_NOTE,) if architecture in _GLOBAL_ATTENTION else (),
        run=_SpandrelRun(descriptor),
    )


class _SpandrelRun:
    """Runs a network by spandrel's rules for padding and pixel range; infinite outputs become NaN."""

    def __init__(self, descriptor: ImageModelDescriptor[nn.Module]) -> None:
        self.descriptor = descriptor

    def __call__(self, batch: Tensor) -> Tensor:
        # spandrel clamps to 0..1, after which infinite values could not be told from others.
        handle = self.descriptor.model.register_forward_hook(_infinite_to_nan)
        try:
            output: Tensor = self.descriptor(batch)
            return output
        finally:
            handle.remove()


def _infinite_to_nan(_module: nn.Module, _args: Any, output: Any) -> Any:
    if isinstance(output, Tensor) and output.isinf().any():
        return output.masked_fill(output.isinf(), torch.nan)
    return output


def _default_layers(architecture: str, module: nn.Module) -> tuple[str, ...]:
    """The layers to analyze by default in ESRGAN and SRVGGNetCompact; none for the others."""
    names = [name for name, _ in module.named_modules()]
    if architecture == "ESRGAN":
        last = max(int(name.split(".")[1]) for name in names if re.fullmatch(r"model\.\d+", name))
        # The last child of the trunk is the convolution that ends it; model.1 adds the trunk's input to it.
        blocks = sum(re.fullmatch(r"model\.1\.sub\.\d+", name) is not None for name in names) - 1
        return (*(f"model.1.sub.{n}" for n in range(blocks)), "model.1", f"model.{last}:input")
    if architecture == "Compact":
        last = max(int(name.split(".")[1]) for name in names if re.fullmatch(r"body\.\d+", name))
        return (*(f"body.{n}" for n in range(1, last - 1, 2)), f"body.{last}:input")
    return ()
