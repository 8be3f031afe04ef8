"""The output convolution of a network: the last one that makes the image from features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ddrscope.layers.hooks import Run, first_tensor, run_with_hooks
from ddrscope.layers.names import LayerName

_CONVOLUTIONS: dict[Callable[..., Any], str] = {
    torch.conv2d: "convolution",
    torch.conv_transpose2d: "convolution",
    nn.functional.linear: "linear",
}


class OutputConvolution(NamedTuple):
    """The output convolution, or the last linear layer of a classifier.

    Attributes:
        layer: The submodule that computes it, as the name of its input: the last HR layer.
        enlargement: Side of its input over side of the network's input: the scale of the network for a layer of HR
            size, 1 for one of LR size; None if the output is no image.
        submodules: Names of all submodules with a convolution from features to the channels of an image, or of one
            before a pixel shuffle: the output convolution, others beside it, perhaps blocks of as many channels.
    """

    layer: LayerName
    enlargement: float | None
    submodules: tuple[str, ...]


class _Call(NamedTuple):
    layer: LayerName
    inputs: int
    outputs: int
    side: int


class _Recorder(TorchFunctionMode):
    """Records every convolution and linear map, with the innermost submodule that computes it."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[LayerName] = []
        self.calls: list[_Call] = []

    def observe(self, layer: LayerName, _tensor: Tensor | None) -> None:
        """Note that a submodule starts or ends."""
        if layer.is_input:
            self.running.append(layer)
        elif self.running:
            self.running.pop()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in _CONVOLUTIONS and self.running and isinstance(output, Tensor):
            given = args[0] if args else (kwargs or {})["input"]
            dim = 1 if _CONVOLUTIONS[func] == "convolution" else -1
            self.calls.append(_Call(self.running[-1], given.shape[dim], output.shape[dim], given.shape[-1]))
        return output


def find_output_convolution(module: nn.Module, sample: Tensor, run: Run | None = None) -> OutputConvolution | None:
    """Find the output convolution by one forward pass.

    It is the last convolution, transposed ones included, whose input has more channels than the image and whose
    output has those of the image, or those of the image before a pixel shuffle (C * r * r). So what comes after it does
    not count: shifts of the mean by a 1x1 convolution of the image, other convolutions from image to image, pixel
    shuffles and the addition of a residual. If no convolution has such an output, it is the last one whose input has
    more channels than the image, else the last one. In a network whose output is no image, such as a classifier, it is
    the last convolution or linear layer with as many outputs as the network.

    Args:
        module: The network.
        sample: Images (B, C, H, W), which are run once.
        run: How to call the network, see `Run`.

    Returns:
        None if the network calls no convolution and no linear layer inside a submodule.
    """
    recorder = _Recorder()
    names = [name for name, _ in module.named_modules() if name]

    def recorded(batch: Tensor) -> Any:
        with recorder:
            return (run or module)(batch)

    output = first_tensor(run_with_hooks(module, sample, names, recorder.observe, recorded))
    if output is None or not recorder.calls:
        return None
    if output.ndim != 4:
        widths = [call for call in recorder.calls if call.outputs == output.shape[1]]
        last = (widths or recorder.calls)[-1].layer
        return OutputConvolution(last, None, (last.module,))
    from_features = [call for call in recorder.calls if call.inputs > output.shape[1]]
    to_image = [call for call in from_features if _is_image_width(call.outputs, output.shape[1])]
    calls = to_image or (from_features or recorder.calls)[-1:]
    submodules = tuple(dict.fromkeys(call.layer.module for call in calls))
    return OutputConvolution(calls[-1].layer, calls[-1].side / sample.shape[-1], submodules)


def _is_image_width(width: int, channels: int) -> bool:
    """Whether ``width`` channels are those of an image, perhaps before a pixel shuffle."""
    factor, rest = divmod(width, channels)
    return rest == 0 and factor > 0 and math.isqrt(factor) ** 2 == factor
