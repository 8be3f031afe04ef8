"""An analysis: every network and control is measured at every layer, and the result is put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ddrscope.analysis.grams import network_grams, pixel_grams
from ddrscope.analysis.input_rows import InputRows
from ddrscope.analysis.layer_choice import choose_layers
from ddrscope.analysis.layers import LayerMeter
from ddrscope.analysis.networks import checkpoint_files, load_as_asked, summarize
from ddrscope.analysis.parts import MeasuredNetwork, Part
from ddrscope.analysis.read_inputs import read_inputs
from ddrscope.analysis.result import AnalysisResult
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.analysis.verdicts import comparisons, verdicts
from ddrscope.io.manifest import manifest
from ddrscope.metrics.layer_measures import content_groups
from ddrscope.networks import Network, reinitialized_copy
from ddrscope.progress import Progress
from ddrscope.results.analysis import EMBEDDING_COLUMNS
from ddrscope.results.analyzed_networks import AnalyzedNetwork, Checkpoint, CheckpointSeries, Control
from ddrscope.results.skipped import SkippedImage


class AnalysisRun:
    """One analysis, whose intermediate results are kept in a folder.

    Args:
        settings: The settings.
        networks: The networks of the settings, loaded, each with a name of its own.
        parts: The folder of intermediate results; a run with the same settings continues from them.
        threads: Layers that are measured at the same time.
        progress: Receives progress updates.
    """

    def __init__(
        self,
        settings: AnalysisSettings,
        networks: Sequence[Network],
        parts: Path,
        threads: int,
        progress: Progress,
    ) -> None:
        self.settings = settings
        self.networks = networks
        self.parts = parts
        self.threads = threads
        self.progress = progress
        self._inputs: dict[tuple[int, int], InputRows] = {}
        # The first network of each scale and number of channels: pixel controls are listed under it.
        self._first: dict[tuple[int, int], str] = {}
        self._planes: list[pd.DataFrame] = []
        self._notes: list[str] = []

    def run(self) -> AnalysisResult:
        """Compute what is missing and put the result together."""
        # A misspelt glob or name must fail before hours of work.
        known = (*(network.name for network in self.networks), *self.settings.networks, *self.settings.checkpoints)
        self.settings.check_names(dict.fromkeys(known))
        paths = {name: checkpoint_files(pattern) for name, pattern in self.settings.checkpoints.items()}
        for network in self.networks:
            self._inputs_of(network)
        entries: list[AnalyzedNetwork] = []
        controls: list[Control] = []
        for index, network in enumerate(self.networks):
            entry, of_network = self._analyze(network, index)
            entries.append(entry)
            controls += of_network
        series = tuple(self._series(name, files, index) for index, (name, files) in enumerate(paths.items()))
        controls += [self._pixels(*key) for key in self._inputs]
        return self._result(tuple(entries), tuple(controls), series)

    def _inputs_of(self, network: Network) -> InputRows:
        key = (network.scale, network.channels)
        if key not in self._inputs:
            self.progress.start(f"images for x{network.scale}", 0)
            self._inputs[key] = read_inputs(self.settings, *key, step=self.progress.advance)
            self._first[key] = network.name
        return self._inputs[key]

    def _meter(self, inputs: InputRows) -> LayerMeter:
        return LayerMeter.of(inputs, self.settings.content, self.settings.seed, self.threads)

    def _analyze(self, network: Network, index: int) -> tuple[AnalyzedNetwork, list[Control]]:
        """A network, and its controls of random weights and shuffled labels."""
        names = (network.name, self.settings.networks[index])
        sample = self._inputs_of(network).sample()
        layers = choose_layers(
            network,
            self.settings.layers_of(names),
            sample,
            self.settings.output_layer_of(names),
        )
        seeds = [self.settings.seed + offset for offset in range(self.settings.tsne_seeds)]
        measured = self._measured(network, layers, f"network-{index}", dict.fromkeys(layers, seeds))
        self._keep_planes(measured, network.name, "")
        shuffled = Control(f"{network.name} (shuffled labels)", "shuffled_labels", network.name, measured.shuffled)

        copy = reinitialized_copy(network, self.settings.seed)
        # One plane is enough to see that random weights show nothing.
        measured_copy = self._measured(copy, layers, f"network-{index}-random", {layers[-1]: [self.settings.seed]})
        self._keep_planes(measured_copy, network.name, "random_weights")
        random = Control(
            copy.name, "random_weights", network.name, measured_copy.layers, summarize(copy, layers[-1], sample)
        )
        return AnalyzedNetwork(summarize(network, layers[-1], sample), measured.layers), [random, shuffled]

    def _measured(
        self, network: Network, layers: list[str], name: str, plane_seeds: dict[str, list[int]]
    ) -> MeasuredNetwork:
        """Some layers of a network, measured or read from the parts, with t-SNE planes of the seeds of each layer."""
        inputs = self._inputs_of(network)
        part = Part(self.parts, name, network, inputs)
        if kept := part.load():
            return kept
        grams = part.load_grams()
        if grams is None:
            self.progress.start(f"features of {network.name}", len(inputs.rows))
            grams = network_grams(network, layers, inputs, self.settings, self.parts, self.progress.advance)
            part.save_grams(grams)
        self.progress.start(f"measures of {network.name}", len(grams))
        layers_measured = self._meter(inputs).measure(
            grams, lambda gram: plane_seeds.get(gram.layer, []), self.progress.advance
        )
        measured = MeasuredNetwork.of(layers_measured, inputs)
        part.save(measured)
        return measured

    def _pixels(self, scale: int, channels: int) -> Control:
        """The pixels that enter the networks of one scale and number of channels."""
        inputs = self._inputs[scale, channels]
        grams = pixel_grams(inputs, self.settings.views)
        self.progress.start("measures of pixels", len(grams))
        layers = self._meter(inputs).measure(grams, lambda _: [self.settings.seed], self.progress.advance)
        measured = MeasuredNetwork.of(layers, inputs)
        first = self._first[scale, channels]
        self._keep_planes(measured, first, "pixels")
        return Control(f"pixels (x{scale})", "pixels", first, measured.layers)

    def _series(self, name: str, files: list[Path], index: int) -> CheckpointSeries:
        """The last HR layer of each checkpoint of a training."""
        checkpoints = []
        for path in files:
            network = load_as_asked(str(path), self.settings)
            sample, output_layer = self._inputs_of(network).sample(), self.settings.output_layer_of((name,))
            layers = choose_layers(network, (), sample, output_layer)
            measured = self._measured(network, layers, f"series-{index}", {})
            checkpoints.append(Checkpoint(path.stem, str(path), measured.layers))
        return CheckpointSeries(name, tuple(checkpoints))

    def _keep_planes(self, measured: MeasuredNetwork, network: str, control: str) -> None:
        self._planes.append(measured.points.assign(network=network, control=control))
        if control != "pixels":
            self._notes += [note for note in measured.notes if note not in self._notes]

    def _result(
        self, networks: tuple[AnalyzedNetwork, ...], controls: tuple[Control, ...], series: tuple[CheckpointSeries, ...]
    ) -> AnalysisResult:
        inputs = next(iter(self._inputs.values()))
        design = inputs.design
        skipped = {path: reason for rows in self._inputs.values() for path, reason in rows.skipped.items()}
        settings = self.settings.to_dict()
        groups = content_groups(design, self.settings.content)
        return AnalysisResult(
            images=len(set(design.images.tolist())),
            photos=len(set(design.photos.tolist())),
            groups=tuple(dict.fromkeys(design.groups.tolist())),
            balanced=design.balanced,
            content=self.settings.content,
            content_groups=groups,
            skipped=tuple(SkippedImage(path, reason) for path, reason in skipped.items()),
            notes=tuple(self._all_notes(inputs)),
            networks=networks,
            controls=controls,
            series=series,
            verdicts=verdicts(networks, controls, design.balanced, groups),
            comparisons=comparisons(networks, design.balanced),
            settings=settings,
            manifest=manifest(settings) | {"networks": {entry.name: entry.summary.sha256 for entry in networks}},
            embedding=pd.concat(self._planes, ignore_index=True)[list(EMBEDDING_COLUMNS)],
            thumbnails=inputs.thumbnails(),
        )

    def _all_notes(self, inputs: InputRows) -> list[str]:
        notes = list(self._notes)
        if not inputs.design.balanced:
            notes.append(
                "The groups do not contain the same images, so degradation and content cannot be separated: "
                "shares and p-values are left out."
            )
        notes += inputs.photograph_notes(self.settings.photo_from)
        return notes + list(dict.fromkeys(note for rows in self._inputs.values() for note in rows.notes))
