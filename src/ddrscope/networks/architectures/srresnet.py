"""The SRResNet family: the paper's own subject, with and without a global residual."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional

SCALES = (1, 2, 3, 4)

_OLD_TRUNK = re.compile(r"recon_trunk(?P<group>\d*)\.(?P<block>\d+)\.(?P<rest>conv[12]\.(?:weight|bias))")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU, added to the input: no batch normalization.

    ``residual_scale`` multiplies what the block adds (EDSR's baseline: 1; its large model: 0.1).
    """

    def __init__(self, channels: int, residual_scale: float = 1.0) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """``scale`` and ``shift``, which can be spread to the features' shape, change what the ReLU is given: x * (1 + scale) + shift."""
        hidden = self.conv1(x)
        if scale is not None and shift is not None:
            hidden = torch.addcmul(hidden + shift, hidden, scale)
        added = self.conv2(self.relu(hidden))
        return x + added if self.residual_scale == 1.0 else x + added * self.residual_scale


class SRResNet(nn.Module):
    """SRResNet without batch normalization, as BasicSR's MSRResNet, of which it shares the weight names.

    Input (B, in_channels, H, W) and output ``(B, out_channels, scale*H, scale*W)``, both in 0..1. ``global_residual`` adds the
    bilinearly enlarged input to the output; the weights are the same tensors either way, so a file of weights alone does not
    tell which it is. Source: Ledig et al. 2017 (SRResNet); Wang et al. 2018 (the variant without batch normalization);
    arXiv 2108.00406, section 3 (with and without global residual).
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
            raise ValueError(f"SRResNet enlarges by {SCALES}, not by {scale}")
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

    def finish(self, x: Tensor, features: Tensor) -> Tensor:
        """The image made of the last HR layer and, with a global residual, of the input."""
        output = self.conv_last(features)
        if not self.global_residual:
            return output
        if self.scale > 1:
            x = functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return output + x

    def trunk(self, x: Tensor) -> Tensor:
        """The end of the body, at the input's size."""
        return self.body(self.lrelu(self.conv_first(x)))

    def tail(self) -> list[nn.Sequential]:
        """What follows the trunk up to the last HR layer: stages that each begin with a 3 x 3 convolution and are local but for it."""
        enlarging = {1: [], 4: ["upconv1", "upconv2"]}.get(self.scale, ["upconv1"])
        stages = [nn.Sequential(getattr(self, name), self.pixel_shuffle, self.lrelu) for name in enlarging]
        return [*stages, nn.Sequential(self.conv_hr, self.lrelu)]


def basicsr_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights under BasicSR's MSRResNet names: ``body.N`` and ``conv_hr``.

    Older files say ``recon_trunk.N``, or, where the trunk is cut into groups to look between them, ``recon_trunk1.N`` to
    ``recon_trunk4.N``; and ``HRconv``. Other names stay as they are.
    """
    matches = [match for match in map(_OLD_TRUNK.fullmatch, state) if match]
    old_blocks = sorted({(int(match["group"] or 0), int(match["block"])) for match in matches})
    body = {old: new for new, old in enumerate(old_blocks)}

    def rename(key: str) -> str:
        if match := _OLD_TRUNK.fullmatch(key):
            return f"body.{body[int(match['group'] or 0), int(match['block'])]}.{match['rest']}"
        return key.replace("HRconv.", "conv_hr.", 1) if key.startswith("HRconv.") else key

    return {rename(key): tensor for key, tensor in state.items()}


def srresnet_shape(state: dict[str, Tensor]) -> dict[str, int]:
    """Read the constructor's arguments, but for ``global_residual``, from weights under MSRResNet's names."""
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    # Counted, not taken from the largest number: a hostile file may name a billionth block.
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
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
        "blocks": blocks,
        "scale": scale,
    }
