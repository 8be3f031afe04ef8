"""Embeddings of known images that come with the package. They are valid for one network and one set of photographs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ddrscope.io.files import atomic_write
from ddrscope.networks import Network
from ddrscope.networks.network import weights_sha256
from ddrscope.upscaling.known_images import KnownImage

# The network whose embeddings are bundled.
BUNDLED_NETWORK = "blind-ddr"
BUNDLED_FILE = Path(__file__).resolve().parents[1] / "data" / "known_degradations.safetensors"
_FORMAT = "ddrscope known degradations 1"
_TENSOR = "embeddings"


def save_embeddings(
    network: Network, images: Sequence[KnownImage], embeddings: NDArray[np.float64], path: Path = BUNDLED_FILE
) -> None:
    """Write the embeddings (N, D) of known images, with the hashes of the network and the photographs."""
    metadata = {
        "format": _FORMAT,
        "network": weights_sha256(network.module),
        "photographs": _sha256(images),
        "images": json.dumps([[image.degradation, image.file.name] for image in images]),
    }
    with atomic_write(path) as temporary:
        save_file({_TENSOR: embeddings.astype(np.float32)}, temporary, metadata)


def load_embeddings(
    network: Network, images: Sequence[KnownImage], path: Path = BUNDLED_FILE
) -> NDArray[np.float64] | None:
    """Read the embeddings (N, D) of known images.

    Returns:
        None if the file cannot be read, lacks one of the images, or is of other weights or photographs.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = [tuple(name) for name in json.loads(metadata.get("images", "[]"))]
            embeddings = file.get_tensor(_TENSOR).astype(np.float64)
    except (OSError, SafetensorError, ValueError, TypeError):
        return None
    row_of = {name: row for row, name in enumerate(names)}
    wanted = [(image.degradation, image.file.name) for image in images]
    is_valid = (
        metadata.get("format") == _FORMAT
        and metadata.get("network") == weights_sha256(network.module)
        and row_of.keys() >= set(wanted)
        and metadata.get("photographs") == _sha256(images)
        and len(embeddings) == len(names)
    )
    return embeddings[[row_of[name] for name in wanted]] if is_valid else None


def _sha256(images: Sequence[KnownImage]) -> str:
    digest = hashlib.sha256()
    for path in sorted({str(image.file.path) for image in images}):
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()
