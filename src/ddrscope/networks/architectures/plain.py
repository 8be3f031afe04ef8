"""Plain convolutional SR networks: no skip connections inside, only the global residual around everything."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvReLU(nn.Sequential):
    """A 3x3 convolution and a ReLU."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 3, 1, 1)
        self.relu = nn.ReLU(inplace=True)


class PlainSR(nn.Module):
    """A stack of 3x3 convolutions with ReLU at LR size, then a convolution and one pixel shuffle.

    Input (B, in_channels, H, W) and output ``(B, out_channels, scale*H, scale*W)``, both in 0..1. ``global_residual`` adds the bilinearly
    enlarged input to the output. The last HR layer, the input of ``conv_last``, lies at LR size here. Source: Berger et al. 2023
    (QuickSRNet, arXiv 2303.04336), with ReLU and without clipping.
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
            raise ValueError(f"PlainSR enlarges by 1 or more, not by {scale}")
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

        QuickSRNet adds the identity to each convolution of the body. Without a global residual that would carry the image through the body
        all the same, and blur what the comparison with and without is about.
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


def plain_shape(state: dict[str, Tensor]) -> dict[str, int]:
    """Read the constructor's arguments, but for ``global_residual`` and ``out_channels``, from the shapes of the weights.

    As many output as input channels are assumed: the weights do not separate the output channels from the scale.
    """
    first, last = state["body.0.conv.weight"], state["conv_last.weight"]
    return {
        "in_channels": first.shape[1],
        "out_channels": first.shape[1],
        "channels": first.shape[0],
        # Counted, not taken from the largest number: an untrusted file may name a billionth layer.
        "blocks": len({key.split(".")[1] for key in state if key.startswith("body.")}),
        "scale": round((last.shape[0] / first.shape[1]) ** 0.5),
    }
