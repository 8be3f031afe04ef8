"""`ddrscope fit-identifier`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.batch.finished_file import check_finished, manifest_of, parts_of
from ddrscope.batch.inputs import image_inputs
from ddrscope.cli import common
from ddrscope.degradations.distortions import DISTORTIONS, Distortion, read_distortions
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.identification import Descriptor, save_identifier
from ddrscope.identification.descriptor import default_poolings
from ddrscope.identification.fit import FOLDS, describe_samples, fit_identifier
from ddrscope.identification.labelled_images import Distorter, Sample, labelled_samples
from ddrscope.identification.tiles import TILE
from ddrscope.images.photographs import FOLDER, NAME, RULES, check_photo_from
from ddrscope.io.files import remove_stale_temp_files, sha256, write_json
from ddrscope.io.manifest import manifest
from ddrscope.io.run_directory import RunDirectory
from ddrscope.networks import load_network

HELP = """Fit an identifier to your own photographs, distortions or labelled images.

Clean photographs (--images) are distorted by the suite of 24 distortions, or by those of --distortions, a TOML file:

\b
  [[distortion]]
  name = "scanner"
  group = "blur"
  levels = ["blur:1", "blur:1.5", "blur:2", "blur:3", "blur:4+noise:5"]     # 1 slight to 5 strong

--labelled takes images as they are, from folders DIR/TYPE/ or DIR/TYPE/LEVEL/, with clean ones in DIR/clean/.
--out FILE.safetensors is what `ddrscope identify --identifier FILE` reads.

\b
Examples:
  ddrscope fit-identifier --images photos --out mine.safetensors
  ddrscope fit-identifier --labelled scans --out scans.safetensors
  ddrscope fit-identifier --images photos --distortions mine.toml --labelled more --out both.safetensors --resume
"""


def command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="FILE.safetensors.")],
    images: Annotated[
        list[str] | None, typer.Option("--images", metavar="DIR", help="Clean photographs, no smaller than --side.")
    ] = None,
    labelled: Annotated[
        Path | None, typer.Option("--labelled", metavar="DIR", help="Images in folders that name their degradation.")
    ] = None,
    distortions: Annotated[
        Path | None,
        typer.Option("--distortions", metavar="FILE", help="Distortions as TOML. Default: the suite of 24."),
    ] = None,
    network: Annotated[str, typer.Option("--network", help="Whose features describe the images.")] = "srgan-wgr",
    side: Annotated[
        int, typer.Option("--side", help="Side of the regions of the photographs in pixels.", min=64)
    ] = TILE,
    repeats: Annotated[int, typer.Option("--repeats", help="Regions of each photograph for each level.", min=1)] = 2,
    pairs: Annotated[int, typer.Option("--pairs", help="Regions of each photograph with two distortions.", min=0)] = 16,
    photo_from: common.PhotoFrom = "prefix",
    clean_share: Annotated[
        float,
        typer.Option("--clean-share", help="Share of clean images to expect when identifying.", min=0.01, max=0.99),
    ] = 0.5,
    resume: common.Resume = False,
    overwrite: common.Overwrite = False,
    seed: common.Seed = 0,
    device: common.Device = "auto",
    precision: common.Precision = "float32",
    threads: common.Threads = 0,
    as_json: common.AsJson = False,
) -> None:
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: identifiers are written as .safetensors")
    if not images and not labelled:
        raise InputError("nothing to fit to: give --images (clean photographs), --labelled, or both")
    if out.exists() and not (overwrite or resume):
        raise InputError(f"{out} exists: give --overwrite to replace it, --resume to keep it, or another --out")
    photo_from = check_photo_from(photo_from)
    if labelled and photo_from == FOLDER:
        raise InputError(
            "--labelled DIR has a folder for each degradation, so --photo-from folder tells no photographs: give name or exif"
        )
    common.use_threads(threads)
    known = read_distortions(distortions) if distortions else DISTORTIONS
    samples, groups = _samples(images or [], labelled, known, side, repeats, pairs, seed, photo_from)
    photographs = sorted({sample.photo for sample in samples})
    if len(photographs) < FOLDS:
        raise InputError(
            f"the images count as {len(photographs)} photograph(s) {RULES[photo_from]}, and {FOLDS} or more are needed: give more, or, "
            f"if each image is a photograph of its own, --photo-from {NAME}"
        )
    about = {"photographs": photographs, "images": len(samples), "seed": seed}
    loaded = load_network(network).to(resolve_device(device))
    settings = {
        "distortions": {one.name: [one.group, *map(str, one.levels)] for one in known}, "side": side, "repeats": repeats, "pairs": pairs,
        "clean_share": clean_share, "precision": precision, "seed": seed,
    }  # fmt: skip
    inputs = {
        "network": loaded.identity(), "images": image_inputs(images) if images else {},
        "labelled": image_inputs([labelled]) if labelled else {},
    }  # fmt: skip
    # Where pieces are left too, it died between writing the file and deleting them.
    if out.exists() and resume and not overwrite and not parts_of(out).exists():
        check_finished(out, settings | inputs)
        common.say(f"{out} is there and was fitted to these images: nothing to do")
        return
    descriptor = Descriptor(loaded, default_poolings(loaded), precision)  # type: ignore[arg-type]
    with RunDirectory(parts_of(out), settings, resume, overwrite, inputs) as parts:
        remove_stale_temp_files((out, manifest_of(out)))
        with common.progress() as bars:
            bars.start("describing images", len(samples))
            table = describe_samples(samples, descriptor.describe, parts.parts, bars.advance)
        about["tiles"] = len(table.images)
        fitted = fit_identifier(samples, table, descriptor, groups, about, clean_share=clean_share, seed=seed)
        save_identifier(out, fitted)
        write_json(manifest_of(out), manifest(settings, inputs) | {"sha256": sha256(out)})
        parts.discard()
    if as_json:
        common.print_json({"out": str(out), "types": list(groups)} | about)
    common.say(f"{out}: {len(groups)} types, fitted to {len(samples)} images of {len(photographs)} photographs")


command.__doc__ = HELP


def _samples(
    images: list[str],
    labelled: Path | None,
    known: tuple[Distortion, ...],
    side: int,
    repeats: int,
    pairs: int,
    seed: int,
    photo_from: str,
) -> tuple[list[Sample], dict[str, str]]:
    samples: list[Sample] = []
    groups: dict[str, str] = {}
    if images:
        distorter = Distorter(images, side, known, seed, photo_from)
        samples += [*distorter.every_level(repeats), *distorter.pairs(pairs)]
        groups = {distortion.name: distortion.group for distortion in known}
    if labelled:
        found = labelled_samples(labelled, photo_from)
        named = {distortion.name: distortion.group for distortion in DISTORTIONS}
        for sample in found:
            groups |= {name: groups.get(name, named.get(name, name)) for name in sample.levels}
        samples += found
    if not any(not sample.levels for sample in samples):
        raise InputError(f"{labelled} has no clean images: put some into {labelled}/clean, or give --images")
    return samples, groups
