"""The content that a run reads: weights and images, by SHA-256."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddrscope.batch.inputs import image_inputs
from ddrscope.generalization.networks import ScoredNetwork
from ddrscope.generalization.result import OUTPUTS
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.images import bundled_photos
from ddrscope.io.run_directory import PARTS


def output_paths(out: Path) -> list[Path]:
    """The files and folders that a run writes into ``out``, which are none of its images."""
    return [out / name for name in (PARTS, *OUTPUTS)]


def input_hashes(settings: GeneralizationSettings, networks: Sequence[ScoredNetwork], out: Path) -> dict[str, Any]:
    """Hash what a run reads, for its manifest.

    Args:
        settings: Settings of the run.
        networks: The networks.
        out: Folder of the run, whose own images are left out.

    Returns:
        The content for each of the settings ``networks``, ``images`` and ``sets``, as JSON values.
    """
    outputs = output_paths(out)
    images = settings.images or (bundled_photos(),)
    return {
        "networks": [network.network.identity() for network in networks],
        "images": image_inputs(images, outputs=outputs) if settings.degraded_sets else {},
        "sets": {name: image_inputs([source], outputs=outputs) for name, source in settings.sets.items()},
    }
