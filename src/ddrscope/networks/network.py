"""A network ready to be looked at, and what is known about it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.guided import GuidedSRResNet
from ddrscope.networks.architectures.plain import PlainSR
from ddrscope.networks.architectures.srresnet import SRResNet
from ddrscope.networks.outputs import image_of
from ddrscope.networks.windows import tile_multiple


@dataclass(frozen=True, eq=False)
class Network:
    """A module in evaluation mode with its scale, channels, layers and origin.

    Calling it takes and gives float32 (B, channels, H, W) batches in 0..1, whatever range the module itself wants; the output
    may leave 0..1 a little. Of several outputs the first that has an image's shape is given.
    A classification network has scale 1 and gives logits (B, classes); in the place of its last HR layer
    stands the input of its classifier. ``layers`` are the default ones in forward order, the last of them ``last_hr_layer``; empty and
    None where the architecture is not known by heart. ``global_residual`` is None where unknown; ``global_residual_source``
    says who told: ``option``, ``metadata``, ``measured`` or ``architecture``. ``run`` calls the module where that takes more
    than ``module(batch)``; it must hold the module as an attribute, so that a deep copy calls the copied module.
    ``notes`` are sentences that a report should show. ``sha256`` is that of the weights file, or of the weights themselves
    where there is none.
    """

    name: str
    module: nn.Module
    scale: int
    channels: int
    architecture: str
    global_residual: bool | None = None
    global_residual_source: str | None = None
    layers: tuple[str, ...] = ()
    last_hr_layer: str | None = None
    minimum_size: int = 1
    size_multiple: int = 1
    notes: tuple[str, ...] = ()
    source: str = ""
    sha256: str = ""
    run: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        self.module.eval()

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        return image_of((self.run or self.module)(batch), batch, self.scale, self.name)

    @functools.cached_property
    def tile_multiple(self) -> int:
        """The distance in pixels of places where a tile may begin, so that windows and coarser grids lie as in the whole image.

        Measured by a trial run at first use.
        """
        if isinstance(self.module, SRResNet | GuidedSRResNet):
            return self.size_multiple
        return math.lcm(self.size_multiple, tile_multiple(self.module, self.run or self.module, self.channels))

    def to(self, device: str | torch.device) -> Network:
        """Move the module to ``device``; returns this network, as ``nn.Module.to`` does."""
        self.module.to(device)
        return self

    def identity(self) -> dict[str, str]:
        """Its name and the SHA-256 of its weights: what tells whether a run that is resumed was of this network."""
        return {"name": self.name, "sha256": self.sha256}

    def describe(self) -> dict[str, Any]:
        """What is known about the network, as JSON values by field name."""
        hidden = ("module", "run")
        known = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in hidden
        }
        return known | {"parameters": self.parameters, "layers": list(self.layers), "notes": list(self.notes)}


def disambiguate_names(networks: Sequence[Network], specs: Sequence[str]) -> list[Network]:
    """The networks, those that share a name (`a/best.pth`, `b/best.pth`) named by what was typed."""
    names = [network.name for network in networks]
    return [
        dataclasses.replace(network, name=spec) if names.count(network.name) > 1 else network
        for network, spec in zip(networks, specs, strict=True)
    ]


def reinitialized_copy(network: Network, seed: int = 0) -> Network:
    """The same graph with its weights drawn anew from ``seed``, as before training.

    SRResNet, guided or not, and PlainSR by their own ``initialize``, which leaves a guide as it is; any other submodule by its
    ``reset_parameters``, PyTorch's default for its kind; parameters without such a rule (tables of position biases, learned scales)
    from a normal distribution of their own mean and standard deviation. The draw does not depend on the device and leaves the global random
    state as it was.
    """
    twin = copy.deepcopy(network)
    device = next(twin.module.parameters(), torch.empty(0)).device
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        _redraw(twin.module.cpu())
    digest = weights_sha256(twin.module)
    twin.to(device)
    return dataclasses.replace(
        twin, name=f"{network.name} (random weights)", source=f"random weights, seed {seed}", sha256=digest
    )


def weights_sha256(module: nn.Module) -> str:
    """The SHA-256 of a module's parameters and buffers, names and shapes included."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _redraw(module: nn.Module) -> None:
    if isinstance(module, SRResNet | GuidedSRResNet | PlainSR):
        module.initialize()
        return
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
    else:
        for parameter in module.parameters(recurse=False):
            spread = parameter.std() if parameter.numel() > 1 else parameter.abs().mean()
            parameter.copy_(torch.randn_like(parameter) * spread + parameter.mean())
    for child in module.children():
        _redraw(child)
