"""A network ready for analysis, with what is known about it."""

from __future__ import annotations

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
from ddrscope.networks.architectures.srresnet import SRResNet
from ddrscope.networks.outputs import image_of
from ddrscope.networks.windows import tile_multiple


@dataclass(frozen=True, eq=False)
class Network:
    """A module in evaluation mode with its scale, channels, layers and origin.

    Calling it maps batches (B, channels, H, W) in 0..1 to batches (B, C, scale*H, scale*W) in float32, whatever pixel
    range the module itself has; the output may exceed 0..1 a little. Of several outputs, the first with the shape of
    an image is returned. A classifier has scale 1 and returns logits (B, classes).

    Args:
        name: A short name for reports.
        module: The module.
        scale: Output side over input side.
        channels: Input channels.
        architecture: The name of the architecture.
        global_residual: Whether the network adds its enlarged input to its output; None if unknown.
        global_residual_source: ``option``, ``metadata``, ``measured`` or ``architecture``.
        residual_interpolation: How the input is enlarged before it is added, where that was measured: ``nearest``,
            ``bilinear``, ``bicubic``, ``identity`` or ``learned``; see `measure_residual_path`.
        layers: The layers to analyze by default, in forward order; empty if they were not looked for.
        last_hr_layer: The input of the output convolution, or of the classifier; the last of ``layers``.
        minimum_size: The smallest input side in pixels.
        size_multiple: Input sides are padded to multiples of it.
        notes: Sentences that a report should show.
        source: Where the weights come from.
        sha256: SHA-256 of the checkpoint, or of the weights if there is none.
        run: Calls the module if that takes more than ``module(batch)``. It must hold the module as an attribute, so
            that a deep copy calls the copied module.
    """

    name: str
    module: nn.Module
    scale: int
    channels: int
    architecture: str
    global_residual: bool | None = None
    global_residual_source: str | None = None
    residual_interpolation: str | None = None
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
        """The grid in input pixels on which tiles may begin.

        There, windows and coarser grids lie as in the whole image. Measured by a trial run at first use.
        """
        if isinstance(self.module, SRResNet | GuidedSRResNet):
            return self.size_multiple
        return math.lcm(self.size_multiple, tile_multiple(self.module, self.run or self.module, self.channels))

    def to(self, device: str | torch.device) -> Network:
        """Move the module to ``device``; returns this network, as ``nn.Module.to`` does."""
        self.module.to(device)
        return self

    def identity(self) -> dict[str, str]:
        """The name and the SHA-256 of the weights, by which a resumed run recognizes the network."""
        return {"name": self.name, "sha256": self.sha256}

    def describe(self) -> dict[str, Any]:
        """What is known about the network, as JSON values by field name."""
        hidden = ("module", "run")
        known = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in hidden
        }
        return known | {"parameters": self.parameters, "layers": list(self.layers), "notes": list(self.notes)}


def disambiguate_names(networks: Sequence[Network], specs: Sequence[str]) -> list[Network]:
    """The networks; those that share a name, as ``a/best.pth`` and ``b/best.pth``, are named by their specs instead.

    Args:
        networks: Loaded networks.
        specs: What each was loaded from, as the user wrote it.
    """
    names = [network.name for network in networks]
    return [
        dataclasses.replace(network, name=spec) if names.count(network.name) > 1 else network
        for network, spec in zip(networks, specs, strict=True)
    ]


def weights_sha256(module: nn.Module) -> str:
    """The SHA-256 of a module's parameters and buffers, including names and shapes."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
