"""Where an image lies among known degradations, in the embedding by which a guided network is steered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from ddrscope.errors import InputError
from ddrscope.layers import device_of
from ddrscope.networks import GuidedSRResNet, Network
from ddrscope.results.upscaling import EmbeddingPlane
from ddrscope.upscaling.bundled_embeddings import load_embeddings
from ddrscope.upscaling.checks import check_size
from ddrscope.upscaling.known_images import KNOWN_DEGRADATIONS, KnownImage, known_images

# Of a larger image, the centre of this many pixels a side is embedded.
_MAX_SIDE = 1024


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """The embeddings of known images and their plane, in which other images are placed.

    Attributes:
        network: The guided network.
        images: The known images.
        embeddings: Their embeddings (N, D), each the mean over the image's cells.
        plane: The known images in the plane of the first two principal components.
    """

    network: Network
    images: tuple[KnownImage, ...]
    embeddings: NDArray[np.float64]
    plane: EmbeddingPlane
    _pca: PCA

    def embed(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        """The embeddings (cells, D) of an image, or of its centre if it is large.

        Args:
            pixels: float32 (H, W, 3) in 0..1.

        Raises:
            InputError: The image is smaller than the network takes.
        """
        check_size(self.network, *pixels.shape[:2])
        top, left = (max(side - _MAX_SIDE, 0) // 2 for side in pixels.shape[:2])
        return embed(self.network, pixels[top : top + _MAX_SIDE, left : left + _MAX_SIDE])

    def project(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 2) of embeddings (n, D) in the plane."""
        return self._pca.transform(embeddings)

    def nearest(self, embedding: NDArray[np.float64], count: int) -> list[int]:
        """Indices of the known images nearest to an embedding (D,) in all of its dimensions, the nearest first."""
        distances = np.linalg.norm(self.embeddings - embedding, axis=1)
        return distances.argsort(kind="stable")[:count].tolist()

    def read(self, index: int) -> NDArray[np.float32]:
        """A known image (H, W, 3) in 0..1 as the network saw it."""
        return self.images[index].read(self.network.scale)


def map_embeddings(network: Network, degradations: Sequence[str] = KNOWN_DEGRADATIONS) -> EmbeddingMap:
    """Map the bundled photographs under known degradations by the embedding of a guided network.

    Embeddings that come with the package are used if they are of these weights and photographs; else they are computed.

    Raises:
        InputError: The network has no embedding.
    """
    if not isinstance(network.module, GuidedSRResNet):
        raise InputError(f"{network.name} is not steered by the degradation of its input: a guided network is needed")
    images = known_images(degradations)
    embeddings = load_embeddings(network, images)
    if embeddings is None:
        embeddings = embed_known_images(network, images)
    pca = PCA(2)
    points = pca.fit_transform(embeddings)
    first, second = map(float, pca.explained_variance_ratio_)
    plane = EmbeddingPlane(
        points,
        tuple(image.degradation for image in images),
        tuple(image.file.photo for image in images),
        (first, second),
    )
    return EmbeddingMap(network, tuple(images), embeddings, plane, pca)


def embed_known_images(network: Network, images: Sequence[KnownImage]) -> NDArray[np.float64]:
    """Compute the mean embedding (N, D) of each image, which takes half a minute for all known images."""
    return np.stack([embed(network, image.read(network.scale)).mean(axis=0) for image in images])


@torch.inference_mode()
def embed(network: Network, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """The embedding (cells, D) of each cell of an image (H, W, 3) in 0..1."""
    module = network.module
    assert isinstance(module, GuidedSRResNet)
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].to(device_of(module))
    return module.embedding(batch)[0].flatten(1).T.double().cpu().numpy()
