"""Recognizing an architecture by the names of its weights, and building it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError, printable
from ddrscope.networks.architectures.edsr import EDSR, edsr_shape, edsr_weights
from ddrscope.networks.architectures.guided import DegradationGuide, GuidedSRResNet, guided_shape
from ddrscope.networks.architectures.plain import PlainSR, plain_shape
from ddrscope.networks.architectures.srresnet import SRResNet, basicsr_names, srresnet_shape
from ddrscope.networks.checkpoints.safety import AllocationLimit
from ddrscope.networks.checkpoints.state_dicts import candidate_states, which_weights
from ddrscope.networks.global_residual import measure_global_residual
from ddrscope.networks.network import Network

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

T = TypeVar("T")
Module = TypeVar("Module", bound=nn.Module)

# Attention that reaches beyond windows: what a tile gives depends on all of the image, however far away.
_WHOLE_IMAGE = ("ATD", "OmniSR", "RGT")
_WHOLE_IMAGE_NOTE = (
    "The attention of this network is not kept in windows: an image enlarged in tiles differs from the whole, so give upscale a --tile as "
    "large as the image where memory allows."
)
_SPANDREL = "https://github.com/chaiNNer-org/spandrel"


def build_network(
    state: dict[str, Tensor], metadata: Mapping[str, str], name: str, global_residual: bool | None = None
) -> Network:
    """The network that these weights belong to, loaded strictly: SRResNet, guided or not, PlainSR, EDSR, or one that spandrel
    knows.

    ``global_residual`` comes before the metadata; where neither says it, it is measured. Raises `InputError` for weights of an
    unknown architecture, and for a known one's that do not fit it.
    """

    def ours(weights: dict[str, Tensor]) -> Network | None:
        return (
            _guided(weights, metadata, name, global_residual)
            or _srresnet(basicsr_names(weights), metadata, name, global_residual)
            or _plain(weights, metadata, name, global_residual)
            or _edsr(weights, name)
        )

    def of_spandrel(weights: dict[str, Tensor]) -> Network | None:
        return _from_spandrel(weights, name)

    # Importing spandrel's forty architectures takes seconds, so the others are looked for everywhere first.
    for recognize in (ours, of_spandrel):
        for candidate in candidate_states(state):
            network = recognize(candidate.state)
            if network:
                note = which_weights(candidate, state)
                return dataclasses.replace(network, notes=(*network.notes, note)) if note else network
    raise _unknown_architecture(state, name)


def _srresnet(state: dict[str, Tensor], metadata: Mapping[str, str], name: str, option: bool | None) -> Network | None:
    if not {"conv_first.weight", "body.0.conv1.weight", "conv_hr.weight", "conv_last.weight"} <= state.keys():
        return None
    shape = _fitting(name, "SRResNet", lambda: srresnet_shape(state))

    def build(global_residual: bool) -> SRResNet:
        return _load_strictly(name, "SRResNet", lambda: SRResNet(**shape, global_residual=global_residual), state)

    residual, source, notes = _residual(build, shape, metadata, option)
    return Network(
        name=name,
        module=build(residual),
        scale=shape["scale"],
        channels=shape["in_channels"],
        architecture="SRResNet",
        global_residual=residual,
        global_residual_source=source,
        layers=(*(f"body.{n}" for n in range(shape["blocks"])), "conv_last:input"),
        last_hr_layer="conv_last:input",
        notes=notes,
    )


def _residual(
    build: Callable[[bool], nn.Module], shape: Mapping[str, int], metadata: Mapping[str, str], option: bool | None
) -> tuple[bool, str, tuple[str, ...]]:
    """Whether a network of the SRResNet family adds its enlarged input, who says so, and notes on it."""
    written = {"true": True, "false": False}.get(metadata.get("global_residual", "").lower())
    if shape["in_channels"] != shape["out_channels"]:
        return False, "architecture", ()
    if option is not None:
        overruled = f"Global residual: the file says {'with' if written else 'without'}, the option overrules it."
        return option, "option", (overruled,) if written not in (None, option) else ()
    if written is not None:
        return written, "metadata", ()
    measured = measure_global_residual(build, shape["in_channels"], shape["scale"])
    return measured.global_residual, "measured", (measured.note(),)


def _guided(state: dict[str, Tensor], metadata: Mapping[str, str], name: str, option: bool | None) -> Network | None:
    if not {"embed.0.weight", "modulate.weight", "network.conv_first.weight"} <= state.keys():
        return None
    if "guide.conv_first.weight" not in state:
        raise InputError(
            f"{name} was trained with guidance=oracle and has no guide: it serves to measure with, not to be used"
        )
    architecture = "GuidedSRResNet"
    shape = _fitting(name, architecture, lambda: guided_shape(state))

    def build(global_residual: bool) -> GuidedSRResNet:
        def make() -> GuidedSRResNet:
            return GuidedSRResNet(
                SRResNet(**shape.network, global_residual=global_residual), DegradationGuide(*shape.guide)
            )

        return _load_strictly(name, architecture, make, state)

    residual, source, notes = _residual(build, shape.network, metadata, option)
    return Network(
        name=name,
        module=build(residual),
        scale=shape.network["scale"],
        channels=shape.network["in_channels"],
        architecture=architecture,
        global_residual=residual,
        global_residual_source=source,
        notes=notes,
        layers=(*(f"network.body.{n}" for n in range(shape.network["blocks"])), "network.conv_last:input"),
        last_hr_layer="network.conv_last:input",
        # A mirror needs a second pixel.
        minimum_size=2,
    )


def _plain(state: dict[str, Tensor], metadata: Mapping[str, str], name: str, option: bool | None) -> Network | None:
    if not {"body.0.conv.weight", "conv_last.weight"} <= state.keys() or "conv_first.weight" in state:
        return None
    shape = _fitting(name, "PlainSR", lambda: plain_shape(state))

    def build(global_residual: bool) -> PlainSR:
        return _load_strictly(name, "PlainSR", lambda: PlainSR(**shape, global_residual=global_residual), state)

    residual, source, notes = _residual(build, shape, metadata, option)
    return Network(
        name=name,
        module=build(residual),
        scale=shape["scale"],
        channels=shape["in_channels"],
        architecture="PlainSR",
        global_residual=residual,
        global_residual_source=source,
        layers=(*(f"body.{n}" for n in range(shape["blocks"] - 1)), "conv_last:input"),
        last_hr_layer="conv_last:input",
        notes=notes,
    )


def _edsr(state: dict[str, Tensor], name: str) -> Network | None:
    basicsr = {"conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight", "conv_last.weight"}
    original = {"head.0.weight", "body.0.body.0.weight", "tail.1.weight"}
    if not (basicsr <= state.keys() or original <= state.keys()):
        return None
    weights, pixel_range = _fitting(name, "EDSR", lambda: edsr_weights(state))
    shape = _fitting(name, "EDSR", lambda: edsr_shape(weights))
    trunk_end = ("upsample:input",) if shape["scale"] > 1 else ()
    return Network(
        name=name,
        module=_load_strictly(name, "EDSR", lambda: EDSR(**shape, pixel_range=pixel_range), weights),
        scale=shape["scale"],
        channels=shape["in_channels"],
        architecture="EDSR",
        global_residual=False,
        global_residual_source="architecture",
        layers=(*(f"body.{n}" for n in range(shape["blocks"])), *trunk_end, "conv_last:input"),
        last_hr_layer="conv_last:input",
    )


def _from_spandrel(state: dict[str, Tensor], name: str) -> Network | None:
    # Importing spandrel's forty architectures takes seconds; most runs need none of them.
    from spandrel import MAIN_REGISTRY, ImageModelDescriptor, UnsupportedModelError

    try:
        with AllocationLimit(state.values()):
            descriptor = MAIN_REGISTRY.load(dict(state))
    except UnsupportedModelError:
        return None
    # Its detectors trust the names; weights that only resemble an architecture may fail in any way.
    except Exception as error:
        raise _misfit(name, "an architecture that spandrel knows", error) from None
    architecture = descriptor.architecture.id
    # spandrel would run these at a noise level of its own choice, which the features then show; that is the user's to say.
    wants_noise_level = architecture == "DRUNet" or getattr(descriptor.model, "mode", None) == "FDnCNN"
    if wants_noise_level or not isinstance(descriptor, ImageModelDescriptor):
        raise InputError(
            f"{name} is a {architecture}, which takes more than an image (a noise level or a mask): "
            "wrap it, that input fixed, in a function and name it module:function"
        )
    layers = _spandrel_layers(architecture, descriptor.model)
    residual = {"ESRGAN": False, "Compact": True}.get(architecture)
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
        notes=(_WHOLE_IMAGE_NOTE,) if architecture in _WHOLE_IMAGE else (),
        run=_SpandrelCall(descriptor),
    )


class _SpandrelCall:
    """Runs a spandrel network by spandrel's own rules for padding and pixel range; infinite values become NaN, not black or white."""

    def __init__(self, descriptor: ImageModelDescriptor[nn.Module]) -> None:
        self.descriptor = descriptor

    def __call__(self, batch: Tensor) -> Tensor:
        # spandrel clamps to 0..1, and infinite values would look like any others behind that.
        handle = self.descriptor.model.register_forward_hook(_infinite_to_nan)
        try:
            return self.descriptor(batch)
        finally:
            handle.remove()


