"""RLFN: blocks of three convolutions and spatial attention."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, State, count_blocks
from ddrscope.networks.architectures.rfdn import MINIMUM_SIZE, SpatialAttention
from ddrscope.networks.reconstruction import Variant, choose_variant

_KEYS = {
    "conv_1.weight", "block_1.c1_r.weight", "block_1.c3_r.weight", "block_1.c5.weight", "block_1.esa.conv1.weight",
    "conv_2.weight", "upsampler.0.weight",
}  # fmt: skip
_CHALLENGE_KEYS = {
    "fea_conv.weight", "B1.c1_r.weight", "B1.c3_r.weight", "B1.c5.weight", "B1.esa.conv1.weight", "LR_conv.weight",
    "upsampler.0.weight",
}  # fmt: skip
_SLOPE = 0.05
# The pixel range, and whether there is a global residual.
_FORMS = {
    "0..255": (255.0, False),
    "0..1": (1.0, False),
    "0..255 with global residual": (255.0, True),
    "0..1 with global residual": (1.0, True),
}


class LocalBlock(nn.Module):
    """Three convolutions with a skip, a 1x1 convolution and attention."""

    def __init__(self, channels: int, middle: int, hidden: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(channels, middle, 3, 1, 1)
        self.c2_r = nn.Conv2d(middle, middle, 3, 1, 1)
        self.c3_r = nn.Conv2d(middle, channels, 3, 1, 1)
        self.c5 = nn.Conv2d(channels, channels, 1)
        self.esa = SpatialAttention(channels, hidden, refined=False)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for step in (self.c1_r, self.c2_r, self.c3_r):
            features = functional.leaky_relu(step(features), _SLOPE)
        output: Tensor = self.esa(self.c5(features + x))
        return output


class RLFN(nn.Module):
    """RLFN under the weight names of its authors.

    Input (B, image_channels, H, W) and output (B, image_channels, scale*H, scale*W), both in 0..1, with sides from 15
    pixels. The last HR layer, the input of ``upsampler.0``, has LR size. Source: Kong et al. 2022 (arXiv 2205.07514).

    Args:
        image_channels: Input and output channels.
        channels: Channels of the trunk.
        blocks: Blocks.
        middle: Channels between the convolutions of a block.
        hidden: Channels inside the attention.
        scale: Factor of the pixel shuffle.
        pixel_range: Factor of the pixels inside.
        global_residual: Add the bilinearly enlarged input to the output; not so as published.
    """

    def __init__(
        self,
        image_channels: int = 3,
        channels: int = 52,
        blocks: int = 6,
        middle: int = 52,
        hidden: int = 16,
        scale: int = 4,
        pixel_range: float = 255.0,
        global_residual: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.pixel_range = pixel_range
        self.global_residual = global_residual
        self.conv_1 = nn.Conv2d(image_channels, channels, 3, 1, 1)
        self.block_names = tuple(f"block_{n + 1}" for n in range(blocks))
        for name in self.block_names:
            self.add_module(name, LocalBlock(channels, middle, hidden))
        self.conv_2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, image_channels * scale * scale, 3, 1, 1), nn.PixelShuffle(scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = features = self.conv_1(x * self.pixel_range)
        for name in self.block_names:
            features = self.get_submodule(name)(features)
        output: Tensor = self.upsampler(self.conv_2(features) + first) / self.pixel_range
        if self.global_residual:
            output = output + functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return output


def _matches(state: State) -> bool:
    return state.keys() >= _KEYS or state.keys() >= _CHALLENGE_KEYS


def _read(state: State) -> ModelSpec:
    state = _author_names(state)
    channels, image_channels = state["conv_1.weight"].shape[:2]
    middle, hidden = state["block_1.c1_r.weight"].shape[0], state["block_1.esa.conv1.weight"].shape[0]
    blocks = count_blocks(state, "block_")
    scale = round((state["upsampler.0.weight"].shape[0] / image_channels) ** 0.5)

    def build(pixel_range: float, global_residual: bool) -> RLFN:
        return RLFN(image_channels, channels, blocks, middle, hidden, scale, pixel_range, global_residual)

    def variant(pixel_range: float, global_residual: bool) -> Variant:
        return Variant(lambda: build(pixel_range, global_residual), scale)

    variants = {name: variant(*form) for name, form in _FORMS.items()}
    choice = choose_variant("Pixel range", variants, state, image_channels)
    pixel_range = _FORMS[choice.name][0]
    return ModelSpec(
        state=state,
        build=lambda global_residual: build(pixel_range, global_residual),
        scale=scale,
        channels=image_channels,
        layers=(*(f"block_{n + 1}" for n in range(blocks)), "upsampler.0:input"),
        global_residual=None,
        minimum_size=MINIMUM_SIZE,
        notes=(choice.note,),
    )


def _author_names(state: State) -> State:
    """The weights under the names of the authors, from those that they had in the NTIRE challenge of 2022."""
    if "fea_conv.weight" not in state:
        return state
    places = {f"B{n + 1}": f"block_{n + 1}" for n in range(count_blocks(state, "B"))}
    places |= {"fea_conv": "conv_1", "LR_conv": "conv_2"}
    renamed = {}
    for key, tensor in state.items():
        place, dot, rest = key.partition(".")
        renamed[places.get(place, place) + dot + rest] = tensor
    return renamed


ARCHITECTURE = Architecture("RLFN", _matches, _read, RLFN)
