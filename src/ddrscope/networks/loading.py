"""Loading a network from what the user writes for it."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError, escaped
from ddrscope.io.files import exists, is_file, sha256
from ddrscope.io.paths import expand
from ddrscope.networks.architectures.classifiers import classifier_note
from ddrscope.networks.architectures.efficientnet import SIDE, EfficientNetLite0, layer_names, module_names
from ddrscope.networks.checkpoints.hub import PREFIX, cached_folder, cached_name, is_hub_folder, load_hub_folder
from ddrscope.networks.checkpoints.ncnn import read_ncnn
from ddrscope.networks.checkpoints.torch_files import TORCH_SUFFIXES
from ddrscope.networks.checkpoints.weights import check_file, content_of, read_weights
from ddrscope.networks.function_networks import is_function_spec, load_from_function
from ddrscope.networks.inspection import inspected, with_stated_residual
from ddrscope.networks.network import Network
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
_MAX_PATH = 4096


def load_network(spec: str | Path, *, global_residual: bool | None = None, allow_torchscript: bool = False) -> Network:
    """Load a network.

    Args:
        spec: One of

            - a name of `list_networks`;
            - a checkpoint: `.safetensors`, `.pth`, `.pt`, `.ckpt` or of any other name, or one of the ncnn pair `.param`
              and `.bin`. Its content decides how it is read, and nothing in it is executed;
            - a folder that `save_to_hub_folder` wrote, or ``hf://ORG/NAME[@REVISION]`` for one in the local cache of
              the Hugging Face hub;
            - ``module:function``, a function without arguments that returns an ``nn.Module``. The module is also
              looked for in the working directory. Its attributes ``scale`` and ``channels``, if set, are used.
        global_residual: Whether the network adds its enlarged input to its output. An SRResNet is built accordingly;
            where the weights do not determine it, the answer overrules the measurement. None: as the checkpoint
            states, otherwise measured.
        allow_torchscript: Read TorchScript archives. They contain programs, so allow only trusted sources.

    Raises:
        InputError: The network is not found, cannot be read, or is of no known architecture.
        MissingDependencyError: It comes with an extra that is not installed.

    Examples:
        >>> network = load_network("srresnet-wgr")
        >>> network.scale
        4
    """
    return with_stated_residual(inspected(_load(str(spec), global_residual, allow_torchscript)), global_residual)


def load_named_network(spec: object, where: str) -> Network:
    """Load a network that an untrusted file names: never ``module:function``, which runs code.

    Args:
        spec: What the file contains.
        where: The place in the file, for the message.
    """
    text = str(spec)
    if text not in network_names() and (len(text) > _MAX_PATH or not _may_be_checkpoint(Path(expand(text)))):
        raise InputError(f"{where} = {text[:200]} is neither a checkpoint nor a name in `ddrscope models list`")
    return load_network(text)


def _load(text: str, global_residual: bool | None, allow_torchscript: bool) -> Network:
    if text in bundled_names():
        return _load_file(bundled_path(text), text, global_residual, allow_torchscript)
    if text in PRETRAINED:
        return _load_ncnn(*pretrained_pair(text), text, global_residual)
    if text in CLASSIFIERS:
        return _load_classifier(classifier_file(text), text)
    text = expand(text)
    if text.startswith(PREFIX):
        return load_hub_folder(cached_folder(text), cached_name(text), global_residual)
    path = Path(text)
    if exists(path) and is_hub_folder(path):
        return load_hub_folder(path, None, global_residual)
    if _may_be_checkpoint(path):
        return _load_path(path, global_residual, allow_torchscript)
    if is_function_spec(text) and not exists(path):
        return load_from_function(text)
    raise _unknown_spec(text)


def _load_path(path: Path, global_residual: bool | None, allow_torchscript: bool) -> Network:
    param = path.with_suffix(".param")
    # Older checkpoints of the hub are called pytorch_model.bin.
    is_torch = path.suffix.lower() == ".bin" and not exists(param) and _is_checkpoint(path)
    if path.suffix.lower() in (".param", ".bin") and not is_torch:
        return _load_ncnn(param, path.with_suffix(".bin"), escaped(path.stem), global_residual)
    return _load_file(path, escaped(path.stem), global_residual, allow_torchscript)


def _may_be_checkpoint(path: Path) -> bool:
    """Whether a path is that of a checkpoint by its suffix or, if it exists, by its content."""
    return path.suffix.lower() in SUFFIXES or _is_checkpoint(path)


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint by its content."""
    return is_file(path) and content_of(path) is not None


def _load_file(path: Path, name: str, global_residual: bool | None, allow_torchscript: bool) -> Network:
    weights = read_weights(path, allow_torchscript)
    network = build_network(weights.state, weights.metadata, str(path), global_residual)
    notes = (*network.notes, *weights.notes)
    return dataclasses.replace(network, name=name, source=str(path), sha256=weights.sha256, notes=notes)


def _load_ncnn(param: Path, binary: Path, name: str, global_residual: bool | None) -> Network:
    weights = read_ncnn(param, binary)
    network = build_network(weights.state, {}, str(binary), global_residual)
    network = dataclasses.replace(network, name=name, source=str(binary), sha256=sha256(binary))
    if weights.final_resize == 1.0:
        return network
    scale = round(network.scale * weights.final_resize)
    if scale < 1:
        raise InputError(f"{param} shrinks its output to nothing: download or convert it again")
    note = f"The network has scale {network.scale}; its output is then shrunk to x{scale}, after all analyzed layers."
    run = _RunAndShrink(network.module, scale / network.scale)
    return dataclasses.replace(network, scale=scale, notes=(*network.notes, note), run=run)


def _load_classifier(path: Path, name: str) -> Network:
    module, weights = EfficientNetLite0(), read_weights(path)
    module.load_state_dict(module_names(weights.state))
    layers = layer_names(module)
    return Network(
        name=name,
        module=module,
        scale=1,
        channels=3,
        architecture="EfficientNet-Lite0",
        layers=layers,
        last_hr_layer=layers[-1],
        notes=(classifier_note(SIDE, "a vector"),),
        source=str(path),
        sha256=weights.sha256,
    )


class _RunAndShrink:
    """Runs a module and shrinks its output by ``factor`` like ncnn's bicubic Interp, without antialiasing."""

    def __init__(self, module: nn.Module, factor: float) -> None:
        self.module = module
        self.factor = factor

    def __call__(self, batch: Tensor) -> Tensor:
        return functional.interpolate(self.module(batch), scale_factor=self.factor, mode="bicubic", align_corners=False)


def _unknown_spec(text: str) -> InputError:
    path = Path(text)
    if exists(path) and path.is_dir():
        return InputError(f"{text} is a folder without config.json and model.safetensors: give a checkpoint in it")
    if exists(path):
        check_file(path)
        return InputError(
            f"{text} is not a checkpoint: by its content it is neither a .safetensors file nor what "
            "torch.save writes; give one of these, or module:function"
        )
    names = network_names()
    nearest = difflib.get_close_matches(text, names, n=3, cutoff=0.4) or names
    return InputError(
        f"no network and no file is called {text!r}; known names are {', '.join(nearest)}; otherwise give a checkpoint "
        f"({', '.join(SUFFIXES)}, or any other name) or module:function"
    )
