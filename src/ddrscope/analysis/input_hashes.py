"""What goes into an analysis besides its settings: weights and images, by their content."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any

from ddrscope.analysis.result import OUTPUTS
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.batch.inputs import image_inputs
from ddrscope.images import bundled_photos
from ddrscope.io.files import is_file, sha256
from ddrscope.io.run_directory import PARTS
from ddrscope.networks import Network


def analysis_inputs(settings: AnalysisSettings, networks: Sequence[Network], out: Path) -> dict[str, Any]:
    """The networks, images, sets and checkpoints of an analysis that writes into ``out``; each stands for the setting of its name."""
    ours = [out / name for name in (PARTS, *OUTPUTS)]
    images = settings.images or (bundled_photos(),)
    checkpoints = {name: sorted(map(Path, glob(pattern))) for name, pattern in settings.series.items()}
    return {
        "networks": [network.identity() for network in networks],
        "images": image_inputs(images, settings.limit, ours) if settings.degradations else {},
        "sets": {name: image_inputs([source], settings.limit, ours) for name, source in settings.sets.items()},
        "series": {
            name: {path.name: sha256(path) for path in paths if is_file(path)} for name, paths in checkpoints.items()
        },
    }
