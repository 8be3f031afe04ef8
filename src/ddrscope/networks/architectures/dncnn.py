"""DnCNN: 3x3 convolutions with batch normalization that estimate the noise in an image."""

from __future__ import annotations

from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State

_KEYS = {"dncnn.0.weight", "dncnn.2.weight", "dncnn.3.running_mean"}


class DnCNN(nn.Module):
    """DnCNN under the weight names of its common PyTorch port.

    Input and output (B, in_channels, H, W) in 0..1. The port returns the noise; here, it is subtracted from the input.
    Source: Zhang et al. 2017 (arXiv 1608.03981).

    Args:
        in_channels: Input and output channels; 1 for luma.
        channels: Channels of the body.
        normalized: Convolutions with batch normalization, between the first and the last one; 15 as published.
        bias: Whether the convolutions have biases; the port has none.
    """

    def __init__(self, in_channels: int = 1, channels: int = 64, normalized: int = 15, bias: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, 3, padding=1, bias=bias), nn.ReLU()]
        for _ in range(normalized):
            layers += [nn.Conv2d(channels, channels, 3, padding=1, bias=bias), nn.BatchNorm2d(channels), nn.ReLU()]
        self.dncnn = nn.Sequential(*layers, nn.Conv2d(channels, in_channels, 3, padding=1, bias=bias))

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor = self.dncnn(x)
        return x - noise


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    channels, in_channels = state["dncnn.0.weight"].shape[:2]
    normalized = sum(key.endswith(".running_mean") for key in state)
    bias = "dncnn.0.bias" in state
    return ModelSpec(
        state=state,
        build=lambda _: DnCNN(in_channels, channels, normalized, bias),
        scale=1,
        channels=in_channels,
        # The output of the last ReLU is the input of the last convolution.
        layers=(*(f"dncnn.{3 * n + 1}" for n in range(normalized)), f"dncnn.{3 * normalized + 2}:input"),
        global_residual=True,
    )


ARCHITECTURE = Architecture("DnCNN", _matches, _read, DnCNN)
