"""What all visitors share, loaded once: the identifier, the network, and the map of known degradations."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

from ddrscope.identification import ImageIdentifier
from ddrscope.networks import GuidedSRResNet, Network, load_network
from ddrscope.upscaling import EmbeddingMap, map_embeddings
from ddrscope.upscaling.bundled_embeddings import BUNDLED_NETWORK, load_embeddings
from ddrscope.upscaling.known_images import known_images
from ddrscope.webapp.images import UploadLimits


@dataclass(frozen=True)
class AppState:
    """What all visitors share.

    Attributes:
        identifier: Identifies distortions.
        network: Enlarges images.
        map_network: The guided network whose map of known degradations is shown.
        limits: The largest upload.
    """

    identifier: ImageIdentifier
    network: Network
    map_network: Network
    limits: UploadLimits
    _embedding_map: Future[EmbeddingMap]

    @property
    def embedding_map(self) -> EmbeddingMap:
        """The map of known degradations; waits until it is computed."""
        return self._embedding_map.result()

    @property
    def has_map(self) -> bool:
        """Whether the map is computed."""
        return self._embedding_map.done()


def open_app_state(identifier: ImageIdentifier, network: Network, limits: UploadLimits, device: str) -> AppState:
    """Load what all visitors share.

    The map of known degradations is that of ``network`` if it is a guided network, else that of the bundled one. It is
    read from the package if it is there, else computed in the background, so that the pages need not wait for it.
    """
    map_network = network
    if not isinstance(network.module, GuidedSRResNet):
        map_network = load_network(BUNDLED_NETWORK).to(device)
    embedding_map: Future[EmbeddingMap] = Future()
    if load_embeddings(map_network, known_images()) is not None:
        embedding_map.set_result(map_embeddings(map_network))
    else:
        # A daemon thread: Ctrl-C does not wait for it.
        threading.Thread(target=_compute_map, args=(map_network, embedding_map), daemon=True).start()
    return AppState(identifier, network, map_network, limits, embedding_map)


def _compute_map(network: Network, embedding_map: Future[EmbeddingMap]) -> None:
    try:
        embedding_map.set_result(map_embeddings(network))
    except BaseException as error:
        embedding_map.set_exception(error)
