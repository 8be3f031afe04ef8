"""The main job: networks x images x degradations, measured at every layer, with controls."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from glob import glob
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd

from ddrscope.analysis.grams import LayerGram, choose_layers, load_grams, network_grams, pixel_grams, save_grams
from ddrscope.analysis.input_rows import Samples, make_samples
from ddrscope.analysis.layers import MeasuredLayer, measure_layers
from ddrscope.analysis.result import EMBEDDING_COLUMNS, AnalysisResult
from ddrscope.analysis.settings import DEFAULT_DEGRADATIONS, DEFAULT_NETWORKS, AnalysisSettings, as_texts
from ddrscope.analysis.verdicts import comparisons, verdicts
from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write
from ddrscope.io.manifest import manifest
from ddrscope.io.paths import expand
from ddrscope.networks import Network, disambiguate_names, load_network, reinitialized_copy
from ddrscope.progress import NullProgress, Progress


def analyze(
    networks: str | Path | Network | Sequence[str | Path | Network] = DEFAULT_NETWORKS,
    images: str | Path | Sequence[str | Path] = (),
    degradations: Sequence[str] | None = None,
    sets: Mapping[str, str | Path] | None = None,
    *,
    threads: int = 1,
    **options: Any,
) -> AnalysisResult:
    """Analyse networks: do their features gather by degradation or by content, at which layer, how sure?

    ``networks`` are names, paths, ``module:function`` texts or `Network` objects; ``images`` folders, globs, lists or files (default: the
    bundled photographs); ``degradations`` texts as ``blur:4`` (default: clean, blur:4, noise:20; none when only ``sets`` are given);
    ``sets`` maps names to folders of images that are degraded already. ``options`` are the other fields of `AnalysisSettings`.

    Examples:
        >>> result = analyze("srresnet-wgr", degradations=["clean", "blur:4"], limit=6, crop=64, tsne_seeds=1, layers=())
        >>> result.layer("srresnet-wgr", "flattened")["k"]
        2
    """
    given = [networks] if isinstance(networks, str | Path | Network) else list(networks)
    named = {network.name: network for network in given if isinstance(network, Network)}
    if degradations is None:
        degradations = () if sets else DEFAULT_DEGRADATIONS
    settings = AnalysisSettings(
        networks=tuple(network.name if isinstance(network, Network) else str(network) for network in given),
        images=as_texts(images),
        sets={name: str(folder) for name, folder in (sets or {}).items()},
        degradations=tuple(degradations),
        **options,
    )
    with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
        return Analysis(settings, Path(parts), threads, named=named).run()


class Analysis:
    """One analysis whose finished pieces are kept in ``parts``: begun again with the same settings, it goes on where it stopped."""

    def __init__(
        self,
        settings: AnalysisSettings,
        parts: Path,
        threads: int = 1,
        progress: Progress | None = None,
        named: Mapping[str, Network] | None = None,
    ) -> None:
        self.settings = settings
        self.parts = parts
        self.threads = threads
        self.progress = progress or NullProgress()
        self.named = dict(named or {})
        self.samples: dict[tuple[int, int], Samples] = {}
        self.first_of: dict[tuple[int, int], str] = {}
        self.notes: list[str] = []
        self.embeddings: list[pd.DataFrame] = []

    def run(self) -> AnalysisResult:
        """Do what is not done yet and put the result together."""
        settings = self.settings
        networks = disambiguate_names([self._load(spec) for spec in settings.networks], settings.networks)
        series = {name: _checkpoints(expand(pattern)) for name, pattern in settings.series.items()}
        for network in networks:
            self._samples(network)
        entries, controls = [], []
        for index, network in enumerate(networks):
            layers = choose_layers(network, settings.layers, self._samples(network).sample())
            entry, shuffled = self._measure(network, layers, f"network-{index}", network.name)
            entries.append(entry)
            twin = reinitialized_copy(network, settings.seed)
            twin_entry, _ = self._measure(twin, layers, f"network-{index}-random", network.name, "random_weights")
            controls += [twin_entry | {"network": network.name}, shuffled]
        lines = [self._series(name, paths, index) for index, (name, paths) in enumerate(series.items())]
        controls += self._pixel_controls()
        return self._result(entries, controls, lines)

    def _load(self, spec: str) -> Network:
        if spec in self.named:
            return self.named[spec]
        settings = self.settings
        return load_network(
            spec, global_residual=settings.global_residual, allow_torchscript=settings.allow_torchscript
        ).to(settings.device)

    def _samples(self, network: Network) -> Samples:
        key = (network.scale, network.channels)
        if key not in self.samples:
            self.progress.start(f"images for x{network.scale}", 0)
            self.first_of[key] = network.name
            self.samples[key] = make_samples(self.settings, *key, step=lambda _: self.progress.advance())
        return self.samples[key]

    def _measure(
        self, network: Network, layers: list[str], piece: str, asked: str, control: str = ""
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The entry of a network (or of its random twin) and of its shuffled labels, from the kept piece where there is one."""
        kept_entry, kept_points, kept_grams = (self._part(piece, network, kind) for kind in ("json", "parquet", "npz"))
        if kept_entry.exists() and kept_points.exists():
            self.embeddings.append(pd.read_parquet(kept_points))
            entry, shuffled, notes = _read_numbers(kept_entry)
        else:
            samples = self._samples(network)
            grams = self._grams(network, layers, samples, kept_grams)
            measured = self._measure_grams(grams, samples, network.name, last_only=bool(control))
            points = _points(measured, grams, samples, asked, control)
            notes = _plane_notes(measured)
            entry = _entry(network) | {"layers": [layer.row for layer in measured]}
            if control:
                entry["kind"] = control
            shuffled = {
                "name": f"{asked} (shuffled labels)",
                "kind": "shuffled_labels",
                "network": asked,
                "layers": [layer.shuffled for layer in measured],
            }
            with atomic_write(kept_points) as temporary:
                points.to_parquet(temporary, index=False)
            _write_numbers(kept_entry, [entry, shuffled, notes])
            kept_grams.unlink(missing_ok=True)
            self.embeddings.append(points)
        self.notes += [note for note in notes if note not in self.notes]
        return entry, shuffled

    def _part(self, piece: str, network: Network, kind: str) -> Path:
        # By weights and images too: either may be others when the run is resumed.
        key = f"{network.sha256}|{self._samples(network).sha256}"
        return self.parts / f"{piece}.{blake2b(key.encode(), digest_size=8).hexdigest()}.{kind}"

    def _grams(self, network: Network, layers: list[str], samples: Samples, kept: Path) -> list[LayerGram]:
        if kept.exists():
            return load_grams(kept)
        self.progress.start(f"features of {network.name}", len(samples.rows))
        grams = network_grams(network, layers, samples, self.settings, self.parts, self.progress.advance)
        save_grams(kept, grams)
        return grams

    def _measure_grams(
        self, grams: list[LayerGram], samples: Samples, name: str, last_only: bool = False
    ) -> list[MeasuredLayer]:
        """Measures with planes of every layer, or, ``last_only``, with one plane of the last layer (a control's plane)."""

        def plane_seeds(gram: LayerGram) -> list[int]:
            if last_only:
                return [self.settings.seed] if gram.layer == grams[-1].layer else []
            return [self.settings.seed + index for index in range(self.settings.tsne_seeds)]

        self.progress.start(f"measures of {name}", len(grams))
        settings = self.settings
        return measure_layers(
            grams, samples, settings.content, settings.seed, plane_seeds, self.threads, self.progress.advance
        )

    def _pixel_controls(self) -> list[dict[str, Any]]:
        """The pixels that enter the networks, once for each scale and number of channels."""
        controls = []
        for (scale, channels), samples in self.samples.items():
            network = self.first_of[scale, channels]
            grams = pixel_grams(samples, self.settings.views)
            measured = self._measure_grams(grams, samples, "pixels", last_only=True)
            self.embeddings.append(_points(measured, grams, samples, network, "pixels"))
            controls.append(
                {
                    "name": f"pixels (x{scale})",
                    "kind": "pixels",
                    "network": network,
                    "layers": [layer.row for layer in measured],
                }
            )
        return controls

    def _series(self, name: str, paths: list[Path], index: int) -> dict[str, Any]:
        """The last HR layer of each of a user's own checkpoints."""
        checkpoints = []
        for path in paths:
            network = self._load(str(path))
            samples = self._samples(network)
            kept = self._part(f"series-{index}", network, "json")
            if not kept.exists():
                layers = choose_layers(network, (), samples.sample())
                self.progress.start(f"features of {path.name}", len(samples.rows))
                grams = network_grams(network, layers, samples, self.settings, self.parts, self.progress.advance)
                settings = self.settings
                measured = measure_layers(grams, samples, settings.content, settings.seed, lambda _: [], self.threads)
                _write_numbers(kept, [layer.row for layer in measured])
            checkpoints.append({"label": path.stem, "path": str(path), "layers": _read_numbers(kept)})
        return {"name": name, "checkpoints": checkpoints}

    def _result(
        self, entries: list[dict[str, Any]], controls: list[dict[str, Any]], series: list[dict[str, Any]]
    ) -> AnalysisResult:
        samples = next(iter(self.samples.values()))
        design = samples.design
        if not design.balanced:
            self.notes.append(
                "The groups do not hold the same images, so degradation and content cannot be told apart: shares and p-values are left out."
            )
        self.notes += samples.photograph_notes(self.settings.photo_from)
        self.notes += dict.fromkeys(note for kept in self.samples.values() for note in kept.notes)
        skipped = {path: reason for kept in self.samples.values() for path, reason in kept.skipped.items()}
        settings = self.settings.to_dict()
        data = {
            "images": len(set(design.images.tolist())),
            "photos": len(set(design.photos.tolist())),
            "groups": list(dict.fromkeys(design.groups.tolist())),
            "balanced": design.balanced,
            "content": self.settings.content,
            "skipped": [{"path": path, "reason": reason} for path, reason in skipped.items()],
            "notes": self.notes,
            "networks": entries,
            "controls": controls,
            "series": series,
            "verdicts": verdicts(entries, controls, design.balanced),
            "comparisons": comparisons(entries, design.balanced),
            "settings": settings,
            "manifest": manifest(settings) | {"networks": {entry["name"]: entry["sha256"] for entry in entries}},
        }
        embedding = pd.concat(self.embeddings, ignore_index=True)[list(EMBEDDING_COLUMNS)]
        return AnalysisResult(data, embedding, samples.thumbnails())


