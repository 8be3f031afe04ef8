"""Blind super-resolution steered by deep degradation representations: an SRResNet, and a frozen trunk that tells it of the degradation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.srresnet import ResidualBlock, SRResNet, srresnet_shape

# Statistics are taken over cells of so many LR pixels a side, then over `REACH` cells around each.
CELL, REACH = 8, 2
EMBEDDING = 32
# Of each channel of the guide.
STATISTICS = 6
# What is added to a channel's variance before its logarithm: dead channels stay finite.
TINY = 1e-6


class DegradationGuide(nn.Module):
    """The first blocks of a frozen SRResNet, and what its channels do around each place.

    (B, 3, H, W) in 0..1 becomes (B, 6 * channels, rows, columns): mean and log standard deviation of each channel, and the log of how
    much it differs from itself one pixel to the right, below, and to both sides below, all over the 40 pixels around each cell of 8,
    standardized by `calibrate`. Borders are mirrored, so that a small patch says what a large image says.
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
        """The beginning of ``network``, up to ``blocks`` residual blocks."""
        first = network.conv_first.weight
        guide = cls(first.shape[0], blocks)
        state = network.state_dict()
        guide.load_state_dict(guide.state_dict() | {key: state[key] for key in guide.state_dict() if key in state})
        return guide

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        # In bfloat16 rounding would drown the small differences of neighbours that tell of slight degradation.
        with torch.autocast(x.device.type, enabled=False):
            statistics = local_statistics(self.body(self.lrelu(self.conv_first(x))))
        return (statistics - self.center[:, None, None]) / self.spread[:, None, None]

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor]) -> None:
        """Standardize the statistics by those of ``batches`` (B, 3, H, W)."""
        self.center.zero_()
        self.spread.fill_(1)
        seen = torch.cat([self(batch).permute(0, 2, 3, 1).flatten(0, 2) for batch in batches])
        self.center.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0).clamp_min(1e-3))


def local_statistics(features: Tensor) -> Tensor:
    """(B, C, H, W) to (B, 6 * C, rows, columns): means, and logarithms of standard deviations and of differences of neighbours."""
    padded = functional.pad(features, (1, 1, 0, 1), "reflect")
    above, below = padded[:, :, :-1], padded[:, :, 1:]
    neighbours = (above[..., 2:], below[..., 1:-1], below[..., 2:], below[..., :-2])
    mean = around(features)
    squares = [around(features.square()) - mean.square(), *(around((features - one).square()) for one in neighbours)]
    return torch.cat([mean, *(square.clamp_min(0).add(TINY).log() / 2 for square in squares)], 1)


def around(features: Tensor) -> Tensor:
    """The means (B, C, rows, columns) over the pixels around each cell, of (B, C, H, W)."""
    cells = functional.avg_pool2d(features, CELL, ceil_mode=True, count_include_pad=False)
    return functional.avg_pool2d(cells, 2 * REACH + 1, 1, REACH, count_include_pad=False)


class GuidedSRResNet(nn.Module):
    """An SRResNet in whose blocks each channel is scaled and shifted, place by place, by an embedding of a condition.

    The condition (B, D, rows, columns) is what the ``guide`` says of the input, or is given where there is no guide: anything known of the
    degradation. Untrained, scales are 1 and shifts 0. Input and output are those of `SRResNet`. Source of the claim: arXiv 2108.00406,
    section 6 (guiding blind super-resolution by DDR); scale and shift: Perez et al. 2018 (FiLM).
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
        """Draw the weights anew, but for the guide's, which are never trained."""
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
        """The end of the body, at the input's size, steered by its own ``embedding`` or by a given one."""
        network = self.network
        changes = self.modulate(self.embedding(x) if embedding is None else embedding).chunk(len(network.body), 1)
        features = network.lrelu(network.conv_first(x))
        for block, change in zip(network.body, changes, strict=True):
            assert isinstance(block, ResidualBlock)
            features = block(features, *spread_out(change, x.shape[2:]).chunk(2, 1))
        return features

    def tail(self) -> list[nn.Sequential]:
        """As `SRResNet.tail`."""
        return self.network.tail()

    def finish(self, x: Tensor, features: Tensor) -> Tensor:
        """As `SRResNet.finish`."""
        return self.network.finish(x, features)

    def embedding(self, x: Tensor) -> Tensor:
        """What the guide says of (B, 3, H, W) images, in the `EMBEDDING` numbers a cell that steer."""
        embedded: Tensor = self.embed(self.condition(x))
        return embedded

    def condition(self, x: Tensor) -> Tensor:
        """What the guide says of (B, 3, H, W) images."""
        if self.guide is None:
            raise ValueError("this network has no guide: give it a condition")
        return self.guide(x)


def spread_out(cells: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """(B, C, rows, columns) of cells to (B, C, H, W), linear between the middles of cells; a single cell stands for all places."""
    height, width = size
    if cells.shape[2:] == (1, 1):
        return cells
    return functional.interpolate(cells, scale_factor=CELL, mode="bilinear", align_corners=False)[:, :, :height, :width]


class GuidedShape(NamedTuple):
    """The arguments of the `SRResNet` and of the `DegradationGuide` that a guided network is made of."""

    network: dict[str, int]
    guide: tuple[int, int]


def guided_shape(state: dict[str, Tensor]) -> GuidedShape:
    """Read the shape from weights, but for the global residual."""
    inner = {key.removeprefix("network."): tensor for key, tensor in state.items() if key.startswith("network.")}
    blocks = len({key.split(".")[2] for key in state if key.startswith("guide.body.")})
    return GuidedShape(srresnet_shape(inner), (state["guide.conv_first.weight"].shape[0], blocks))
