"""F2SRGAN: an SRGAN generator of separable convolutions, half of its blocks with convolutions of the spectrum."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks, whole_image_note

_KEYS = {
    "initial.0.0.weight", "residual.0.block1.0.convg2g.fu.complex_weight", "residual.0.block2.0.0.weight",
    "upsampler.0.0.weight", "final_conv.0.weight", "sub_mean.weight", "add_mean.weight",
}  # fmt: skip
_Padding = Literal["zeros", "reflect"]
_NOTE = whole_image_note("Convolutions of the spectrum use the whole image")
# Of what a block adds.
_RESIDUAL_SCALE = 0.1
_PIXEL_RANGE = 255


class Separable(nn.Sequential):
    """A convolution by channel, then a 1x1 convolution.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        side: Side of the kernels of the first convolution, odd.
        bias: Whether the first convolution has biases; the second one has.
        padding: How the first convolution pads.
    """

    def __init__(self, inputs: int, outputs: int, side: int, bias: bool = True, padding: _Padding = "zeros") -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, side, padding=side // 2, groups=inputs, bias=bias, padding_mode=padding),
            nn.Conv2d(inputs, outputs, 1),
        )


class Spectral(nn.Module):
    """A 1x1 convolution of the spectrum with complex weights.

    The authors shift the spectrum along all axes before it and back after it. Along channels, that permutes the weights.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.complex_weight = nn.Parameter(0.02 * torch.randn(channels, channels, 1, 1, 2))

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[1] // 2
        weight = torch.view_as_complex(self.complex_weight)[:, :, 0, 0].roll((-half, -half), (0, 1))
        spectrum = torch.fft.rfft2(x, norm="ortho")
        return torch.fft.irfft2(torch.einsum("oc,bchw->bohw", weight, spectrum), s=x.shape[-2:], norm="ortho")


class SpectralTransform(nn.Module):
    """Convolutions of the spectrum of the image, and of those of its quarters, which share their result."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Sequential(Separable(channels, half, 1, bias=False), nn.ReLU())
        self.fu = Spectral(half)
        self.lfu = Spectral(half)
        self.conv2 = Separable(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        height, width = (side // 2 for side in x.shape[-2:])
        # A quarter of the channels from each quarter of the image; an odd row or column stays zero.
        part = x[:, : x.shape[1] // 4]
        rows = torch.cat((part[:, :, :height], part[:, :, height : 2 * height]), dim=1)
        quarters = torch.cat((rows[..., :width], rows[..., width : 2 * width]), dim=1)
        local = torch.zeros_like(x)
        local[:, :, : 2 * height, : 2 * width] = self.lfu(quarters).repeat(1, 1, 2, 2)
        output: Tensor = self.conv2(x + self.fu(x) + local)
        return output


class FourierConvolution(nn.Module):
    """Half of the channels are local, half global; each half is computed from both (fast Fourier convolution)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.convl2l = Separable(half, half, 3, padding="reflect")
        self.convl2g = Separable(half, half, 3, padding="reflect")
        self.convg2l = Separable(half, half, 3, padding="reflect")
        self.convg2g = SpectralTransform(half)

    def forward(self, x: Tensor) -> Tensor:
        near, far = x.chunk(2, dim=1)
        return torch.cat((self.convl2l(near) + self.convg2l(far), self.convl2g(near) + self.convg2g(far)), dim=1)


class F2Block(nn.Module):
    """Two convolutions with a PReLU between them; a tenth of the result is added to the input.

    Args:
        channels: Input and output channels.
        spectral: The first convolution is a `FourierConvolution`.
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        first = FourierConvolution(channels) if spectral else Separable(channels, channels, 3)
        self.block1 = nn.Sequential(first, nn.PReLU(channels))
        self.block2 = nn.Sequential(Separable(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.block2(self.block1(x))
        return x + _RESIDUAL_SCALE * added


class F2SRGAN(nn.Module):
    """The generator of F2SRGAN under the authors' weight names.

    Input (B, 3, H, W) and output (B, 3, scale*H, scale*W), both in 0..1; inside, they are in 0..255. Sources: Nguyen et
    al. 2022 (F2SRGAN); Chi et al. 2020 (fast Fourier convolution).

    Args:
        channels: Channels of the body, a multiple of 16.
        blocks: Residual blocks; the first, third ... have convolutions of the spectrum.
        steps: Enlargements by 2.
    """

    def __init__(self, channels: int = 64, blocks: int = 16, steps: int = 2) -> None:
        super().__init__()
        self.sub_mean = nn.Conv2d(3, 3, 1)
        self.initial = nn.Sequential(Separable(3, channels, 3))
        self.residual = nn.Sequential(*(F2Block(channels, n % 2 == 0) for n in range(blocks)))
        layers: list[nn.Module] = []
        for _ in range(steps):
            layers += [Separable(channels, 4 * channels, 3), nn.PixelShuffle(2), nn.PReLU(channels)]
        self.upsampler = nn.Sequential(*layers)
        self.final_conv = Separable(channels, 3, 3)
        self.add_mean = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.initial(self.sub_mean(_PIXEL_RANGE * x))
        features = self.upsampler(self.residual(first) + first)
        output: Tensor = self.add_mean(self.final_conv(features))
        return output / _PIXEL_RANGE


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    channels, blocks = state["initial.0.1.weight"].shape[0], count_blocks(state, "residual.")
    # An enlargement has a convolution and a PReLU with weights, and a pixel shuffle without.
    steps = count_blocks(state, "upsampler.") // 2
    return ModelSpec(
        state=state,
        build=lambda _: F2SRGAN(channels, blocks, steps),
        scale=2**steps,
        channels=3,
        # The output convolution is separable: what enters it is the last HR layer.
        layers=(*(f"residual.{n}" for n in range(blocks)), "final_conv:input"),
        # A quarter of the image has a pixel.
        minimum_size=2,
        notes=(_NOTE,),
    )


ARCHITECTURE = Architecture("F2SRGAN", _matches, _read, F2SRGAN)
