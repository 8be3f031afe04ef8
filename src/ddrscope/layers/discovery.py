"""The layers of a network, found by running it once on a sample, whatever its control flow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.layers.hooks import Run, run_with_hooks
from ddrscope.layers.names import LayerName, unknown_layer
from ddrscope.layers.output_convolution import find_output_convolution


class LayerInfo(NamedTuple):
    """A submodule that the forward pass calls.

    Attributes:
        name: Name of the submodule.
        type: Name of its class.
        shape: Shape of its first output, batch included; None if that is not a tensor.
        calls: How often it is called.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None
    calls: int


class DefaultLayers(NamedTuple):
    """The layers that are analyzed by default.

    Attributes:
        layers: Names in forward order.
        last_hr_layer: The one of them that is the input of the output convolution.
    """

    layers: list[str]
    last_hr_layer: str


def all_layers(module: nn.Module, sample: Tensor, run: Run | None = None) -> list[LayerInfo]:
    """Every submodule that a forward pass calls, in the order in which they first return.

    Args:
        module: The network.
        sample: Images (B, C, H, W).
        run: How to call the network, see `Run`.
    """
    submodules = dict(module.named_modules())
    calls: Counter[str] = Counter()
    shapes: dict[str, tuple[int, ...] | None] = {}

    def observe(layer: LayerName, tensor: Tensor | None) -> None:
        if not layer.is_input:
            calls[layer.module] += 1
            shapes.setdefault(layer.module, None if tensor is None else tuple(tensor.shape))

    run_with_hooks(module, sample, filter(None, submodules), observe, run)
    return [LayerInfo(name, type(submodules[name]).__name__, shape, calls[name]) for name, shape in shapes.items()]


def resolve_layers(module: nn.Module, patterns: Sequence[str], sample: Tensor, run: Run | None = None) -> list[str]:
    """The layers that names and globs select, in forward order.

    A glob ignores submodules that are not called or return no tensor. Layers that hold the same tensor (a Sequential
    and its last child, an output and the next input) are returned once: under the first name that was given without a
    glob, else under the outermost.

    Args:
        module: The network.
        patterns: Names or globs, see `LayerName`.
        sample: Images (B, C, H, W), which are run once.
        run: How to call the network, see `Run`.

    Raises:
        InputError: A pattern selects nothing.
    """
    parsed = [LayerName.parse(pattern) for pattern in patterns]
    names = [name for name, _ in module.named_modules() if name and any(p.selects_module(name) for p in parsed)]
    identities: dict[LayerName, bytes] = {}
    tensors: list[Tensor] = []

    def observe(layer: LayerName, tensor: Tensor | None) -> None:
        if tensor is not None and any(pattern.selects(layer) for pattern in parsed):
            identities[layer] = _identity(tensor)
            # Kept alive: another tensor in the same memory would be taken for this one.
            tensors.append(tensor)

    run_with_hooks(module, sample, names, observe, run)

    for text, pattern in zip(patterns, parsed, strict=True):
        if not any(map(pattern.selects, identities)):
            raise _nothing_selected(module, text, pattern)

    explicit = [pattern for pattern in parsed if not pattern.is_glob]

    def precedence(layer: LayerName) -> tuple[int, int]:
        return (explicit.index(layer), 0) if layer in explicit else (len(explicit), layer.depth)

    names_of: dict[bytes, list[LayerName]] = {}
    for layer, identity in identities.items():
        names_of.setdefault(identity, []).append(layer)
    selected = {min(layers, key=precedence) for layers in names_of.values()}
    return [str(layer) for layer in identities if layer in selected]


def default_layers(module: nn.Module, sample: Tensor, run: Run | None = None) -> DefaultLayers:
    """The default layers of a network of unknown architecture: its repeated blocks and the last HR layer.

    The blocks are submodules of one class below one parent, each with submodules of its own, whose outputs have one
    size: of several such groups, those with the most parameters. (The parts of an upsampler have different sizes.)
    A network without such blocks has the layers of one class in its largest Sequential or ModuleList. The last HR
    layer is the input of the output convolution, see `find_output_convolution`.

    Args:
        module: The network.
        sample: Images (B, C, H, W), which are run three times.
        run: How to call the network, see `Run`.

    Raises:
        InputError: The network has no convolution or linear layer.
    """
    output = find_output_convolution(module, sample, run)
    if output is None:
        raise InputError(f"{type(module).__name__}: no convolution to take layers from; name the layers yourself")
    shapes = {layer.name: layer.shape for layer in all_layers(module, sample, run)}
    last_hr_layer = str(output.layer)
    blocks = _repeated_blocks(module, shapes, output.layer.module)
    return DefaultLayers(resolve_layers(module, [last_hr_layer, *blocks], sample, run), last_hr_layer)


def _repeated_blocks(module: nn.Module, shapes: Mapping[str, tuple[int, ...] | None], output: str) -> list[str]:
    """The names of the repeated blocks.

    Args:
        module: The network.
        shapes: Output shapes of the submodules that are called.
        output: The output convolution, which is in no block.
    """
    submodules = dict(module.named_modules())
    siblings: dict[tuple[str, type], list[str]] = {}
    for name in submodules:
        if shapes.get(name) and not output.startswith(f"{name}."):
            siblings.setdefault((name.rpartition(".")[0], type(submodules[name])), []).append(name)
    repeated = {key: names for key, names in siblings.items() if len(names) > 1}
    blocks = [
        names
        for names in repeated.values()
        if all(any(submodules[name].children()) for name in names)
        and len({(shapes[name] or ())[2:] for name in names}) == 1
    ]
    lists = [
        names
        for (parent, _), names in repeated.items()
        if isinstance(submodules[parent], (nn.Sequential, nn.ModuleList))
    ]

    def parameters(names: list[str]) -> int:
        return sum(parameter.numel() for name in names for parameter in submodules[name].parameters())

    return max(blocks or lists, key=parameters, default=[])


def _identity(tensor: Tensor) -> bytes:
    """Equal only for two names of one tensor: the same memory, not changed in place in between."""
    content = hashlib.blake2b(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
    content.update(repr((tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)).encode())
    return content.digest()


def _nothing_selected(module: nn.Module, text: str, pattern: LayerName) -> InputError:
    known = dict(module.named_modules())
    aliases = dict(module.named_modules(remove_duplicate=False))
    if pattern.module in aliases and pattern.module not in known:
        original = next(name for name, submodule in known.items() if submodule is aliases[pattern.module])
        return InputError(
            f"layer {text!r}: it is the same module as {original!r}; use this name, and {original + '#k'!r} for its k-th call"
        )
    if any(pattern.selects_module(name) for name in known if name):
        return InputError(
            f"layer {text!r} gives no tensor: the forward pass does not call it, or not that often; "
            "choose one of the layers it calls"
        )
    return unknown_layer(text, filter(None, known))
