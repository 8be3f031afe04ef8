"""Scoring networks on sets, in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.generalization.measurement import measure
from ddrscope.generalization.networks import ScoredNetwork, load_networks
from ddrscope.generalization.patches import PatchCutter, PatchSet
from ddrscope.generalization.plan import SetPlan
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.progress import NullProgress, Progress

# The index of a network, and the name of a set.
Job = tuple[int, str]


@dataclass(frozen=True)
class ScoringTask:
    """What a worker on another machine needs to score networks on sets."""

    settings: GeneralizationSettings
    plan: SetPlan

    def open(self) -> ScoringWorker:
        """Load the networks."""
        cutter = PatchCutter(self.plan, DecodedImages(self.plan.channels))
        return ScoringWorker(self.settings, load_networks(self.settings.networks, self.settings), cutter)


class ScoringWorker:
    """Measures networks on sets, one job after the other; one set is in memory at a time.

    Args:
        settings: Settings of the run.
        networks: The networks.
        cutter: Cuts the patches.
        folder: Folder for temporary files. Default: the system's.
        progress: Where progress is reported.
    """

    def __init__(
        self,
        settings: GeneralizationSettings,
        networks: Sequence[ScoredNetwork],
        cutter: PatchCutter,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings, self.networks, self.cutter = settings, networks, cutter
        self.folder, self.progress = folder, progress or NullProgress()
        self._current: PatchSet | None = None

    def __call__(self, job: Job) -> bytes:
        """Do a job; returns the `Measurement` as bytes."""
        number, name = job
        if self._current is None or self._current.name != name:
            # Released first, so that two sets are never in memory.
            self._current = None
            self._current = self.cutter.load(name)
        network = self.networks[number]
        self.progress.start(f"{network.name}, {name}", len(self._current.patches))
        return measure(network, self._current, self.settings, self.folder, self.progress.advance).to_bytes()
