"""Small networks that are hard to capture layers of: in-place calls, reused modules, branches, tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.act(self.conv1(x)))


class SmallCnn(nn.Module):
    """x2 super-resolution with in-place activations and a batch norm."""

    def __init__(self, channels: int = 6, blocks: int = 3) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.body = nn.Sequential(*[Block(channels) for _ in range(blocks)])
        self.up = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.lrelu = nn.LeakyReLU(0.1, inplace=True)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)
        self.unused = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.norm(self.head(x)))
        return self.conv_last(self.lrelu(self.shuffle(self.up(x))))


class Recurrent(nn.Module):
    """Calls one cell as often as the mean of the batch says (a recurrent network), in two branches."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 4, 3, padding=1)
        self.cell = Block(4)
        self.dark = nn.Conv2d(4, 3, 1)
        self.bright = nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        steps = 2 if x.mean() < 0.5 else 4
        y = self.head(x)
        for _ in range(steps):
            y = checkpoint(self.cell, y, use_reentrant=False)
        return self.dark(y) if steps == 2 else self.bright(y)


class Pair(nn.Module):
    """Gives a dictionary holding a tuple; takes its input as a keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1)

    def forward(self, *, image: Tensor) -> dict[str, Any]:
        return {"index": torch.arange(3), "maps": (None, self.conv(image), image)}


class Wrapped(nn.Module):
    def __init__(self, inner: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.inner, x)


def swinir() -> nn.Module:
    from spandrel.architectures.SwinIR import SwinIR

    return SwinIR(
        img_size=16,
        embed_dim=12,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=8,
        mlp_ratio=2,
        upscale=2,
        upsampler="pixelshuffle",
    ).eval()


def hook_count(module: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


def forward_pieces(cnn: SmallCnn, x: Tensor) -> dict[str, Tensor]:
    """The layers of SmallCnn without any hook, out of place."""
    with torch.no_grad():
        pieces = {"head": cnn.head(x)}
        y = cnn.norm(pieces["head"])
        for index, block in enumerate(cnn.body):
            y = y + block.conv2(block.conv1(y).relu())
            pieces[f"body.{index}"] = y
        pieces["conv_last:input"] = nn.functional.leaky_relu(cnn.shuffle(cnn.up(y)), 0.1)
    return pieces
