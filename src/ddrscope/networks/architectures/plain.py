"""A plain convolutional SR network: no skip connections but the optional global residual."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, SelfInitializing, State, count_blocks


class ConvReLU(nn.Sequential):
    """A 3x3 convolution and a ReLU."""

    def __init__(self, in_channels: int, channels: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 3, 1, 1, bias=bias)
        self.relu = nn.ReLU(inplace=True)


class PlainSR(SelfInitializing):
    """3x3 convolutions with ReLU at LR size, then a convolution and one pixel shuffle.

    Input (B, in_channels, H, W) and output (B, out_channels, scale*H, scale*W), both in 0..1. The last HR layer, the
    input of ``conv_last``, has LR size here. Source: Berger et al. 2023 (QuickSRNet, arXiv 2303.04336), with ReLU and
    without clipping.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        channels: Channels of the body.
        blocks: Convolutions before the last one.
        scale: 1 or more.
        global_residual: Add the bilinearly enlarged input to the output.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        channels: int = 32,
        blocks: int = 12,
        scale: int = 4,
        global_residual: bool = True,
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"PlainSR has scales from 1, not {scale}")
        if global_residual and in_channels != out_channels:
            raise ValueError(
                f"a global residual needs as many output as input channels, not {out_channels} and {in_channels}"
            )
        self.scale = scale
        self.global_residual = global_residual
        self.body = nn.Sequential(*(ConvReLU(channels if n else in_channels, channels) for n in range(blocks)))
        self.conv_last = nn.Conv2d(channels, out_channels * scale * scale, 3, 1, 1)
        self.initialize()

    def initialize(self) -> None:
        """Draw the weights anew, by PyTorch's default.

        QuickSRNet adds the identity to each convolution of the body. Without a global residual, that would still
        carry the image through the body and blur the comparison of the two variants.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        output = functional.pixel_shuffle(self.conv_last(self.body(x)), self.scale)
        if not self.global_residual:
            return output
        if self.scale > 1:
            x = functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return output + x


def _matches(state: State) -> bool:
    return {"body.0.conv.weight", "conv_last.weight"} <= state.keys() and "conv_first.weight" not in state


def _read(state: State) -> ModelSpec:
    first, last = state["body.0.conv.weight"], state["conv_last.weight"]
    channels, blocks = first.shape[1], count_blocks(state, "body.")
    # The weights do not separate output channels from the scale: as many output as input channels are assumed.
    scale = round((last.shape[0] / channels) ** 0.5)

    def build(global_residual: bool) -> PlainSR:
        return PlainSR(channels, channels, first.shape[0], blocks, scale, global_residual)

    return ModelSpec(
        state=state,
        build=build,
        scale=scale,
        channels=channels,
        # The output of the last block is the input of conv_last.
        layers=(*(f"body.{n}" for n in range(blocks - 1)), "conv_last:input"),
        global_residual=None,
    )


ARCHITECTURE = Architecture("PlainSR", _matches, _read, PlainSR)