def _infinite_to_nan(_module: nn.Module, _args: Any, output: Any) -> Any:
    return (
        output.masked_fill(output.isinf(), torch.nan) if isinstance(output, Tensor) and output.isinf().any() else output
    )


def _spandrel_layers(architecture: str, module: nn.Module) -> tuple[str, ...]:
    """Default layers of the architectures known by heart; none for the others."""
    children = dict(module.named_modules())
    if architecture == "ESRGAN":
        last = max(int(key.split(".")[1]) for key in children if re.fullmatch(r"model\.\d+", key))
        # The last child of the trunk is the convolution that ends it; model.1 adds the trunk's input to it.
        trunk = sum(re.fullmatch(r"model\.1\.sub\.\d+", key) is not None for key in children) - 1
        return (*(f"model.1.sub.{n}" for n in range(trunk)), "model.1", f"model.{last}:input")
    if architecture == "Compact":
        last = max(int(key.split(".")[1]) for key in children if re.fullmatch(r"body\.\d+", key))
        return (*(f"body.{n}" for n in range(1, last - 1, 2)), f"body.{last}:input")
    return ()


def _load_strictly(name: str, architecture: str, build: Callable[[], Module], state: dict[str, Tensor]) -> Module:
    def load() -> Module:
        with AllocationLimit(state.values()):
            module = build()
        module.load_state_dict(state)
        return module.eval()

    return _fitting(name, architecture, load)


def _fitting(name: str, architecture: str, step: Callable[[], T]) -> T:
    try:
        return step()
    except (RuntimeError, ValueError, KeyError, IndexError, ZeroDivisionError) as error:
        raise _misfit(name, architecture, error) from None


def _misfit(name: str, architecture: str, error: Exception) -> InputError:
    reason = printable(str(error))[:200] or type(error).__name__
    return InputError(
        f"{name} has the weight names of {architecture}, but not all its weights, or of other shapes ({reason}): "
        "give the class that made it as module:function"
    )


def _unknown_architecture(state: dict[str, Tensor], name: str) -> InputError:
    keys = ", ".join(key[:60] for key in list(state)[:4])
    return InputError(
        f"{name}: {len(state)} weights of no architecture known here (first keys: {keys}); either name a function that "
        "builds and loads it (module:function), or rename the weights to those of SRResNet, EDSR or an architecture of "
        f"spandrel, or ask spandrel to add it ({_SPANDREL})"
    )
