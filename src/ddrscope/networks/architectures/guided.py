"""Blind super-resolution guided by deep degradation representations."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.networks.architectures.base import Architecture, ModelSpec, SelfInitializing, State, count_blocks
from ddrscope.networks.architectures.srresnet import ResidualBlock, SRResNet, srresnet_shape

# Side of a cell in LR pixels; statistics are taken over the cells up to `REACH` away, 40 x 40 pixels.
CELL, REACH = 8, 2
# Width of the embedding that modulates.
EMBEDDING = 32
# Statistics of each channel of the guide.
STATISTICS = 6
# Added to variances before the logarithm, so that dead channels stay finite.
VARIANCE_EPSILON = 1e-6


class DegradationGuide(nn.Module):
    """The first blocks of a frozen SRResNet, and local statistics of its channels.

    Maps images (B, 3, H, W) in 0..1 to (B, 6 * channels, rows, columns), one position per cell of 8 LR pixels a side.
    The statistics of a channel are its mean, the logarithm of its standard deviation, and the logarithm of the root
    mean square difference to the neighbours right, below, and below to both sides; all over 40 x 40 pixels around the
    cell, standardized by `calibrate`. Borders are reflected, so that a small patch has the same statistics as a large
    image.

    Args:
        channels: Channels of the trunk.
        blocks: Residual blocks.
    """

    center: Tensor
    spread: Tensor

    def __init__(self, channels: int = 64, blocks: int = 8) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, channels, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.lrelu = nn.LeakyReLU(0.1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.padding_mode = "reflect"
        self.register_buffer("center", torch.zeros(STATISTICS * channels))
        self.register_buffer("spread", torch.ones(STATISTICS * channels))
        self.requires_grad_(False)

    @classmethod
    def cut_from(cls, network: SRResNet, blocks: int) -> DegradationGuide:
        """The first ``blocks`` residual blocks of ``network``, as a guide."""
        first = network.conv_first.weight
        guide = cls(first.shape[0], blocks)
        state = network.state_dict()
        guide.load_state_dict(guide.state_dict() | {key: state[key] for key in guide.state_dict() if key in state})
        return guide

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        # In bfloat16, rounding would hide the small differences of neighbours by which slight degradations show.
        with torch.autocast(x.device.type, enabled=False):
            statistics = local_statistics(self.body(self.lrelu(self.conv_first(x))))
        return (statistics - self.center[:, None, None]) / self.spread[:, None, None]

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor]) -> None:
        """Standardize the statistics by mean and standard deviation over ``batches`` (B, 3, H, W)."""
        self.center.zero_()
        self.spread.fill_(1)
        cells = torch.cat([self(batch).permute(0, 2, 3, 1).flatten(0, 2) for batch in batches])
        self.center.copy_(cells.mean(0))
        self.spread.copy_(cells.std(0).clamp_min(1e-3))


def local_statistics(features: Tensor) -> Tensor:
    """The statistics of `DegradationGuide`, not standardized: (B, C, H, W) to (B, 6 * C, rows, columns)."""
    padded = functional.pad(features, (1, 1, 0, 1), "reflect")
    above, below = padded[:, :, :-1], padded[:, :, 1:]
    neighbours = (above[..., 2:], below[..., 1:-1], below[..., 2:], below[..., :-2])
    mean = _local_mean(features)
    squares = [_local_mean(features.square()) - mean.square()]
    squares += [_local_mean((features - neighbour).square()) for neighbour in neighbours]
    return torch.cat([mean, *(square.clamp_min(0).add(VARIANCE_EPSILON).log() / 2 for square in squares)], 1)


def _local_mean(features: Tensor) -> Tensor:
    """Means over the pixels around each cell: (B, C, H, W) to (B, C, rows, columns)."""
    cells = functional.avg_pool2d(features, CELL, ceil_mode=True, count_include_pad=False)
    return functional.avg_pool2d(cells, 2 * REACH + 1, 1, REACH, count_include_pad=False)


class GuidedSRResNet(SelfInitializing):
    """An SRResNet whose blocks are scaled and shifted, by channel and place, by an embedding of a condition.

    The condition (B, D, rows, columns) is the output of the ``guide``; a network without one must be given the
    condition, anything known of the degradation. Before training, scales are 1 and shifts 0. Input and output are
    those of `SRResNet`. Sources: arXiv 2108.00406, section 6 (guiding blind super-resolution by DDR); Perez et al.
    2018 (FiLM: scale and shift).

    Args:
        network: The network to guide.
        guide: Computes the condition from the input; frozen.
        width: D, required if there is no guide.
    """

    def __init__(self, network: SRResNet, guide: DegradationGuide | None = None, width: int | None = None) -> None:
        super().__init__()
        self.network, self.guide, self.scale = network, guide, network.scale
        channels = network.conv_first.out_channels
        if width is None:
            if guide is None:
                raise ValueError("without a guide the width of the condition must be given")
            width = STATISTICS * guide.conv_first.out_channels
        self.embed = nn.Sequential(
            nn.Conv2d(width, 64, 1), nn.LeakyReLU(0.1), nn.Conv2d(64, EMBEDDING, 1), nn.LeakyReLU(0.1)
        )
        self.modulate = nn.Conv2d(EMBEDDING, 2 * channels * len(network.body), 1)
        self._initialize_guidance()

    def initialize(self) -> None:
        """Draw the weights anew, except the guide's, which are never trained."""
        self.network.initialize()
        self._initialize_guidance()

    def _initialize_guidance(self) -> None:
        for layer in self.embed:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.1)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        features = self.trunk(x, self.embedding(x) if condition is None else self.embed(condition))
        for stage in self.tail():
            features = stage(features)
        return self.finish(x, features)

    def trunk(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """The output of the body (B, channels, H, W), modulated by ``embedding``; None: by the embedding of ``x``."""
        network = self.network
        changes = self.modulate(self.embedding(x) if embedding is None else embedding).chunk(len(network.body), 1)
        features: Tensor = network.lrelu(network.conv_first(x))
        for block, change in zip(network.body, changes, strict=True):
            features = block(features, *spread_out(change, x.shape[2:]).chunk(2, 1))
        return features

    def tail(self) -> list[nn.Sequential]:
        """As `SRResNet.tail`."""
        return self.network.tail()

    def finish(self, x: Tensor, features: Tensor) -> Tensor:
        """As `SRResNet.finish`."""
        return self.network.finish(x, features)

    def embedding(self, x: Tensor) -> Tensor:
        """The embedding that modulates, (B, `EMBEDDING`, rows, columns), of images (B, 3, H, W)."""
        embedded: Tensor = self.embed(self.condition(x))
        return embedded

    def condition(self, x: Tensor) -> Tensor:
        """The guide's output for images (B, 3, H, W); ValueError if there is no guide."""
        if self.guide is None:
            raise ValueError("this network has no guide: give it a condition")
        condition: Tensor = self.guide(x)
        return condition


def spread_out(cells: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Interpolate cells (B, C, rows, columns) linearly to (B, C, H, W); a single cell is kept as it is."""
    height, width = size
    if cells.shape[2:] == (1, 1):
        return cells
    return functional.interpolate(cells, scale_factor=CELL, mode="bilinear", align_corners=False)[:, :, :height, :width]


def _matches(state: State) -> bool:
    return {"embed.0.weight", "modulate.weight", "network.conv_first.weight"} <= state.keys()


def _read(state: State) -> ModelSpec:
    if "guide.conv_first.weight" not in state:
        raise InputError("it was trained with guidance=oracle and has no guide: it can be measured, but not used")
    shape = srresnet_shape(
        {key.removeprefix("network."): tensor for key, tensor in state.items() if key.startswith("network.")}
    )
    guide_channels = state["guide.conv_first.weight"].shape[0]
    guide_blocks = count_blocks(state, "guide.body.")

    def build(global_residual: bool) -> GuidedSRResNet:
        return GuidedSRResNet(
            SRResNet(**shape, global_residual=global_residual), DegradationGuide(guide_channels, guide_blocks)
        )

    return ModelSpec(
        state=state,
        build=build,
        scale=shape["scale"],
        channels=shape["in_channels"],
        layers=(*(f"network.body.{n}" for n in range(shape["blocks"])), "network.conv_last:input"),
        global_residual=None if shape["in_channels"] == shape["out_channels"] else False,
        # Reflected borders need a second pixel.
        minimum_size=2,
    )


ARCHITECTURE = Architecture("GuidedSRResNet", _matches, _read)
