"""Capturing the tensors that enter and leave submodules while a network runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.layers.names import LayerName, unknown_layer

Run = Callable[[Tensor], Any]
"""Calls a network on a batch, if that takes more than `module(batch)`, as another pixel range or padding."""


class _AllLayersCaptured(BaseException):
    """Ends a forward pass early. Not an `Exception`, so that a network's own `except Exception` cannot catch it."""


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
    """The device of the module's weights; the CPU for a module without weights."""
    weight = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if weight is None else weight.device


@contextmanager
def _inference(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and `torch.inference_mode`. Every submodule's `training` flag is restored afterwards."""
    training = [submodule for submodule in module.modules() if submodule.training]
    if training:
        module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for submodule in training:
            submodule.training = True


def run_with_hooks(
    module: nn.Module,
    batch: Tensor,
    names: Iterable[str],
    observe: Callable[[LayerName, Tensor | None], None],
    run: Run | None = None,
) -> Any:
    """Run a batch and observe every tensor that enters and leaves the named submodules.

    The module runs in evaluation mode. Its mode and hooks are restored, after an error too.

    Args:
        module: The network.
        batch: float32 (B, C, H, W).
        names: Names of submodules.
        observe: Called with a layer and its tensor, or None if the layer holds no floating-point tensor.
        run: How to call the network, see `Run`.

    Returns:
        The output of the network.
    """

    def hooks(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        calls: Counter[str] = Counter()

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls["begun"] += 1
            observe(LayerName(name, calls["begun"], is_input=True), first_tensor((args, kwargs)))

        def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
            calls["ended"] += 1
            observe(LayerName(name, calls["ended"]), first_tensor(output))

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


def _copy(_layer: str, tensor: Tensor) -> Tensor:
    return tensor.clone()


def capture(
    module: nn.Module,
    batch: Tensor,
    layers: Sequence[str],
    reduce: Callable[[str, Tensor], Any] = _copy,
    *,
    run: Run | None = None,
) -> dict[str, Any]:
    """Run a batch and return the tensors of the named layers.

    The forward pass ends as soon as the last of the layers is reached; the tensors are bit for bit those of a full
    pass. The module runs in evaluation mode. Its mode and hooks are restored, after an error too.

    Args:
        module: The network.
        batch: float32 (B, C, H, W).
        layers: Names as in `LayerName`.
        reduce: Called with the layer's name and its tensor; its result is returned in place of the tensor. It is
            called inside the hook, before an in-place operation can change the tensor, and must not keep a view of it.
            Default: a copy of the tensor.
        run: How to call the network, see `Run`.

    Returns:
        The results by layer, in the order of ``layers``.

    Raises:
        InputError: A layer does not exist, is not reached in this pass, or holds no tensor.
    """
    parsed = {text: LayerName.parse(text) for text in layers}
    # A layer may be given twice, as `body` and `body#1`: it is captured under the first name.
    texts = {layer: text for text, layer in reversed(parsed.items())}
    submodule_names = {layer.module for layer in texts}
    known = dict(module.named_modules())
    for layer, text in texts.items():
        if layer.module not in known:
            raise unknown_layer(text, known)
    captured: dict[str, Any] = {}
    calls: Counter[str] = Counter()

    def observe(layer: LayerName, tensor: Tensor | None) -> None:
        calls[layer.module] += layer.is_input
        if layer in texts and tensor is not None:
            captured[texts[layer]] = reduce(texts[layer], tensor)
            if len(captured) == len(texts):
                raise _AllLayersCaptured

    try:
        run_with_hooks(module, batch, submodule_names, observe, run)
    except _AllLayersCaptured:
        pass
    for layer, text in texts.items():
        if text not in captured:
            times = calls[layer.module]
            raise InputError(
                f"layer {text!r} gives no tensor: this forward pass called {layer.module!r} {times} time"
                f"{'' if times == 1 else 's'}; choose another layer"
            )
    return {text: captured[texts[layer]] for text, layer in parsed.items()}
