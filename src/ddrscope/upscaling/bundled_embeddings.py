"""Embeddings of known degradation that come with the package: valid for the weights and the photographs that they were computed of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ddrscope.images import ImageFile
from ddrscope.io.files import atomic_write
from ddrscope.networks import Network
from ddrscope.networks.network import weights_sha256

# The network whose embeddings are in the package.
MAPPED_NETWORK = "blind-ddr"
PACKAGED = Path(__file__).resolve().parents[1] / "data" / "known_degradation.safetensors"
FORMAT = "ddrscope known degradation 1"


def save_embeddings(
    network: Network, shown: Sequence[tuple[str, ImageFile]], embedded: NDArray[np.float64], path: Path = PACKAGED
) -> None:
    """Write the embeddings (N, D) of degraded photographs, each a degradation and a file, with the hashes that they are valid for."""
    metadata = {
        "format": FORMAT,
        "network": weights_sha256(network.module),
        "photographs": _sha256([file for _, file in shown]),
        "images": json.dumps([[text, file.name] for text, file in shown]),
    }
    with atomic_write(path) as temporary:
        save_file({"embedded": embedded.astype(np.float32)}, temporary, metadata)


def packaged_embeddings(
    network: Network, shown: Sequence[tuple[str, ImageFile]], path: Path = PACKAGED
) -> NDArray[np.float64] | None:
    """The embeddings (N, D) in the file at ``path``; None where it has not all of them, or those of other weights or photographs."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            images = [tuple(image) for image in json.loads(metadata.get("images", "[]"))]
            embedded = file.get_tensor("embedded").astype(np.float64)
    except (OSError, SafetensorError, ValueError, TypeError):
        return None
    row = {image: index for index, image in enumerate(images)}
    wanted = [(text, file.name) for text, file in shown]
    if (
        metadata.get("format") != FORMAT
        or metadata.get("network") != weights_sha256(network.module)
        or not row.keys() >= set(wanted)
    ):
        return None
    if metadata.get("photographs") != _sha256([file for _, file in shown]) or len(embedded) != len(images):
        return None
    return embedded[[row[image] for image in wanted]]


def _sha256(files: Sequence[ImageFile]) -> str:
    digest = hashlib.sha256()
    for path in sorted({str(file.path) for file in files}):
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()
