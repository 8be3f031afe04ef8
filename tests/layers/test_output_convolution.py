from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.layers import find_output_convolution
from tests.layers.test_layers import swinir


def conv(inputs: int, outputs: int, side: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, padding=side // 2)


def mean_shift() -> nn.Conv2d:
    """The fixed 1x1 convolution by which the networks of the EDSR family add the mean of the training images."""
    shift = conv(3, 3, 1)
    shift.weight.data = torch.eye(3)[:, :, None, None]
    return shift


def upsampler(channels: int) -> nn.Sequential:
    return nn.Sequential(conv(channels, 4 * channels), nn.PixelShuffle(2))


class FromInput(nn.Module):
    """A residual path from the input, which runs last, with a convolution before a pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail, self.skip = conv(3, 8), conv(8, 12), conv(3, 12)

    def forward(self, x: Tensor) -> Tensor:
        features = self.tail(self.head(x))
        return functional.pixel_shuffle(features + self.skip(x), 2)


class Functional(nn.Module):
    """The convolution is a function, as in blocks that merge their branches into one kernel."""

    class Merged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.rand(3, 8, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, self.kernel, padding=1)

    def __init__(self) -> None:
        super().__init__()
        self.head, self.merged = conv(3, 8), self.Merged()

    def forward(self, x: Tensor) -> Tensor:
        return self.merged(self.head(x))


ENDINGS = {
    # CARN and PCARN: upsampling, exit, mean shift.
    "pcarn": (nn.Sequential(conv(3, 3, 1), conv(3, 8), upsampler(8), conv(8, 3), mean_shift()), "3:input", 2),
    # EDSR and RCAN: a tail of upsampling and convolution, then the mean shift.
    "edsr": (nn.Sequential(mean_shift(), conv(3, 8), nn.Sequential(upsampler(8), conv(8, 3)), mean_shift()), "2.1:input", 2),
    # FSRCNN: a transposed convolution.
    "fsrcnn": (nn.Sequential(conv(1, 8, 5), nn.PReLU(), nn.ConvTranspose2d(8, 1, 9, 2, 4, 1)), "2:input", 1),
    # ESPCN, RFDN, Compact: a pixel shuffle of the image's channels ends the network.
    "espcn": (nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 12), nn.PixelShuffle(2)), "2:input", 1),
    # Features of as many channels as the image has before the shuffle.
    "twelve": (nn.Sequential(conv(3, 12), conv(12, 12), conv(12, 12), nn.PixelShuffle(2)), "2:input", 1),
    "image to image": (nn.Sequential(conv(3, 8), upsampler(8), conv(8, 3), conv(3, 3, 5), nn.Tanh()), "2:input", 2),
    "from input": (FromInput(), "tail:input", 1),
    "functional": (Functional(), "merged:input", 1),
    "one convolution": (nn.Sequential(conv(3, 12), nn.PixelShuffle(2)), "0:input", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDINGS)
def test_the_last_convolution_from_features_to_the_image(name: str) -> None:
    module, layer, enlargement = ENDINGS[name]
    channels = 1 if name == "fsrcnn" else 3
    found = find_output_convolution(module, torch.rand(1, channels, 12, 12))
    assert found and (str(found.layer), found.enlargement) == (layer, enlargement)


def test_a_transformer() -> None:
    found = find_output_convolution(swinir(), torch.rand(1, 3, 16, 16))
    assert found and str(found.layer) == "conv_last:input"


def test_a_classifier_ends_in_its_widest_match() -> None:
    linear = nn.Sequential(conv(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    found = find_output_convolution(linear, torch.rand(1, 3, 8, 8))
    assert found and (str(found.layer), found.enlargement) == ("3:input", None)
    # SqueezeNet: a convolution with a channel for each class, then the mean.
    pooled = nn.Sequential(conv(3, 8), conv(8, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = find_output_convolution(pooled, torch.rand(1, 3, 8, 8))
    assert found and str(found.layer) == "1:input"


def test_without_convolution_there_is_none() -> None:
    assert find_output_convolution(nn.Sequential(nn.ReLU()), torch.rand(1, 3, 8, 8)) is None
