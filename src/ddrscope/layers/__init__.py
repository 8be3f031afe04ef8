"""The layers of any `nn.Module`: naming them, finding them, capturing their tensors."""

from ddrscope.layers.discovery import DefaultLayers, LayerInfo, all_layers, default_layers, resolve_layers
from ddrscope.layers.hooks import Run, capture, device_of
from ddrscope.layers.names import LayerName
from ddrscope.layers.output_convolution import OutputConvolution, find_output_convolution

__all__ = [
    "DefaultLayers",
    "LayerInfo",
    "LayerName",
    "OutputConvolution",
    "Run",
    "all_layers",
    "capture",
    "default_layers",
    "device_of",
    "find_output_convolution",
    "resolve_layers",
]
