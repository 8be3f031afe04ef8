"""SRResNet without batch normalization, with and without a global residual: the networks of the DDR paper."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.architectures.base import Architecture, ModelSpec, SelfInitializing, State, count_blocks

SCALES = (1, 2, 3, 4)

_KEYS = {"conv_first.weight", "body.0.conv1.weight", "conv_hr.weight", "conv_last.weight"}
_OLD_TRUNK = re.compile(r"recon_trunk(?P<group>\d*)\.(?P<block>\d+)\.(?P<rest>conv[12]\.(?:weight|bias))")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a ReLU between them, added to the input; no batch normalization.

    Args:
        channels: Input and output channels.
        residual_scale: Factor of what the block adds (EDSR's baseline: 1; its large model: 0.1).
    """

    def __init__(self, channels: int, residual_scale: float = 1.0) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """Run the block.

        Args:
            x: Features (B, channels, H, W).
            scale: Modulates the input h of the ReLU, with ``shift``: h * (1 + scale) + shift. Broadcast to ``x``.
            shift: See ``scale``.
        """
        hidden = self.conv1(x)
        if scale is not None and shift is not None:
            hidden = torch.addcmul(hidden + shift, hidden, scale)
        added: Tensor = self.conv2(self.relu(hidden))
        return x + added if self.residual_scale == 1.0 else x + added * self.residual_scale


class SRResNet(SelfInitializing):
    """SRResNet without batch normalization, under the weight names of BasicSR's MSRResNet.

    Input (B, in_channels, H, W) and output (B, out_channels, scale*H, scale*W), both in 0..1. Sources: Ledig et al.
    2017 (SRResNet); Wang et al. 2018 (without batch normalization); arXiv 2108.00406, section 3 (with and without
    global residual).

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        channels: Channels of the trunk.
        blocks: Residual blocks.
        scale: One of `SCALES`.
        global_residual: Add the bilinearly enlarged input to the output. The weights have the same names and shapes
            either way, so they do not determine it.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        channels: int = 64,
        blocks: int = 16,
        scale: int = 4,
        global_residual: bool = True,
    ) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ValueError(f"SRResNet has the scales {SCALES}, not {scale}")
        if global_residual and in_channels != out_channels:
            raise ValueError(
                f"a global residual needs as many output as input channels, not {out_channels} and {in_channels}"
            )
        self.scale = scale
        self.global_residual = global_residual
        self.conv_first = nn.Conv2d(in_channels, channels, 3, 1, 1)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        if scale in (2, 3):
            self.upconv1 = nn.Conv2d(channels, channels * scale * scale, 3, 1, 1)
            self.pixel_shuffle = nn.PixelShuffle(scale)
        elif scale == 4:
            self.upconv1 = nn.Conv2d(channels, channels * 4, 3, 1, 1)
            self.upconv2 = nn.Conv2d(channels, channels * 4, 3, 1, 1)
            self.pixel_shuffle = nn.PixelShuffle(2)
        self.conv_hr = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv_last = nn.Conv2d(channels, out_channels, 3, 1, 1)
        self.lrelu = nn.LeakyReLU(0.1, inplace=True)
        self.initialize()

    def initialize(self) -> None:
        """Draw the weights anew: Kaiming normal, a tenth of it inside the residual blocks.

        Only inside the blocks: scaled down everywhere, the network without a global residual does not train at all.
        """
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
                if name.startswith("body."):
                    module.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        for stage in self.tail():
            features = stage(features)
        return self.finish(x, features)

    def trunk(self, x: Tensor) -> Tensor:
        """The output of the body (B, channels, H, W), at the size of the input."""
        features: Tensor = self.body(self.lrelu(self.conv_first(x)))
        return features

    def tail(self) -> list[nn.Sequential]:
        """The stages from the trunk to the last HR layer; each begins with a 3x3 convolution and is local otherwise."""
        names: dict[int, list[str]] = {1: [], 4: ["upconv1", "upconv2"]}
        stages = [
            nn.Sequential(getattr(self, name), self.pixel_shuffle, self.lrelu)
            for name in names.get(self.scale, ["upconv1"])
        ]
        return [*stages, nn.Sequential(self.conv_hr, self.lrelu)]

    def finish(self, x: Tensor, features: Tensor) -> Tensor:
        """The output image from the input ``x`` and the last HR layer ``features``."""
        output: Tensor = self.conv_last(features)
        if not self.global_residual:
            return output
        if self.scale > 1:
            x = functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return output + x


def basicsr_names(state: State) -> State:
    """The weights under BasicSR's current names for MSRResNet: ``body.N`` and ``conv_hr``.

    Older checkpoints have ``HRconv`` and ``recon_trunk.N``, or ``recon_trunk1.N`` to ``recon_trunk4.N`` if the trunk is
    cut into groups in order to read features between them. Other names stay as they are.
    """
    matches = [match for match in map(_OLD_TRUNK.fullmatch, state) if match]
    old_blocks = sorted({(int(match["group"] or 0), int(match["block"])) for match in matches})
    body = {old: new for new, old in enumerate(old_blocks)}

    def rename(key: str) -> str:
        if match := _OLD_TRUNK.fullmatch(key):
            return f"body.{body[int(match['group'] or 0), int(match['block'])]}.{match['rest']}"
        return key.replace("HRconv.", "conv_hr.", 1) if key.startswith("HRconv.") else key

    return {rename(key): tensor for key, tensor in state.items()}


def srresnet_shape(state: State) -> dict[str, int]:
    """The constructor's arguments, except ``global_residual``, from weights under MSRResNet's names."""
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    channels = first.shape[0]
    if "upconv2.weight" in state:
        scale = 4
    elif "upconv1.weight" in state:
        scale = round((state["upconv1.weight"].shape[0] / channels) ** 0.5)
    else:
        scale = 1
    return {
        "in_channels": first.shape[1],
        "out_channels": last.shape[0],
        "channels": channels,
        "blocks": count_blocks(state, "body."),
        "scale": scale,
    }


def _matches(state: State) -> bool:
    return basicsr_names(state).keys() >= _KEYS


def _read(state: State) -> ModelSpec:
    state = basicsr_names(state)
    shape = srresnet_shape(state)
    return ModelSpec(
        state=state,
        build=lambda global_residual: SRResNet(**shape, global_residual=global_residual),
        scale=shape["scale"],
        channels=shape["in_channels"],
        layers=(*(f"body.{n}" for n in range(shape["blocks"])), "conv_last:input"),
        global_residual=None if shape["in_channels"] == shape["out_channels"] else False,
    )


ARCHITECTURE = Architecture("SRResNet", _matches, _read, SRResNet)
