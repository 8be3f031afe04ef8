"""FSRCNN: convolutions at LR size and one transposed convolution."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.reconstruction import Variant, choose_variant

SCALES = (2, 3, 4)

_KEYS = {"first_part.0.weight", "first_part.1.weight", "mid_part.0.weight", "mid_part.1.weight", "last_part.weight"}


class FSRCNN(nn.Module):
    """FSRCNN under the weight names of its common PyTorch port.

    Input (B, in_channels, H, W) and output (B, in_channels, scale*H, scale*W), both in 0..1. The last HR layer has LR
    size here. Source: Dong et al. 2016 (arXiv 1608.00367).

    Args:
        in_channels: Input and output channels; 1 for luma, as published.
        wide: Channels of the first and the last layer, d in the paper.
        narrow: Channels between them, s in the paper.
        mappings: 3x3 convolutions between them, m in the paper.
        scale: 2 or more. The weights have the same names and shapes for every scale, so they do not determine it.
    """

    def __init__(
        self, in_channels: int = 1, wide: int = 56, narrow: int = 12, mappings: int = 4, scale: int = 3
    ) -> None:
        super().__init__()
        self.first_part = nn.Sequential(nn.Conv2d(in_channels, wide, 5, padding=2), nn.PReLU(wide))
        layers: list[nn.Module] = [nn.Conv2d(wide, narrow, 1), nn.PReLU(narrow)]
        for _ in range(mappings):
            layers += [nn.Conv2d(narrow, narrow, 3, padding=1), nn.PReLU(narrow)]
        self.mid_part = nn.Sequential(*layers, nn.Conv2d(narrow, wide, 1), nn.PReLU(wide))
        self.last_part = nn.ConvTranspose2d(wide, in_channels, 9, scale, padding=4, output_padding=scale - 1)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.last_part(self.mid_part(self.first_part(x)))
        return output


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    wide, channels = state["first_part.0.weight"].shape[:2]
    narrow, steps = state["mid_part.0.weight"].shape[0], count_blocks(state, "mid_part.")

    def build(scale: int) -> FSRCNN:
        return FSRCNN(channels, wide, narrow, steps // 2 - 2, scale)

    variants = {f"x{scale}": Variant(partial(build, scale), scale) for scale in SCALES}
    choice = choose_variant("Scale", variants, state, channels)
    scale = variants[choice.name].scale
    return ModelSpec(
        state=state,
        build=lambda _: build(scale),
        scale=scale,
        channels=channels,
        layers=("first_part.1", *(f"mid_part.{n}" for n in range(1, steps - 2, 2)), "last_part:input"),
        notes=(choice.note,),
    )


ARCHITECTURE = Architecture("FSRCNN", _matches, _read, FSRCNN)