def _entry(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "architecture": network.architecture,
        "scale": network.scale,
        "channels": network.channels,
        "global_residual": network.global_residual,
        "parameters": network.parameters,
        "sha256": network.sha256,
        "notes": list(network.notes),
    }


def _points(
    measured: list[MeasuredLayer], grams: list[LayerGram], samples: Samples, network: str, control: str
) -> pd.DataFrame:
    labels = samples.labels()
    frames = [
        labels.assign(
            network=network,
            layer=gram.layer,
            view=gram.view,
            control=control,
            seed=seed,
            x=plane[:, 0].astype("float32"),
            y=plane[:, 1].astype("float32"),
        )
        for layer, gram in zip(measured, grams, strict=True)
        for seed, plane in layer.planes.items()
    ]
    return pd.concat(frames, ignore_index=True)[list(EMBEDDING_COLUMNS)]


def _plane_notes(measured: list[MeasuredLayer]) -> list[str]:
    return sorted({f"t-SNE: {layer.adapted}." for layer in measured if layer.adapted})


def _write_numbers(path: Path, value: Any) -> None:
    """Keep measures as they are, NaN and infinity too: a resumed run must see what an unbroken one does."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value), encoding="utf-8")


def _read_numbers(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _checkpoints(pattern: str) -> list[Path]:
    """The files of a glob, numbers in their names counted as numbers."""
    paths = [Path(path) for path in glob(pattern, recursive=True) if Path(path).is_file()]
    if not paths:
        raise InputError(f"--series: no file matches {pattern}: check the path and quote the glob")
    return sorted(
        paths, key=lambda path: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]
    )
