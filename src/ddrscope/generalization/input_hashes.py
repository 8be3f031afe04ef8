"""What goes into a generalization run besides its settings: weights and images, by their content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddrscope.batch.inputs import image_inputs
from ddrscope.generalization.result import OUTPUTS
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.images import bundled_photos
from ddrscope.io.run_directory import PARTS
from ddrscope.networks import Network


def generalization_inputs(settings: GeneralizationSettings, networks: Sequence[Network], out: Path) -> dict[str, Any]:
    """The networks, images and sets of a run that writes into ``out``; each stands for the setting of its name."""
    ours = [out / name for name in (PARTS, *OUTPUTS)]
    return {
        "networks": [network.identity() for network in networks],
        "images": image_inputs(settings.images or (bundled_photos(),), outputs=ours) if settings.texts() else {},
        "sets": {name: image_inputs([source], outputs=ours) for name, source in settings.sets.items()},
    }
