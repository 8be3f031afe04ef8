"""From what a user writes for a network to the network."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError, escaped, printable
from ddrscope.io.files import exists, is_file, sha256
from ddrscope.io.paths import expand
from ddrscope.networks.architectures.efficientnet import EfficientNetLite0, layer_names, our_names
from ddrscope.networks.checkpoints.hub import PREFIX, cached_folder, cached_name, is_hub_folder, load_hub_folder
from ddrscope.networks.checkpoints.ncnn import read_ncnn
from ddrscope.networks.checkpoints.weights import TORCH_SUFFIXES, content_of, read_weights
from ddrscope.networks.network import Network, weights_sha256
from ddrscope.networks.outputs import image_of, output_tensors
from ddrscope.networks.registry import build_network
from ddrscope.networks.zoo import (
    CLASSIFIERS,
    PRETRAINED,
    bundled_names,
    bundled_path,
    classifier_file,
    network_names,
    pretrained_pair,
)

SUFFIXES = (".safetensors", *TORCH_SUFFIXES, ".param", ".bin")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
# Large enough for most networks' windows and strides, small enough to be quick.
_PROBE_SIDE = 64


def load_network(spec: str | Path, *, global_residual: bool | None = None, allow_torchscript: bool = False) -> Network:
    """The network that ``spec`` names: a bundled or pretrained name, a file, a folder in the hub's layout, or ``module:function``.

    Files are `.safetensors`, `.pth`, `.pt`, `.ckpt`, or an ncnn pair `.param` and `.bin`, named by either. A folder is one that
    `save_to_hub_folder` wrote, or ``hf://ORG/NAME`` for one that the hub's cache on this machine holds. The function (found
    from the working directory too) returns an ``nn.Module`` which may carry ``scale`` and ``channels``, where a trial run and
    its first convolution do not tell. ``global_residual`` says whether an SRResNet adds its enlarged input, where the file does
    not; None: as the file says, else measured. ``allow_torchscript`` admits TorchScript archives. Raises `InputError` for whatever cannot
    be found, read, or recognized.
    """
    text = str(spec)
    if text in bundled_names():
        return _from_file(bundled_path(text), text, global_residual, allow_torchscript)
    if text in PRETRAINED:
        return _from_ncnn(*pretrained_pair(text), text)
    if text in CLASSIFIERS:
        return _classifier(classifier_file(text), text)
    text = expand(text)
    if text.startswith(PREFIX):
        return load_hub_folder(cached_folder(text), cached_name(text), global_residual)
    if exists(Path(text)) and is_hub_folder(Path(text)):
        return load_hub_folder(Path(text), None, global_residual)
    if Path(text).suffix.lower() in SUFFIXES or _is_checkpoint(Path(text)):
        return _from_path(Path(text), global_residual, allow_torchscript)
    if _FUNCTION.fullmatch(text) and not exists(Path(text)):
        return _from_function(text)
    raise _unknown_spec(text)


def load_named_network(spec: object, where: str) -> Network:
    """The network that a file of others names; raises `InputError` for ``module:function``, which would run what they please."""
    text = str(spec)
    if text not in network_names() and (len(text) > 4096 or Path(text).suffix.lower() not in SUFFIXES):
        raise InputError(f"{where} = {text[:200]} is neither a file of weights nor a name of ddrscope models list")
    return load_network(text)


def _from_path(path: Path, global_residual: bool | None, allow_torchscript: bool) -> Network:
    param = path.with_suffix(".param")
    # The hub's older checkpoints are called pytorch_model.bin.
    is_torch = path.suffix.lower() == ".bin" and not exists(param) and _is_checkpoint(path)
    if path.suffix.lower() in (".param", ".bin") and not is_torch:
        return _from_ncnn(param, path.with_suffix(".bin"), escaped(path.stem))
    return _from_file(path, escaped(path.stem), global_residual, allow_torchscript)


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint by its content, whatever it is called."""
    return is_file(path) and content_of(path) is not None


def _from_file(path: Path, name: str, global_residual: bool | None, allow_torchscript: bool) -> Network:
    weights = read_weights(path, allow_torchscript)
    network = build_network(weights.state, weights.metadata, str(path), global_residual)
    notes = (*network.notes, *weights.notes)
    return dataclasses.replace(network, name=name, source=str(path), sha256=weights.sha256, notes=notes)


def _from_ncnn(param: Path, binary: Path, name: str) -> Network:
    weights = read_ncnn(param, binary)
    network = build_network(weights.state, {}, str(binary))
    network = dataclasses.replace(network, name=name, source=str(binary), sha256=sha256(binary))
    if weights.final_resize == 1.0:
        return network
    scale = round(network.scale * weights.final_resize)
    if scale < 1:
        raise InputError(f"{param} shrinks its output to nothing: download or convert it again")
    note = (
        f"The network enlarges by {network.scale}; its output is then shrunk to x{scale}, after all layers looked at."
    )
    shrink = _ThenShrink(network.module, scale / network.scale)
    return dataclasses.replace(network, scale=scale, notes=(*network.notes, note), run=shrink)


