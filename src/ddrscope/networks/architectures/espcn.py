"""ESPCN: three convolutions at LR size and one pixel shuffle."""

from __future__ import annotations

from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State

_KEYS = {f"{layer}.{kind}" for layer in ("first_part.0", "first_part.2", "last_part.0") for kind in ("weight", "bias")}


class ESPCN(nn.Module):
    """ESPCN under the weight names of its common PyTorch port.

    Input (B, in_channels, H, W) and output (B, in_channels, scale*H, scale*W), both in 0..1. The last HR layer has LR
    size here. Source: Shi et al. 2016 (arXiv 1609.05158).

    Args:
        in_channels: Input and output channels; 1 for luma, as published.
        first: Channels of the first layer.
        second: Channels of the second layer.
        scale: 1 or more.
        sides: Sides of the three kernels, odd.
    """

    def __init__(
        self,
        in_channels: int = 1,
        first: int = 64,
        second: int = 32,
        scale: int = 3,
        sides: tuple[int, int, int] = (5, 3, 3),
    ) -> None:
        super().__init__()
        pads = [side // 2 for side in sides]
        self.first_part = nn.Sequential(
            nn.Conv2d(in_channels, first, sides[0], padding=pads[0]),
            nn.Tanh(),
            nn.Conv2d(first, second, sides[1], padding=pads[1]),
            nn.Tanh(),
        )
        self.last_part = nn.Sequential(
            nn.Conv2d(second, in_channels * scale**2, sides[2], padding=pads[2]), nn.PixelShuffle(scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.last_part(self.first_part(x))
        return output


def _matches(state: State) -> bool:
    return state.keys() == _KEYS


def _read(state: State) -> ModelSpec:
    weights = [state[f"{layer}.weight"] for layer in ("first_part.0", "first_part.2", "last_part.0")]
    first, channels = weights[0].shape[:2]
    second = weights[1].shape[0]
    # The weights do not separate output channels from the scale: as many output as input channels are assumed.
    scale = round((weights[2].shape[0] / channels) ** 0.5)
    sides = (weights[0].shape[-1], weights[1].shape[-1], weights[2].shape[-1])
    return ModelSpec(
        state=state,
        build=lambda _: ESPCN(channels, first, second, scale, sides),
        scale=scale,
        channels=channels,
        layers=("first_part.1", "last_part.0:input"),
    )


ARCHITECTURE = Architecture("ESPCN", _matches, _read, ESPCN)
