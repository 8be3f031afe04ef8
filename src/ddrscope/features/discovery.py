"""Which layers a network has: found by running it once on a sample, so any control flow will do."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.features.hooks import Run, first_tensor, run_hooked
from ddrscope.features.names import LayerName, unknown_layer


class LayerInfo(NamedTuple):
    """A submodule that the forward pass calls; `shape` is that of its first output, batch included."""

    name: str
    type: str
    shape: tuple[int, ...] | None
    calls: int


class DefaultLayers(NamedTuple):
    """`layers` in forward order, `last_hr_layer` among them."""

    layers: list[str]
    last_hr_layer: str


def all_layers(module: nn.Module, sample: Tensor, run: Run | None = None) -> list[LayerInfo]:
    """Every submodule that a forward pass of `sample` (B, C, H, W) calls, in the order in which they first finish."""
    submodules = dict(module.named_modules())
    calls: Counter[str] = Counter()
    shapes: dict[str, tuple[int, ...] | None] = {}

    def see(layer: LayerName, tensor: Tensor | None) -> None:
        if not layer.is_input:
            calls[layer.module] += 1
            shapes.setdefault(layer.module, None if tensor is None else tuple(tensor.shape))

    run_hooked(module, sample, filter(None, submodules), see, run)
    return [LayerInfo(name, type(submodules[name]).__name__, shape, calls[name]) for name, shape in shapes.items()]


def resolve_layers(module: nn.Module, patterns: Sequence[str], sample: Tensor, run: Run | None = None) -> list[str]:
    """The layers that names and globs stand for, in forward order, found by running `sample` (B, C, H, W) once.

    A glob passes over submodules that are not called or give no tensor. Layers that hold the very same tensor (a
    Sequential and its last child, an output and the next one's input) are listed once: under the name asked for
    explicitly, the first such; else under the outermost. InputError for a pattern that selects nothing.
    """
    wanted = [LayerName.parse(pattern) for pattern in patterns]
    names = [name for name, _ in module.named_modules() if name and any(w.selects_module(name) for w in wanted)]
    found: dict[LayerName, bytes] = {}
    alive: list[Tensor] = []

    def see(layer: LayerName, tensor: Tensor | None) -> None:
        if tensor is not None and any(pattern.selects(layer) for pattern in wanted):
            found[layer] = _identity(tensor)
            alive.append(tensor)  # else its memory could be reused, and another tensor be taken for this one

    run_hooked(module, sample, names, see, run)

    for text, pattern in zip(patterns, wanted, strict=True):
        if not any(map(pattern.selects, found)):
            raise _nothing_selected(module, text, pattern)

    explicit = [pattern for pattern in wanted if not pattern.is_glob]

    def precedence(layer: LayerName) -> tuple[int, int]:
        return (explicit.index(layer), 0) if layer in explicit else (len(explicit), layer.depth)

    names_of: dict[bytes, list[LayerName]] = {}
    for layer, identity in found.items():
        names_of.setdefault(identity, []).append(layer)
    kept = {min(same, key=precedence) for same in names_of.values()}
    return [str(layer) for layer in found if layer in kept]


def default_layers(module: nn.Module, sample: Tensor, run: Run | None = None) -> DefaultLayers:
    """Layers worth looking at in a network nobody described: each of its repeated blocks, and the last HR layer.

    The blocks are the same-class children of the Sequential or ModuleList in which such children hold the most
    parameters. The last HR layer is the input of the last executed convolution (or linear layer) with as many outputs
    as the network has channels (or classes); where there is none, as in networks ending in a pixel shuffle, of the last
    one executed. InputError for a network without any.
    """
    widths: dict[LayerName, int] = {}
    executed: set[str] = set()

    def see(layer: LayerName, _tensor: Tensor | None) -> None:
        executed.add(layer.module)
        submodule = module.get_submodule(layer.module)
        if layer.is_input and isinstance(submodule, (nn.Conv2d, nn.ConvTranspose2d)):
            widths[layer] = submodule.out_channels
        elif layer.is_input and isinstance(submodule, nn.Linear):
            widths[layer] = submodule.out_features

    names = [name for name, _ in module.named_modules() if name]
    output = first_tensor(run_hooked(module, sample, names, see, run))
    if not widths:
        raise InputError(f"{type(module).__name__}: no convolution to take layers from; name the layers yourself")
    fitting = [layer for layer, width in widths.items() if output is not None and width == output.shape[1]]
    last_hr_layer = str((fitting or list(widths))[-1])
    blocks = _repeated_blocks(module, executed)
    return DefaultLayers(resolve_layers(module, [last_hr_layer, *blocks], sample, run), last_hr_layer)


def _repeated_blocks(module: nn.Module, executed: Iterable[str]) -> list[str]:
    submodules = dict(module.named_modules())
    families: dict[tuple[str, type], list[str]] = {}
    for name in submodules:
        parent = name.rpartition(".")[0]
        if name in executed and isinstance(submodules[parent], (nn.Sequential, nn.ModuleList)):
            families.setdefault((parent, type(submodules[name])), []).append(name)

    def parameters(family: list[str]) -> int:
        return sum(parameter.numel() for name in family for parameter in submodules[name].parameters())

    repeated = [family for family in families.values() if len(family) > 1]
    return max(repeated, key=parameters, default=[])


def _identity(tensor: Tensor) -> bytes:
    """Equal for two names of the same tensor only: the same memory, not changed in place between the two sightings."""
    content = hashlib.blake2b(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
    content.update(repr((tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)).encode())
    return content.digest()


def _nothing_selected(module: nn.Module, text: str, pattern: LayerName) -> InputError:
    known = dict(module.named_modules())
    aliases = dict(module.named_modules(remove_duplicate=False))
    if pattern.module in aliases and pattern.module not in known:
        original = next(name for name, submodule in known.items() if submodule is aliases[pattern.module])
        return InputError(
            f"layer {text!r}: it is the same module as {original!r}; name it so, its k-th call {original + '#k'!r}"
        )
    if any(pattern.selects_module(name) for name in known if name):
        return InputError(
            f"layer {text!r} gives no tensor: the forward pass does not call it, or not that often; "
            "choose one of the layers it calls"
        )
    return unknown_layer(text, filter(None, known))
