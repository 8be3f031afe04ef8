"""What all visitors share: the identifier, the network, the map of known degradation, each loaded once."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import resize
from ddrscope.identification import ImageIdentifier
from ddrscope.networks import GuidedSRResNet, Network, load_network
from ddrscope.upscaling import EmbeddingMap, enlarge, map_embeddings
from ddrscope.upscaling.bundled_embeddings import MAPPED_NETWORK, packaged_embeddings
from ddrscope.upscaling.embedding_map import known_images
from ddrscope.webapp.images import Limits

# Pixels a side of what is enlarged, of what is placed on the map, and of what the heat map shows of a larger image, and the most tiles
# of a heat map: so that a processor answers within seconds.
ENLARGED, PLACED, MAPPED, TILES = 160, 256, 512, 16


@dataclass(frozen=True)
class AppState:
    """Identifier, network, the network whose map of known degradation is shown, and what a visitor may send."""

    identifier: ImageIdentifier
    network: Network
    mapper: Network
    limits: Limits
    _map: Future[EmbeddingMap]

    @property
    def known(self) -> EmbeddingMap:
        """The map of known degradation; waits until it is made."""
        return self._map.result()

    @property
    def has_map(self) -> bool:
        """Whether the map is made."""
        return self._map.done()


def open_app_state(identifier: ImageIdentifier, network: Network, limits: Limits, device: str) -> AppState:
    """A desk whose map is that of ``network``, or of `MAPPED_NETWORK` where ``network`` is not steered by what it sees.

    The map is read from the package, or else computed in the background: the pages need not wait for it.
    """
    mapper = network
    if not isinstance(network.module, GuidedSRResNet):
        mapper = load_network(MAPPED_NETWORK).to(device)
    found: Future[EmbeddingMap] = Future()
    if packaged_embeddings(mapper, known_images()) is not None:
        found.set_result(map_embeddings(mapper))
    else:
        # A daemon: Ctrl-C does not wait for it.
        threading.Thread(target=_make_map, args=(mapper, found), daemon=True).start()
    return AppState(identifier, network, mapper, limits, found)


def _make_map(network: Network, found: Future[EmbeddingMap]) -> None:
    try:
        found.set_result(map_embeddings(network))
    except BaseException as error:
        found.set_exception(error)


@dataclass(frozen=True)
class Square:
    """A part of an image: corner and sides in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """The pixels in it."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


def square(pixels: NDArray[np.float32], side: int, across: float = 50, down: float = 50) -> Square:
    """The square of ``side`` pixels around a place, in percent of the image's width and height, moved to lie within the image."""
    height, width = (min(side, length) for length in pixels.shape[:2])
    top = round(pixels.shape[0] * down / 100 - height / 2)
    left = round(pixels.shape[1] * across / 100 - width / 2)
    return Square(min(max(top, 0), pixels.shape[0] - height), min(max(left, 0), pixels.shape[1] - width), height, width)


def enlarged_both_ways(network: Network, pixels: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image (H, W, 3) in 0..1 enlarged bicubically, and by the network, in 8 bits."""
    made = enlarge(network, pixels)
    plain = resize(pixels, (made.shape[0], made.shape[1])).clip(0, 1)
    return np.rint(plain * 255).astype(np.uint8), made.astype(np.uint8)
