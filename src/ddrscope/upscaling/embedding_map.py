"""Where an image lies among known degradations, as the network sees it that is steered by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.features.hooks import device_of
from ddrscope.images import ImageFile, bundled_photos, find_images, read_image
from ddrscope.networks import GuidedSRResNet, Network
from ddrscope.upscaling.bundled_embeddings import packaged_embeddings
from ddrscope.upscaling.tiling import check_size

KNOWN = ("clean", "blur:2", "blur:4", "noise:10", "noise:20", "jpeg:60", "jpeg:30", "blur:3+noise:15")
# Pixels a side of the middle of a large image that is looked at.
LARGEST_SIDE = 1024


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """The bundled photographs' embeddings under known degradation, each the mean over its cells, and their plane.

    ``embedded`` (N, D), ``points`` (N, 2) the same in the ``plane``; ``degradations`` and ``photos``: what each is of.
    """

    network: Network
    embedded: NDArray[np.float64]
    points: NDArray[np.float64]
    degradations: tuple[str, ...]
    photos: tuple[ImageFile, ...]
    plane: PCA

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        """The embeddings (cells, D) of an image (H, W, 3) in 0..1, of its middle if it is large; their mean is the image's.

        Raises `InputError` for an image that is smaller than the network takes.
        """
        check_size(self.network, *pixels.shape[:2])
        top, left = (max(side - LARGEST_SIDE, 0) // 2 for side in pixels.shape[:2])
        return embeddings(self.network, pixels[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE])

    def place(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        """Where the same cells (cells, 2) lie in the plane; their mean is the image's place."""
        return self.plane.transform(self.embed(pixels))

    def nearest(self, embedding: NDArray[np.float64], count: int) -> list[int]:
        """The known images nearest to an embedding (D,) in all its numbers, not only the two that are drawn; the nearest first."""
        return np.linalg.norm(self.embedded - embedding, axis=1).argsort(kind="stable")[:count].tolist()

    def image(self, index: int) -> NDArray[np.float32]:
        """A known image (H, W, 3) in 0..1 as the network saw it."""
        return degraded(self.photos[index], self.degradations[index], self.network.scale)


def map_embeddings(network: Network, degradations: Sequence[str] = KNOWN) -> EmbeddingMap:
    """Fit the plane to the bundled photographs under known ``degradations``; raises `InputError` for a network that has no embedding.

    Their embeddings are read from the package where it has them for these very weights and photographs, else computed.
    """
    if not isinstance(network.module, GuidedSRResNet):
        raise InputError(
            f"{network.name} is not steered by its input's degradation: only a guided one can be explained"
        )
    shown = known_images(degradations)
    embedded = packaged_embeddings(network, shown)
    if embedded is None:
        embedded = embed_known(network, shown)
    plane = PCA(2)
    points = plane.fit_transform(embedded)
    texts, files = zip(*shown, strict=True)
    return EmbeddingMap(network, embedded, points, texts, files, plane)


def known_images(degradations: Sequence[str] = KNOWN) -> list[tuple[str, ImageFile]]:
    """The first crop of each bundled photograph under each of ``degradations``."""
    first: dict[str, ImageFile] = {}
    for file in find_images([bundled_photos()]):
        first.setdefault(file.photo, file)
    return [(text, file) for text in degradations for file in first.values()]


def embed_known(network: Network, shown: Sequence[tuple[str, ImageFile]]) -> NDArray[np.float64]:
    """The mean embedding (N, D) of each of the images, computed: this takes half a minute for all that are known."""
    return np.stack([embeddings(network, degraded(file, text, network.scale)).mean(0) for text, file in shown])


def degraded(file: ImageFile, text: str, scale: int) -> NDArray[np.float32]:
    """An image under a degradation, shrunk by ``scale``: (H // scale, W // scale, 3) in 0..1."""
    return parse_degradation(text).apply(read_image(file).pixels, 0, scale)


@torch.inference_mode()
def embeddings(network: Network, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """The embedding (cells, D) at each cell of an image (H, W, 3) in 0..1."""
    module = network.module
    assert isinstance(module, GuidedSRResNet)
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].to(device_of(module))
    return module.embedding(batch)[0].flatten(1).T.double().cpu().numpy()
