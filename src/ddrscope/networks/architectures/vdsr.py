"""VDSR: many 3x3 convolutions on an image that was enlarged before, and a global residual."""

from __future__ import annotations

from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, SelfInitializing, State, count_blocks
from ddrscope.networks.architectures.plain import ConvReLU

_KEYS = {"input.weight", "residual_layer.0.conv.weight", "output.weight"}


class VDSR(SelfInitializing):
    """VDSR under the weight names of its common PyTorch port, without biases as there.

    Input and output (B, in_channels, H, W) in 0..1; the input was enlarged to the size of the output before. Source:
    Kim et al. 2016 (arXiv 1511.04587).

    Args:
        in_channels: Input and output channels; 1 for luma, as published.
        channels: Channels of the body.
        blocks: Convolutions between the first and the last one.
    """

    def __init__(self, in_channels: int = 1, channels: int = 64, blocks: int = 18) -> None:
        super().__init__()
        self.input = nn.Conv2d(in_channels, channels, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.residual_layer = nn.Sequential(*(ConvReLU(channels, channels, bias=False) for _ in range(blocks)))
        self.output = nn.Conv2d(channels, in_channels, 3, 1, 1, bias=False)
        self.initialize()

    def initialize(self) -> None:
        """Draw the weights anew: normal, of variance 2 / inputs of a neuron (He et al. 2015), as published."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.output(self.residual_layer(self.relu(self.input(x))))
        return output + x


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    channels, in_channels = state["input.weight"].shape[:2]
    blocks = count_blocks(state, "residual_layer.")
    return ModelSpec(
        state=state,
        build=lambda _: VDSR(in_channels, channels, blocks),
        scale=1,
        channels=in_channels,
        # The input of each convolution but the first. The last one is the last HR layer.
        layers=("residual_layer.0:input", *(f"residual_layer.{n}" for n in range(blocks - 1)), "output:input"),
        global_residual=True,
    )


ARCHITECTURE = Architecture("VDSR", _matches, _read, VDSR)
