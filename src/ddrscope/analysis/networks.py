"""The networks and checkpoints of an analysis: loading, identity, and what the result says about them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any

from torch import Tensor

from ddrscope.analysis.layer_choice import layer_size
from ddrscope.analysis.result import OUTPUTS
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.batch.inputs import image_inputs
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from ddrscope.io.files import sha256
from ddrscope.io.paths import expand
from ddrscope.io.run_directory import PARTS
from ddrscope.networks import Network, disambiguate_names, load_network
from ddrscope.networks.network import weights_sha256
from ddrscope.results.analyzed_networks import NetworkSummary


def load_networks(networks: Sequence[str | Network], settings: AnalysisSettings) -> list[Network]:
    """The networks of an analysis, those that share a name renamed to what was given.

    Args:
        networks: Names, paths, ``module:function`` texts, or loaded networks, which stay on their device.
        settings: How to load them.
    """
    loaded = [
        _with_hash(network) if isinstance(network, Network) else load_as_asked(network, settings)
        for network in networks
    ]
    return disambiguate_names(loaded, settings.networks)


def load_as_asked(spec: str, settings: AnalysisSettings) -> Network:
    """The network of a name, path or ``module:function`` text, on the device of the settings."""
    network = load_network(spec, global_residual=settings.global_residual, allow_torchscript=settings.allow_torchscript)
    return network.to(settings.device)


def checkpoint_files(pattern: str) -> list[Path]:
    """The files that match a glob; numbers in their names are ordered as numbers.

    Raises:
        InputError: No file matches.
    """
    pattern = expand(pattern)
    paths = [Path(path) for path in glob(pattern, recursive=True) if Path(path).is_file()]
    if not paths:
        raise InputError(f"`checkpoints`: no file matches {pattern}: check the path and quote the glob")
    return sorted(
        paths, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]
    )


def input_hashes(settings: AnalysisSettings, networks: Sequence[Network], out: Path) -> dict[str, Any]:
    """The inputs of an analysis by SHA-256, as JSON values under the names of its settings.

    Images below the outputs of the run in ``out`` do not count.
    """
    outputs = [out / name for name in (PARTS, *OUTPUTS)]
    images = settings.images or (bundled_photos(),)
    return {
        "networks": [network.identity() for network in networks],
        "images": image_inputs(images, settings.limit, outputs) if settings.degradations else {},
        "sets": {name: image_inputs([source], settings.limit, outputs) for name, source in settings.sets.items()},
        "checkpoints": {
            name: {path.name: sha256(path) for path in checkpoint_files(pattern)}
            for name, pattern in settings.checkpoints.items()
        },
    }


def summarize(network: Network, last_hr_layer: str, sample: Tensor) -> NetworkSummary:
    """What the result says about a network.

    Args:
        network: The network.
        last_hr_layer: Its last HR layer, as it is analysed.
        sample: An input batch, for a trial run.
    """
    return NetworkSummary(
        name=network.name,
        architecture=network.architecture,
        scale=network.scale,
        channels=network.channels,
        global_residual=network.global_residual,
        parameters=network.parameters,
        sha256=network.sha256,
        notes=network.notes,
        last_hr_layer=last_hr_layer,
        last_hr_layer_size=layer_size(network, last_hr_layer, sample),
    )


def _with_hash(network: Network) -> Network:
    """A network that somebody built may lack the hash by which a resumed run knows it."""
    return network if network.sha256 else dataclasses.replace(network, sha256=weights_sha256(network.module))
