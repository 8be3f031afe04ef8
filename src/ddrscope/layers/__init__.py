"""The layers of any `nn.Module`: naming them, finding them, capturing their tensors."""

from ddrscope.layers.discovery import DefaultLayers, LayerInfo, all_layers, default_layers, resolve_layers
from ddrscope.layers.hooks import Run, capture, device_of
from ddrscope.layers.names import LayerName

__all__ = [
    "DefaultLayers",
    "LayerInfo",
    "LayerName",
    "Run",
    "all_layers",
    "capture",
    "default_layers",
    "device_of",
    "resolve_layers",
]
