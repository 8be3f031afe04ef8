"""Analyze a network that only your own code can build: python examples/analyze_my_network.py [OUT]

The same on the command line, in this folder: ddrscope analyze analyze_my_network:build --out analysis
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

import ddrscope


class MyNetwork(nn.Module):
    """Any module that maps images (B, 3, H, W) in 0..1 to larger images."""

    scale, channels = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.ModuleList(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()) for _ in range(3))
        self.tail = nn.Conv2d(16, 3 * 4, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.head(images)
        for block in self.body:
            features = features + block(features)
        return self.shuffle(self.tail(features))


def build() -> nn.Module:
    """The function that ``module:function`` names; load your weights here."""
    torch.manual_seed(0)
    return MyNetwork()


def main(out: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    # Layers have the names of the submodules: here every block, and the input of the output convolution.
    result = ddrscope.analyze(
        "analyze_my_network:build",
        degradations=["clean", "blur:2", "noise:20"],
        layers=["body.*", "tail:input"],
        limit=8,
        crop=64,
        tsne_seeds=1,
        out=out,
        overwrite=True,
    )
    table = result.to_frame().query("control == ''")
    print(
        table[["layer", "view", "degradation_share", "content_share", "knn_accuracy"]].round(3).to_string(index=False)
    )
    print("report:", out / "report.html")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "my-network"))