def _classifier(path: Path, name: str) -> Network:
    module, weights = EfficientNetLite0(), read_weights(path)
    module.load_state_dict(our_names(weights.state))
    layers = layer_names(module)
    note = "A classification network: images are degraded at their own size and resized to 224 pixels; its last layer is a vector."
    return Network(
        name=name,
        module=module,
        scale=1,
        channels=3,
        architecture="EfficientNet-Lite0",
        layers=layers,
        last_hr_layer=layers[-1],
        notes=(note,),
        source=str(path),
        sha256=weights.sha256,
    )


class _ThenShrink:
    """Runs a module and shrinks its output by ``factor`` as ncnn's bicubic Interp does, without smoothing first."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        self.module = module
        self.factor = factor

    def __call__(self, batch: Tensor) -> Tensor:
        return functional.interpolate(self.module(batch), scale_factor=self.factor, mode="bicubic", align_corners=False)


def _from_function(text: str) -> Network:
    module = _call_function(text)
    channels = _whole_number(getattr(module, "channels", None)) or _input_channels(text, module)
    # Batches are float32, as the weights of files are.
    module.eval().cpu().float()
    stated = _whole_number(getattr(module, "scale", None))
    scale, notes = (stated, ()) if stated else _try_out(text, module, channels)
    return Network(
        name=text,
        module=module,
        scale=scale,
        channels=channels,
        architecture=type(module).__name__,
        notes=notes,
        source=text,
        sha256=weights_sha256(module),
    )


def _call_function(text: str) -> nn.Module:
    module_name, _, function_name = text.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
        if function is None:
            names = [name for name in dir(sys.modules[module_name]) if not name.startswith("_")]
            nearest = difflib.get_close_matches(function_name, names, n=3) or names[:3]
            raise InputError(
                f"{text}: {module_name} has no {function_name!r}; it has {', '.join(nearest) or 'nothing'}"
            )
        module = function()
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise InputError(
            f"{text}: no module {error.name!r}; run from the folder that holds it, or install it"
        ) from None
    # The user's own code: whatever it raises is told in one line.
    except Exception as error:
        raise InputError(f"{text} failed with {type(error).__name__}: {_one_line(error)}; mend the function") from error
    finally:
        if here in sys.path:
            sys.path.remove(here)
    if not isinstance(module, nn.Module):
        raise InputError(f"{text} returned a {type(module).__name__}: it must return a torch.nn.Module")
    return module


def _whole_number(value: Any) -> int | None:
    """A module's own ``scale`` or ``channels`` if it is a positive whole number; other uses of these names are not meant."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _input_channels(text: str, module: nn.Module) -> int:
    """The input channels of the first convolution, which is nearly always the one that sees the image."""
    for submodule in module.modules():
        if isinstance(submodule, nn.Conv2d):
            return submodule.in_channels
    raise InputError(
        f"{text}: the module has no 2-D convolution that would tell its input channels; set module.channels"
    )


def _try_out(text: str, module: nn.Module, channels: int) -> tuple[int, tuple[str, ...]]:
    """Output side over input side, 1 for outputs that are no images, as a classifier's; and notes on the trial run."""
    batch = torch.rand(1, channels, _PROBE_SIDE, _PROBE_SIDE)
    try:
        with torch.inference_mode():
            output = module(batch)
            image = image_of(output, batch, None, text)
    except Exception as error:
        raise InputError(
            f"{text}: a trial run on {channels} channels of {_PROBE_SIDE} pixels failed ({_one_line(error)}); "
            "set module.scale and module.channels"
        ) from None
    scale = image.shape[-1] // _PROBE_SIDE if image.ndim == 4 and image.shape[-1] % _PROBE_SIDE == 0 else 1
    notes = [f"{text} says no scale; a trial run of {_PROBE_SIDE} pixels gives x{scale}."]
    count = len(list(output_tensors(output)))
    if count > 1:
        notes.append(
            f"{text} gives {count} tensors; the image is the first of an image's shape, here {tuple(image.shape)}."
        )
    return scale, tuple(notes)


def _one_line(error: Exception) -> str:
    return printable(str(error))[:200]


def _unknown_spec(text: str) -> InputError:
    path = Path(text)
    if exists(path) and path.is_dir():
        return InputError(f"{text} is a folder without config.json and model.safetensors: give a file of weights in it")
    if exists(path):
        return InputError(f"{text} is no checkpoint by its name: its suffix must be one of {', '.join(SUFFIXES)}")
    names = network_names()
    nearest = difflib.get_close_matches(text, names, n=3, cutoff=0.4) or names
    return InputError(
        f"no network is called {text!r}; named ones are {', '.join(nearest)}; else give a file ({', '.join(SUFFIXES)}) "
        "or module:function"
    )
