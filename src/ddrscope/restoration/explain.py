"""Where a picture lies among known damages, as the network sees it that is steered by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.features.taps import device_of
from ddrscope.images import PictureFile, bundled_photos, find_pictures, read_picture
from ddrscope.networks import GuidedSRResNet, Network

KNOWN = ("clean", "blur:2", "blur:4", "noise:10", "noise:20", "jpeg:60", "jpeg:30", "blur:3+noise:15")
# Pixels a side of the middle of a large picture that is looked at.
LARGEST_SIDE = 1024


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """The plane of the bundled photographs' embeddings under known damage: ``points`` (N, 2) and the damage of each."""

    network: Network
    points: NDArray[np.float64]
    damages: tuple[str, ...]
    plane: PCA

    def place(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        """Where the cells (N, 2) of a picture (H, W, 3) in 0..1 lie, of its middle if it is large; their mean is the picture's place."""
        top, left = (max(side - LARGEST_SIDE, 0) // 2 for side in pixels.shape[:2])
        return self.plane.transform(embeddings(self.network, pixels[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]))


def map_embeddings(network: Network) -> EmbeddingMap:
    """Fit the plane to the bundled photographs under `KNOWN` damage; raises `InputError` for a network that has no embedding."""
    if not isinstance(network.module, GuidedSRResNet):
        raise InputError(f"{network.name} is not steered by its input's damage: only a guided one can be explained")
    photos: dict[str, PictureFile] = {}
    for file in find_pictures([bundled_photos()]):
        photos.setdefault(file.photo, file)
    rows, damages = [], []
    for text in KNOWN:
        pipeline = parse_degradation(text)
        for file in photos.values():
            small = pipeline.apply(read_picture(file).pixels, 0, network.scale)
            rows.append(embeddings(network, small).mean(0))
            damages.append(text)
    plane = PCA(2)
    points = plane.fit_transform(np.stack(rows))
    return EmbeddingMap(network, points, tuple(damages), plane)


@torch.inference_mode()
def embeddings(network: Network, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """The embedding (cells, D) at each cell of a picture (H, W, 3) in 0..1."""
    module = network.module
    assert isinstance(module, GuidedSRResNet)
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].to(device_of(module))
    return module.embedding(batch)[0].flatten(1).T.double().cpu().numpy()
