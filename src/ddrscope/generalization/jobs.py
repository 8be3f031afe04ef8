"""The networks and the sets of a run, and its pieces: what is measured of one network on one set."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.features import capture, resolve_layers
from ddrscope.generalization.grams import patch_gram
from ddrscope.generalization.patches import (
    PatchSet,
    PatchSource,
    ScannedSource,
    choose_patches,
    common_images,
    cut_as_they_are,
    cut_degraded,
    group_by_images,
    scan_source,
)
from ddrscope.generalization.quality import psnr_by_photo
from ddrscope.generalization.score import floor_score, set_coefficients
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.images import bundled_photos, photograph_notes
from ddrscope.networks import Network, disambiguate_names, load_network
from ddrscope.progress import NullProgress, Progress

HISTOGRAM_BINS = 101
# The images that are degraded here, among the sets' names, none of which is empty.
IMAGES = ""
# The number of a network, and the name of a set.
Piece = tuple[int, str]


@dataclass(frozen=True)
class ScoringTask:
    """What a worker on another machine must be told to make pieces of a run."""

    settings: GeneralizationSettings

    def open(self) -> ScoringWorker:
        """Load the networks and find the images."""
        return ScoringWorker(self.settings)


class ScoringWorker:
    """Loads and checks the networks, finds the images of every set, and makes pieces.

    ``named`` are networks in memory, by the names that the settings give them; features that must be spilled lie in ``folder`` meanwhile.
    ``sets`` are their names, the reference first; ``skipped`` and ``notes`` say what was wrong with the images.
    """

    def __init__(
        self,
        settings: GeneralizationSettings,
        named: Mapping[str, Network] | None = None,
        folder: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings, self.folder, self.progress = settings, folder, progress or NullProgress()
        self.named = dict(named or {})
        self.skipped: dict[str, str] = {}
        self.notes: list[str] = []
        self.networks = disambiguate_names([self._load(spec) for spec in settings.networks], settings.networks)
        self.notes += [f"{one.name}: {note}" for one in self.networks for note in one.notes]
        scale, channels = self._common(self.networks)
        self.layers = {one.name: self._layer(one) for one in self.networks}
        self._cuts = self._sets(self._side(scale), scale, channels)
        self.sets = tuple(self._cuts)
        self._cut: tuple[str, tuple[PatchSet, NDArray[np.float32] | None]] | None = None

    def __call__(self, piece: Piece) -> bytes:
        """The arrays of a piece as the bytes of an ``.npz`` file."""
        number, name = piece
        if self._cut is None or self._cut[0] != name:
            # Only one set is held at a time.
            self._cut = None
            self._cut = name, self._cuts[name]()
        network, (patches, truth) = self.networks[number], self._cut[1]
        self.progress.start(f"{network.name}, {name}", len(patches.patches))
        stream = io.BytesIO()
        np.savez(stream, **self._measured(network, patches, truth))
        return stream.getvalue()

    def _load(self, spec: str) -> Network:
        if spec in self.named:
            return self.named[spec]
        settings = self.settings
        return load_network(
            spec, global_residual=settings.global_residual, allow_torchscript=settings.allow_torchscript
        ).to(settings.device)

    def _common(self, networks: list[Network]) -> tuple[int, int]:
        """The scale and the channels that all networks have."""
        for what in ("scale", "channels"):
            values = {one.name: getattr(one, what) for one in networks}
            if len(set(values.values())) > 1:
                listed = ", ".join(f"{name}: {value}" for name, value in values.items())
                raise InputError(
                    f"the networks differ in {what} ({listed}), so their scores do not compare: run them apart"
                )
        return networks[0].scale, networks[0].channels

    def _side(self, scale: int) -> int:
        if self.settings.patch % scale:
            near = max(scale, round(self.settings.patch / scale) * scale)
            raise InputError(
                f"--patch {self.settings.patch} is no multiple of the networks' scale {scale}: give {near}"
            )
        return self.settings.patch // scale

    def _layer(self, network: Network) -> str:
        """The layer to score, checked to be image-shaped."""
        layer = self.settings.layer or network.last_hr_layer
        if layer is None:
            raise InputError(
                f"{network.name}: its last HR layer is not known by heart: name it with --layer (ddrscope models layers)"
            )
        side = self._side(network.scale)
        sample = torch.zeros(1, network.channels, side, side, device=self.settings.device)
        (found,) = resolve_layers(network.module, [layer], sample, network)[:1]
        shape: list[int] = []
        capture(network.module, sample, [found], lambda _, tensor: shape.extend(tensor.shape), run=network.run)
        if len(shape) != 4:
            raise InputError(
                f"{network.name}, layer {found}: its tensor {tuple(shape)} is not image-shaped (B, C, H, W): choose another"
            )
        return found

    def _sets(
        self, side: int, scale: int, channels: int
    ) -> dict[str, Callable[[], tuple[PatchSet, NDArray[np.float32] | None]]]:
        """How to cut each set, the reference first; a degraded set comes with its clean patches at full size."""
        settings = self.settings
        texts = settings.texts()
        for text in texts:
            parse_degradation(text).check_scale(scale)
        sources = self._sources(side, scale, channels)
        made: dict[str, Callable[[], tuple[PatchSet, NDArray[np.float32] | None]]] = {}
        if texts:
            clean = sources.pop(IMAGES)
            truth = cut_degraded(clean, parse_degradation("clean"), settings.patch, 1, channels, settings.seed)

            def degraded(text: str) -> tuple[PatchSet, NDArray[np.float32]]:
                return cut_degraded(clean, parse_degradation(text), side, scale, channels, settings.seed), truth.patches

            made |= {text: partial(degraded, text) for text in texts}
        for name, source in sources.items():
            made[name] = partial(self._given, name, source, side, channels)
        return {settings.reference: made.pop(settings.reference), **made}

    def _given(self, name: str, source: PatchSource, side: int, channels: int) -> tuple[PatchSet, None]:
        return cut_as_they_are(name, source, side, channels), None

    def _sources(self, side: int, scale: int, channels: int) -> dict[str, PatchSource]:
        """The patches of the clean images (`IMAGES`) and of each set; sets of the same images take the same patches of the same of them."""
        settings = self.settings
        given: dict[str, Sequence[str]] = {name: (folder,) for name, folder in settings.sets.items()}
        scanned: dict[str, ScannedSource] = {}
        if settings.texts():
            images = settings.images or (str(bundled_photos()),)
            scanned[IMAGES], given[IMAGES] = scan_source(images, side, scale, channels, settings.photo_from), images
        scanned |= {
            name: scan_source((folder,), side, 1, channels, settings.photo_from)
            for name, folder in settings.sets.items()
        }
        for one in scanned.values():
            self.skipped |= one.skipped
        reference = settings.reference if settings.reference in settings.sets else IMAGES
        chosen: dict[str, PatchSource] = {}
        for group in group_by_images(scanned):
            names = common_images([scanned[name] for name in group])
            self._note_left_out(group, sorted({key for name in group for key in scanned[name].files} - {*names}))
            if reference not in group:
                self.notes.append(
                    f"{_listed(group)}: other images than those of the reference, so a score holds their difference too."
                )
            for name in group:
                chosen[name] = choose_patches(scanned[name], names, settings.patches)
            paths = [path for name in group for path in given[name]]
            self._check_count(paths, chosen[group[0]], side * (scale if group[0] == IMAGES else 1))
        return {name: chosen[name] for name in scanned}

    def _note_left_out(self, group: Sequence[str], names: Sequence[str]) -> None:
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self.notes.append(
                f"{', '.join(names[:3])}{more}: not in each of {_listed(group)}, or not with as many patches, so left out of all of them."
            )

    def _check_count(self, sources: Sequence[str], source: PatchSource, side: int) -> None:
        settings, found = self.settings, sum(source.quotas)
        photos = {file.name: file.photo for file, quota in zip(source.files, source.quotas, strict=True) if quota}
        if found < settings.patches:
            self.notes.append(
                f"{', '.join(sources)}: {found} patches instead of {settings.patches}, there is no room for more."
            )
        if found <= settings.components:
            if not found and source.skipped:
                path, reason = next(iter(source.skipped.items()))
                raise InputError(f"no image gives a patch: {path}: {reason}")
            common = " in the images that all of them have" if len(sources) > 1 else ""
            raise InputError(
                f"{', '.join(sources)}: room for {found} patches of {side} pixels{common}, too few for "
                f"{settings.components} principal components: give more or larger images, a smaller --patch, or fewer --components"
            )
        self.notes += [f"{', '.join(sources)}: {note}" for note in photograph_notes(photos, settings.photo_from)]

    def _measured(self, network: Network, made: PatchSet, truth: NDArray[np.float32] | None) -> dict[str, Any]:
        settings, layer = self.settings, self.layers[network.name]
        psnr: dict[str, float] = {}
        try:
            gram = patch_gram(network, layer, made.patches, settings.precision, self.folder, self.progress.advance)
            found = set_coefficients(gram, made.photos, settings.components)
            if truth is not None:
                psnr = psnr_by_photo(network, made.patches, truth, made.photos, settings.precision)
        except InputError as error:
            if made.name == settings.reference:
                raise InputError(f"{network.name}, set {made.name}: {error}") from None
            # A set that cannot be scored costs its row, not the run.
            return {"error": str(error), "patches": len(made.patches)}
        floor = floor_score(gram, made.photos, settings.components) if made.name == settings.reference else np.nan
        assert found.values is not None
        reach = float(np.abs(found.values).max())
        counts, edges = np.histogram(found.values, bins=HISTOGRAM_BINS, range=(-reach, reach), density=True)
        return {
            "photos": np.array(found.photos),
            "sums": found.sums,
            "components": found.components,
            "patches": len(made.patches),
            "floor": floor,
            "psnr": np.array([psnr.get(photo, np.nan) for photo in found.photos]),
            "counts": counts,
            "edges": edges,
        }


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name or "the clean images" for name in names)
