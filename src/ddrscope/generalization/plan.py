"""The sets of a run: which patches of which images, chosen before any patch is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.generalization.networks import input_side
from ddrscope.generalization.settings import GeneralizationSettings
from ddrscope.generalization.sources import (
    PatchSource,
    ScannedSource,
    choose_patches,
    common_images,
    group_by_images,
    scan_source,
)
from ddrscope.images import bundled_photos, photograph_notes
from ddrscope.results.skipped import SkippedImage

# The key of the clean images among the names of the sets, none of which is empty.
_CLEAN_IMAGES = ""


@dataclass(frozen=True)
class SetPlan:
    """Where the patches of each set come from.

    Args:
        side: Side of a patch at the input of the networks.
        scale: Factor by which the networks enlarge, and clean images are shrunk.
        channels: Channels of the networks.
        seed: Seed of the degradations.
        reference: Name of the reference set.
        degradations: The sets that are made by degrading ``clean``.
        clean: The clean images. None if there are no such sets.
        given: The sets of images that are degraded already.
        notes: What to know about the choice of images.
        skipped: Images that were left out.
    """

    side: int
    scale: int
    channels: int
    seed: int
    reference: str
    degradations: tuple[str, ...]
    clean: PatchSource | None
    given: Mapping[str, PatchSource]
    notes: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]

    @property
    def set_names(self) -> tuple[str, ...]:
        """The names of the sets, the reference first."""
        return tuple(dict.fromkeys((self.reference, *self.degradations, *self.given)))


def plan_sets(
    settings: GeneralizationSettings, scale: int, channels: int, images: DecodedImages, outputs: Sequence[Path] = ()
) -> SetPlan:
    """Choose the patches of every set.

    Sets that show the same images take the same patches of the same images; images that one of them lacks are left out.

    Args:
        settings: Settings of the run.
        scale: Factor by which the networks enlarge.
        channels: Channels of the networks.
        images: Reads the images; every image is read once.
        outputs: Files and folders that the run writes, whose images are left out.

    Raises:
        InputError: A degradation cannot be combined with the scale, or a set has too few patches.
    """
    side = input_side(settings, scale)
    for text in settings.degraded_sets:
        parse_degradation(text).check_scale(scale)
    inputs: dict[str, Sequence[str]] = {name: (folder,) for name, folder in settings.sets.items()}
    if settings.degraded_sets:
        inputs = {_CLEAN_IMAGES: settings.images or (str(bundled_photos()),)} | inputs
    scanned = {
        name: scan_source(paths, side, scale if name == _CLEAN_IMAGES else 1, images, settings.photo_from, outputs)
        for name, paths in inputs.items()
    }
    reference = settings.reference if settings.reference in settings.sets else _CLEAN_IMAGES
    sources: dict[str, PatchSource] = {}
    notes: list[str] = []
    for group in group_by_images(scanned):
        names = common_images([scanned[name] for name in group])
        notes += _notes_on_images(group, scanned, names)
        if reference not in group:
            notes.append(
                f"{_listed(group)}: other images than those of the reference, so the score includes the difference in content."
            )
        for name in group:
            sources[name] = choose_patches(scanned[name], names, settings.patches)
        paths = [path for name in group for path in inputs[name]]
        source_side = side * (scale if group[0] == _CLEAN_IMAGES else 1)
        notes += _check_count(settings, paths, sources[group[0]], scanned[group[0]], source_side)
    skipped = {path: reason for source in scanned.values() for path, reason in source.skipped.items()}
    return SetPlan(
        side=side,
        scale=scale,
        channels=channels,
        seed=settings.seed,
        reference=settings.reference,
        degradations=settings.degraded_sets,
        clean=sources.get(_CLEAN_IMAGES),
        given={name: sources[name] for name in settings.sets},
        notes=tuple(notes),
        skipped=tuple(SkippedImage(path, reason) for path, reason in skipped.items()),
    )


def _notes_on_images(group: Sequence[str], scanned: Mapping[str, ScannedSource], common: Sequence[str]) -> list[str]:
    left_out = sorted({key for name in group for key in scanned[name].files} - set(common))
    if not left_out:
        return []
    more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    return [
        f"{', '.join(left_out[:3])}{more}: not in each of {_listed(group)}, or not with as many patches, so left out of all of them."
    ]


def _check_count(
    settings: GeneralizationSettings, paths: Sequence[str], source: PatchSource, scanned: ScannedSource, side: int
) -> list[str]:
    """Notes on the number of patches and photographs; raises `InputError` if there are too few patches."""
    count, listed = source.patches, ", ".join(paths)
    if count <= settings.components:
        if not count and scanned.skipped:
            path, reason = next(iter(scanned.skipped.items()))
            raise InputError(f"no image can be used: {path}: {reason}")
        common = " in the images that all of them have" if len(paths) > 1 else ""
        raise InputError(
            f"{listed}: {count} patches of {side} pixels fit{common}, too few for {settings.components} principal components: "
            "give more or larger images, a smaller `patch`, or fewer `components`"
        )
    notes = []
    if count < settings.patches:
        notes.append(f"{listed}: {count} patches instead of {settings.patches}, since no more fit.")
    photos = {file.name: file.photo for file in source.files}
    return notes + [f"{listed}: {note}" for note in photograph_notes(photos, settings.photo_from)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name or "the clean images" for name in names)
