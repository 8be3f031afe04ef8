"""`ddrscope fit-identifier`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ddrscope.cli import common

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
        Path | None, typer.Option("--labelled", metavar="DIR", help="Images in folders that name their distortion.")
    ] = None,
    distortions: Annotated[
        Path | None,
        typer.Option("--distortions", metavar="FILE", help="Distortions as TOML. Default: the suite of 24."),
    ] = None,
    network: Annotated[
        str,
        typer.Option(
            "--network",
            help="Whose features describe the images: compact (that of the bundled identifier) or a super-resolution network.",
        ),
    ] = "compact",
    side: Annotated[
        int, typer.Option("--side", help="Side of the regions of the photographs in pixels.", min=64)
    ] = 128,
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
    from ddrscope.identification.fit import fit_identifier

    with common.progress() as bars:
        fitted = fit_identifier(
            images or (), out=out, labelled=labelled, distortions=distortions, network=network, side=side,
            repeats=repeats, pairs=pairs, photo_from=photo_from, clean_share=clean_share, resume=resume,
            overwrite=overwrite, seed=seed, device=device, precision=precision, threads=threads, progress=bars,
        )  # fmt: skip
    about, types = fitted.about, fitted.names[1:]
    if as_json:
        common.print_json({"out": str(out), "types": list(types)} | dict(about))
    common.say(
        f"{out}: {len(types)} types, fitted to {about['images']} images of {len(about['photographs'])} photographs"
    )


command.__doc__ = HELP
