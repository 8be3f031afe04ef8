"""Watching the tensors that enter and leave submodules while a network runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.features.names import LayerName, unknown_layer

Run = Callable[[Tensor], Any]
"""How to call a network on a batch, where that is more than `module(batch)` (another pixel range, padding)."""


class _LastLayerSeen(BaseException):
    """Ends a forward pass early; no `Exception`, so that a network's own `except Exception` cannot swallow it."""


def first_tensor(value: Any) -> Tensor | None:
    """The first floating-point tensor in a tensor or in nested tuples, lists and mappings; None without one."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return None
    return next((tensor for tensor in map(first_tensor, value) if tensor is not None), None)


def device_of(module: nn.Module) -> torch.device:
    """Where the module's weights are; the CPU for a module without any."""
    weight = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if weight is None else weight.device


@contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and `torch.inference_mode`; every submodule's `training` flag is put back afterwards."""
    training = [submodule for submodule in module.modules() if submodule.training]
    if training:
        module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for submodule in training:
            submodule.training = True


def run_hooked(
    module: nn.Module,
    batch: Tensor,
    names: Iterable[str],
    see: Callable[[LayerName, Tensor | None], None],
    run: Run | None = None,
) -> Any:
    """Run `batch`, telling `see(layer, tensor)` of every tensor that enters and leaves the named submodules.

    The module runs in evaluation mode and is left as it was, after an error too. Returns the network's output.
    """

    def hooks(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        calls: Counter[str] = Counter()

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls["begun"] += 1
            see(LayerName(name, calls["begun"], is_input=True), first_tensor((args, kwargs)))

        def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
            calls["ended"] += 1
            see(LayerName(name, calls["ended"]), first_tensor(output))

        return before, after

    handles = []
    try:
        for name in names:
            before, after = hooks(name)
            submodule = module.get_submodule(name)
            handles.append(submodule.register_forward_pre_hook(before, with_kwargs=True))
            handles.append(submodule.register_forward_hook(after))
        with _inference(module):
            return (run or module)(batch.to(device_of(module)))
    finally:
        for handle in handles:
            handle.remove()


def copied(_layer: str, tensor: Tensor) -> Tensor:
    """The default of `capture`: the tensor as it is now, safe from later in-place operations."""
    return tensor.clone()


def capture(
    module: nn.Module,
    batch: Tensor,
    layers: Sequence[str],
    reduce: Callable[[str, Tensor], Any] = copied,
    *,
    stop_early: bool = True,
    run: Run | None = None,
) -> dict[str, Any]:
    """Run `batch` and return `reduce(layer, tensor)` for each named layer, in the order asked.

    `reduce` is called inside the hook, before a later in-place operation can change the tensor, and must not keep a
    view of it. Unless `stop_early` is off, the forward pass ends as soon as the last wanted layer is seen; the tensors
    are bit for bit those of a full pass. The module runs in evaluation mode and is left as it was, after an error too.
    InputError for a layer that does not exist, is not reached in this pass, or holds no tensor.
    """
    parsed = {text: LayerName.parse(text) for text in layers}
    # One layer may be named twice, as `body` and `body#1`: it goes by the first.
    wanted = {layer: text for text, layer in reversed(parsed.items())}
    names = {layer.module for layer in wanted}
    known = dict(module.named_modules())
    for layer, text in wanted.items():
        if layer.module not in known:
            raise unknown_layer(text, known)
    seen: dict[str, Any] = {}
    calls: Counter[str] = Counter()

    def see(layer: LayerName, tensor: Tensor | None) -> None:
        calls[layer.module] += layer.is_input
        if layer in wanted and tensor is not None:
            seen[wanted[layer]] = reduce(wanted[layer], tensor)
            if stop_early and len(seen) == len(wanted):
                raise _LastLayerSeen

    try:
        run_hooked(module, batch, names, see, run)
    except _LastLayerSeen:
        pass
    for layer, text in wanted.items():
        if text not in seen:
            times = calls[layer.module]
            raise InputError(
                f"layer {text!r} gives no tensor: this forward pass called {layer.module!r} {times} time"
                f"{'' if times == 1 else 's'}; choose another layer"
            )
    return {text: seen[wanted[layer]] for text, layer in parsed.items()}
