"""S-CNN, the distortion classifier of DBCNN (Zhang et al. 2020, arXiv 1907.02665), written from its description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ddrscope.degradations import parse_degradation
from ddrscope.images import ImageFile, read_image

SCNN_SIDE = 224
WIDTHS = (48, 48, 64, 64, 64, 64, 128, 128, 128)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 2)
# Means and standard deviations of ImageNet.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES, HIDDEN = 39, 256
# Training photographs that tell which classes are blur.
TRAINING_PHOTOGRAPHS = 60


class SCNN(nn.Module):
    """Nine convolutions, four of them of stride 2, the mean over the image, and three linear layers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, stride in zip(WIDTHS, STRIDES, strict=True):
            layers += [nn.Conv2d(before, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.features = nn.Sequential(*layers)
        pairs = [(before, HIDDEN), (HIDDEN, HIDDEN)]
        hidden = [[nn.Conv2d(a, b, 1), nn.BatchNorm2d(b), nn.ReLU()] for a, b in pairs]
        self.projection = nn.Sequential(*(layer for group in hidden for layer in group))
        self.classifier = nn.Linear(HIDDEN, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        """An image (224, 224, 3) in 0..1 to probabilities (39,)."""
        normal = (image - image.new_tensor(MEAN)) / image.new_tensor(DEVIATION)
        features = self.features(normal.permute(2, 0, 1)[None]).mean((2, 3), keepdim=True)
        result: Tensor = self.classifier(self.projection(features).flatten(1)).softmax(1)[0].detach()
        return result


def load_scnn(path: Path) -> SCNN:
    """The network with the authors' weights."""
    network = SCNN()
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    return network.eval()


def blur_classes(network: SCNN, files: Sequence[ImageFile], blurred: Sequence[str], others: Sequence[str]) -> list[int]:
    """The classes that most blurred images of training photographs, and few others, fall into."""
    counts = np.zeros((2, CLASSES))
    for file in files[:TRAINING_PHOTOGRAPHS]:
        pixels = read_image(file).pixels
        if min(pixels.shape[:2]) < SCNN_SIDE:
            continue
        top, left = ((side - SCNN_SIDE) // 2 for side in pixels.shape[:2])
        part = pixels[top : top + SCNN_SIDE, left : left + SCNN_SIDE]
        for row, texts in enumerate((others, blurred)):
            for text in texts:
                degraded = parse_degradation(text).apply(part)
                counts[row, int(network(torch.from_numpy(degraded)).argmax())] += 1
    return [int(index) for index in np.flatnonzero(counts[1] > counts[0])]
