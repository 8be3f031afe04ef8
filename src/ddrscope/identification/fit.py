"""Fitting an identifier to photographs, distortions and labelled images: the public function."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ddrscope.batch.inputs import image_inputs
from ddrscope.batch.output_files import check_finished, manifest_path, parts_path, resumable_manifest
from ddrscope.degradations.distortions import DISTORTIONS, Distortion, read_distortions
from ddrscope.errors import InputError, RunConflictError
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import resolve_precision
from ddrscope.features.threads import torch_threads
from ddrscope.identification.compact import TrunkDescriptor
from ddrscope.identification.descriptor import Descriptor, default_poolings
from ddrscope.identification.files import COMPACT, bundled_identifier, load_identifier, save_identifier
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.labelled_images import DistortionSampler, LabelledImage, read_labelled_folder
from ddrscope.identification.tile_descriptors import describe_images, fit_to_images
from ddrscope.identification.tiles import TILE
from ddrscope.images.photographs import FOLDER, NAME, PHOTO_RULES, check_photo_from
from ddrscope.io.files import remove_stale_temp_files, sha256, write_json
from ddrscope.io.manifest import manifest
from ddrscope.io.paths import expand_path
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import load_network
from ddrscope.progress import NullProgress, Progress

_logger = logging.getLogger("ddrscope")
SUFFIX = ".safetensors"
# Groups of photographs that are held out in turn, for calibration.
FOLDS = 4


@dataclass(frozen=True)
class FitSettings:
    """What an identifier is fitted to; the arguments are those of `fit_identifier`."""

    images: tuple[str | Path, ...]
    labelled: Path | None
    distortions: tuple[Distortion, ...]
    side: int
    repeats: int
    pairs: int
    photo_from: str
    clean_share: float
    precision: str
    seed: int

    def identity(self) -> dict[str, Any]:
        """What decides, with the inputs, whether two runs are the same, with the keys of the manifest."""
        return {
            "distortions": {each.name: [each.group, *map(str, each.levels)] for each in self.distortions},
            "side": self.side, "repeats": self.repeats, "pairs": self.pairs, "clean_share": self.clean_share,
            "precision": self.precision, "seed": self.seed,
        }  # fmt: skip

    def inputs(self, descriptor: Descriptor | TrunkDescriptor) -> dict[str, Any]:
        """The network and the images, by SHA-256."""
        if isinstance(descriptor, TrunkDescriptor):
            network = {"sha256": sha256(bundled_identifier(COMPACT))}
        else:
            network = dict(descriptor.network.identity())
        return {
            "network": network,
            "images": image_inputs(self.images) if self.images else {},
            "labelled": image_inputs([self.labelled]) if self.labelled else {},
        }

    def labelled_images(self) -> tuple[list[LabelledImage], dict[str, str]]:
        """The images to fit to, and the group of each type.

        Raises:
            InputError: There is no clean image, or there are too few photographs.
        """
        listed: list[LabelledImage] = []
        groups: dict[str, str] = {}
        if self.images:
            sampler = DistortionSampler(self.images, self.side, self.distortions, self.seed, self.photo_from)
            listed += [*sampler.every_level(self.repeats), *sampler.pairs(self.pairs)]
            groups = {distortion.name: distortion.group for distortion in self.distortions}
        if self.labelled:
            known = {distortion.name: distortion.group for distortion in DISTORTIONS}
            labelled = read_labelled_folder(self.labelled, self.photo_from)
            for image in labelled:
                groups |= {name: groups.get(name, known.get(name, name)) for name in image.levels}
            listed += labelled
        if all(image.levels for image in listed):
            raise InputError(
                f"{self.labelled} has no clean images: put some into {self.labelled}/clean, or give `images`"
            )
        photos = {image.photo for image in listed}
        if len(photos) < FOLDS:
            raise InputError(
                f"the images count as {len(photos)} photograph(s) {PHOTO_RULES[self.photo_from]}, and {FOLDS} or more are "
                f"needed: give more, or, if each image is a photograph of its own, `photo_from`={NAME}"
            )
        return listed, groups


def fit_identifier(
    images: str | Path | Sequence[str | Path] = (),
    *,
    out: str | Path | None = None,
    labelled: str | Path | None = None,
    distortions: str | Path | Sequence[Distortion] | None = None,
    network: str | Path = COMPACT,
    side: int = TILE,
    repeats: int = 2,
    pairs: int = 16,
    photo_from: str = "prefix",
    clean_share: float = 0.5,
    resume: bool = False,
    overwrite: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "float32",
    threads: int = 0,
    progress: Progress | None = None,
) -> ImageIdentifier:
    """Fit an identifier to photographs that are distorted here, to labelled images, or to both.

    Args:
        images: Clean photographs, no smaller than ``side``: folders, globs, lists (.txt) or files.
        out: The file to write, .safetensors, which `identify` and `load_identifier` take. Descriptors are kept while the
            run lasts, so that it can be resumed. Default: the identifier is only in memory.
        labelled: A folder of images that are taken as they are, in ``TYPE/`` or ``TYPE/LEVEL/``, clean ones in ``clean/``.
        distortions: What is done to the photographs, or a TOML file of such. Default: the suite of 24 distortions.
        network: Whose features describe the images: ``compact``, that of the bundled identifier; or a super-resolution
            network, by name or checkpoint, as ``srgan-wgr``.
        side: Of the regions of the photographs in pixels, 64 or more.
        repeats: Regions of each photograph for each distortion and level.
        pairs: Regions of each photograph with two distortions.
        photo_from: What images of one photograph share: ``prefix`` (the name up to a double underscore), ``name``,
            ``folder`` or ``exif``.
        clean_share: The share of clean images to expect when identifying, 0 to 1.
        resume: Continue an interrupted run; start if there is none.
        overwrite: Replace an earlier ``out``.
        seed: Of every random number.
        device: Where the network runs: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``mps`` ...
        precision: ``float32``, ``bfloat16``, or ``auto``: bfloat16 where it is faster.
        threads: Processor threads; 0 for all.
        progress: Shows how far the work is.

    Returns:
        The identifier. Its ``about`` says what it was fitted to.

    Raises:
        InputError: There are no images, no clean ones, or fewer than 4 photographs; or a parameter is not usable.
        RunConflictError: ``out`` exists and neither ``resume`` nor ``overwrite`` is given, or it is of another run.

    Examples:
        >>> identifier = ddrscope.fit_identifier("photos", out="mine.safetensors", resume=True)
        >>> ddrscope.fit_identifier(labelled="scans").names
        ('clean', 'dust', 'scratches')
    """
    sources = (images,) if isinstance(images, str | Path) else tuple(images)
    if not sources and not labelled:
        raise InputError("nothing to fit to: give `images` (clean photographs), `labelled`, or both")
    out = _check_out(expand_path(out), resume, overwrite) if out else None
    device = resolve_device(device)
    settings = FitSettings(
        sources,
        expand_path(labelled) if labelled else None,
        _distortions(distortions),
        side=side,
        repeats=repeats,
        pairs=pairs,
        photo_from=_photo_from(photo_from, bool(labelled)),
        clean_share=clean_share,
        precision=resolve_precision(
            precision, torch.device(device), resumable_manifest(out) if out and resume else None
        ),
        seed=seed,
    )
    progress = progress or NullProgress()
    with torch_threads(threads):
        if out is None:
            with tempfile.TemporaryDirectory(prefix="ddrscope-") as folder:
                return _fit(settings, _descriptor(network, device, settings), Path(folder), progress)
        descriptor = _descriptor(network, device, settings)
        identity, inputs = settings.identity(), settings.inputs(descriptor)
        # With parts left, it was killed between writing the file and deleting them.
        if out.exists() and not overwrite and not parts_path(out).exists():
            check_finished(out, identity | inputs)
            _logger.info("%s is complete and fitted to these images: nothing to do", out)
            return load_identifier(out, device, settings.precision)
        with RunDirectory(parts_path(out), identity, (), inputs=inputs, resume=resume, overwrite=overwrite) as run:
            remove_stale_temp_files((out, manifest_path(out)))
            fitted = _fit(settings, descriptor, run.parts, progress)
            save_identifier(out, fitted)
            write_json(manifest_path(out), manifest(identity, inputs) | {"sha256": sha256(out)})
            run.discard()
    # As it is in the file, whose weights are rounded to float16.
    return load_identifier(out, device, settings.precision)


def _descriptor(network: str | Path, device: str, settings: FitSettings) -> Descriptor | TrunkDescriptor:
    """What describes the tiles."""
    if network == COMPACT:
        return load_identifier(None, device, settings.precision, COMPACT).descriptor
    loaded = load_network(str(network)).to(device)
    return Descriptor(loaded, default_poolings(loaded), settings.precision)  # type: ignore[arg-type]


def _fit(
    settings: FitSettings, descriptor: Descriptor | TrunkDescriptor, folder: Path, progress: Progress
) -> ImageIdentifier:
    """Describe the images, keeping descriptors in ``folder``, and fit to them."""
    listed, groups = settings.labelled_images()
    progress.start("describing images", len(listed))
    tiles = describe_images(listed, descriptor.describe, folder, progress.advance)
    progress.start("fitting", 0)
    identifier = DistortionIdentifier(
        tuple(groups), parts=descriptor.widths(), folds=FOLDS, clean_share=settings.clean_share, seed=settings.seed
    )
    about = {
        "photographs": sorted({image.photo for image in listed}),
        "images": len(listed),
        "seed": settings.seed,
        "tiles": len(tiles.images),
    }
    return ImageIdentifier(descriptor, fit_to_images(identifier, listed, tiles), groups, about)


def _check_out(out: Path, resume: bool, overwrite: bool) -> Path:
    if out.suffix != SUFFIX:
        raise InputError(f"`out`={out}: identifiers are written as {SUFFIX}")
    if out.exists() and not (overwrite or resume):
        raise RunConflictError(
            f"{out} exists: give `overwrite`=True to replace it, `resume`=True to keep it, or another `out`"
        )
    return out


def _photo_from(rule: str, labelled: bool) -> str:
    rule = check_photo_from(rule)
    if labelled and rule == FOLDER:
        raise InputError(
            "`labelled` has a folder for each distortion, so `photo_from`=folder does not tell photographs apart: "
            "give name or exif"
        )
    return rule


def _distortions(given: str | Path | Sequence[Distortion] | None) -> tuple[Distortion, ...]:
    if given is None:
        return DISTORTIONS
    return read_distortions(Path(given)) if isinstance(given, str | Path) else tuple(given)
