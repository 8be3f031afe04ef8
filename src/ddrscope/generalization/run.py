"""Networks x sets: one score each, intervals over photographs, a ranking."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.features import capture, resolve_layers
from ddrscope.generalization.grams import patch_gram
from ddrscope.generalization.patches import PatchSet, PatchSource, cut_as_they_are, cut_degraded, find_source
from ddrscope.generalization.quality import psnr_by_photo
from ddrscope.generalization.result import GeneralizationResult
from ddrscope.generalization.score import floor_score, set_coefficients
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.generalization.summary import summarize
from ddrscope.images import bundled_photos
from ddrscope.networks import Network, load_network, tell_apart
from ddrscope.progress import Progress, Silent
from ddrscope.store import atomic_write

HISTOGRAM_BINS = 101


def generalize(
    networks: str | Path | Network | Sequence[str | Path | Network],
    images: str | Path | Sequence[str | Path] = (),
    degradations: Sequence[str] = (),
    sets: Mapping[str, str | Path] | None = None,
    **options: Any,
) -> GeneralizationResult:
    """Score networks without ground truth (SRGA): how differently does each treat each set from the reference?

    ``networks`` as `analyze` takes them; ``images`` clean pictures (default: the bundled photographs) for the ``degradations``; ``sets``
    maps names to folders of small pictures. ``options`` are the other fields of `GeneralizationSettings`.
    """
    given = [networks] if isinstance(networks, str | Path | Network) else list(networks)
    settings = GeneralizationSettings(
        networks=tuple(one.name if isinstance(one, Network) else str(one) for one in given),
        images=(str(images),) if isinstance(images, str | Path) else tuple(map(str, images)),
        degradations=tuple(degradations),
        sets={name: str(folder) for name, folder in (sets or {}).items()},
        **options,
    )
    with tempfile.TemporaryDirectory(prefix="ddrscope-") as parts:
        named = {one.name: one for one in given if isinstance(one, Network)}
        return GeneralizationRun(settings, Path(parts), named=named).run()


class GeneralizationRun:
    """One run whose finished pieces, a network on a set, are kept in ``parts``: begun again, it goes on where it stopped."""

    def __init__(
        self, settings: GeneralizationSettings, parts: Path, progress: Progress | None = None, named: Mapping[str, Network] | None = None
    ) -> None:
        self.settings, self.parts = settings, parts
        self.progress = progress or Silent()
        self.named = dict(named or {})
        self.skipped: dict[str, str] = {}
        self.notes: list[str] = []

    def run(self) -> GeneralizationResult:
        """Score what is not scored yet and put the result together."""
        networks = tell_apart([self._load(spec) for spec in self.settings.networks], self.settings.networks)
        scale, channels = self._common(networks)
        layers = {one.name: self._layer(one) for one in networks}
        side = self._side(scale)
        pieces: dict[tuple[str, str], dict[str, Any]] = {}
        for name, cut in self._sets(side, scale, channels).items():
            missing = [one for one in networks if not self._part(one, name).exists()]
            made = cut() if missing else None
            for network in networks:
                if made is not None and network in missing:
                    self.progress.start(f"{network.name}, {name}", len(made[0].patches))
                    self._score_set(network, layers[network.name], *made)
                pieces[network.name, name] = _read_piece(self._part(network, name))
        return summarize(self.settings, networks, layers, pieces, self.notes, self.skipped)

    def _load(self, spec: str) -> Network:
        if spec in self.named:
            return self.named[spec]
        network = load_network(spec, global_residual=self.settings.global_residual, trust=self.settings.trust)
        network.module.to(self.settings.device)
        return network

    def _common(self, networks: list[Network]) -> tuple[int, int]:
        """The scale and the channels that all networks have."""
        for what in ("scale", "channels"):
            values = {one.name: getattr(one, what) for one in networks}
            if len(set(values.values())) > 1:
                listed = ", ".join(f"{name}: {value}" for name, value in values.items())
                raise InputError(f"the networks differ in {what} ({listed}), so their scores do not compare: run them apart")
        return networks[0].scale, networks[0].channels

    def _side(self, scale: int) -> int:
        if self.settings.patch % scale:
            near = max(scale, round(self.settings.patch / scale) * scale)
            raise InputError(f"--patch {self.settings.patch} is no multiple of the networks' scale {scale}: give {near}")
        return self.settings.patch // scale

    def _layer(self, network: Network) -> str:
        """The layer to score, checked to be image-shaped."""
        layer = self.settings.layer or network.last_hr_layer
        if layer is None:
            raise InputError(f"{network.name}: its last HR layer is not known by heart: name it with --layer (ddrscope models layers)")
        side = self._side(network.scale)
        sample = torch.zeros(1, network.channels, side, side, device=self.settings.device)
        (found,) = resolve_layers(network.module, [layer], sample, network)[:1]
        shape: list[int] = []
        capture(network.module, sample, [found], lambda _, tensor: shape.extend(tensor.shape), run=network.run)
        if len(shape) != 4:
            raise InputError(f"{network.name}, layer {found}: its tensor {tuple(shape)} is not image-shaped (B, C, H, W): choose another")
        return found

    def _sets(self, side: int, scale: int, channels: int) -> dict[str, Callable[[], tuple[PatchSet, NDArray[np.float32] | None]]]:
        """How to cut each set, the reference first; a degraded set comes with its clean patches at full size."""
        settings = self.settings
        texts = list(settings.degradations)
        if settings.reference not in [*texts, *settings.sets]:
            texts.insert(0, settings.reference)
        made: dict[str, Callable[[], tuple[PatchSet, NDArray[np.float32] | None]]] = {}
        if texts:
            for text in texts:
                parse_degradation(text).check_scale(scale)
            clean = self._source(settings.images or (str(bundled_photos()),), side, scale, channels)
            truth = cut_degraded(clean, parse_degradation("clean"), settings.patch, 1, channels, settings.seed)

            def degraded(text: str) -> tuple[PatchSet, NDArray[np.float32]]:
                return cut_degraded(clean, parse_degradation(text), side, scale, channels, settings.seed), truth.patches

            made |= {text: partial(degraded, text) for text in texts}
        for name, folder in settings.sets.items():
            made[name] = partial(self._given, name, folder, side, channels)
        return {settings.reference: made.pop(settings.reference), **made}

    def _given(self, name: str, folder: str, side: int, channels: int) -> tuple[PatchSet, None]:
        return cut_as_they_are(name, self._source((folder,), side, 1, channels), side, channels), None

    def _source(self, sources: Sequence[str], side: int, scale: int, channels: int) -> PatchSource:
        source = find_source(sources, side, scale, channels, self.settings.patches)
        self.skipped |= source.skipped
        found = sum(source.quotas)
        if found < self.settings.patches:
            self.notes.append(f"{', '.join(sources)}: {found} patches instead of {self.settings.patches}, there is no room for more.")
        if found <= self.settings.components:
            if not found and source.skipped:
                path, reason = next(iter(source.skipped.items()))
                raise InputError(f"no picture gives a patch: {path}: {reason}")
            raise InputError(
                f"{', '.join(sources)}: room for {found} patches of {side * scale} pixels, too few for "
                f"{self.settings.components} principal components: give more or larger pictures, a smaller --patch, or fewer --components"
            )
        return source

    def _part(self, network: Network, name: str) -> Path:
        # By the weights too: a checkpoint may be another one when the run is resumed.
        key = "|".join((network.name, network.sha256, name))
        return self.parts / f"{blake2b(key.encode(), digest_size=12).hexdigest()}.npz"

    def _score_set(self, network: Network, layer: str, made: PatchSet, truth: NDArray[np.float32] | None) -> None:
        settings = self.settings
        psnr: dict[str, float] = {}
        try:
            gram = patch_gram(network, layer, made.patches, settings.precision, self.parts, self.progress.advance)
            found = set_coefficients(gram, made.photos, settings.components)
        except InputError as error:
            if made.name == settings.reference:
                raise InputError(f"{network.name}, set {made.name}: {error}") from None
            # A set that cannot be scored costs its row, not the run.
            self._keep(network, made.name, {"error": str(error), "patches": len(made.patches)})
            return
        floor = floor_score(gram, made.photos, settings.components) if made.name == settings.reference else np.nan
        if truth is not None:
            psnr = psnr_by_photo(network, made.patches, truth, made.photos, settings.precision)
        assert found.values is not None
        reach = float(np.abs(found.values).max())
        counts, edges = np.histogram(found.values, bins=HISTOGRAM_BINS, range=(-reach, reach), density=True)
        arrays: dict[str, Any] = {
            "photos": np.array(found.photos),
            "sums": found.sums,
            "components": found.components,
            "patches": len(made.patches),
            "floor": floor,
            "psnr": np.array([psnr.get(photo, np.nan) for photo in found.photos]),
            "counts": counts,
            "edges": edges,
        }
        self._keep(network, made.name, arrays)

    def _keep(self, network: Network, name: str, arrays: dict[str, Any]) -> None:
        with atomic_write(self._part(network, name)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)


def _read_piece(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
