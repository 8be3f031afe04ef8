"""Identify real images whose damage is partly known, and score only what is known.

    python -m experiments.identification.real_sets PHOTOS OUT.csv --half development [--identifier FILE] [--descriptor ddr]

PHOTOS holds the folders ``real`` and ``test`` of docs/photographs.md. Each set is split in halves by a hash of the name:
rules and networks are chosen on *development*; *final* is run once, after they are committed. The two images of a pair of
``camera_noise`` stay together.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddrscope.identification import Identification, load_identifier
from ddrscope.images import bundled_photos, read_image

LIKELY = 0.5
BLURS = ("gaussian_blur", "lens_blur", "motion_blur")


@dataclass(frozen=True)
class Known:
    """What is known of the images of a set.

    Attributes:
        name: Name of the set.
        pattern: Its files, a glob below PHOTOS.
        truth: What is known, in words.
        holds: Whether an identification agrees.
        grey: Whether the images are made grey first.
        limit: Use so many files only.
    """

    name: str
    pattern: str
    truth: str
    holds: Callable[[Identification], bool]
    grey: bool = False
    limit: int = 1000


def group_is(*groups: str) -> Callable[[Identification], bool]:
    """The likeliest type is of one of these groups."""
    return lambda found: found.group in groups


def group_is_not(*groups: str) -> Callable[[Identification], bool]:
    """The likeliest type is of none of these groups."""
    return lambda found: found.group not in groups


def finds(*types: str) -> Callable[[Identification], bool]:
    """One of these types is likely, alone or beside others."""
    return lambda found: found.type in types or any(found.probabilities.get(name, 0) >= LIKELY for name in types)


SETS = (
    Known("sharp", "real/blur_triplet/*_S.jpg", "sharp", group_is_not("blur")),
    Known("defocused", "real/blur_triplet/*_F.jpg", "out of focus", group_is("blur")),
    Known("moved", "real/blur_triplet/*_M.jpg", "moved during exposure", finds("motion_blur")),
    Known("camera shot", "real/camera_noise/noisy__*", "noise of a camera at high ISO", group_is("noise")),
    Known("mean of shots", "real/camera_noise/mean__*", "no noise", group_is_not("noise")),
    Known("LIVE blur", "real/live_parrots/live_gblur*", "Gaussian blur", finds("gaussian_blur", "lens_blur")),
    Known("LIVE JPEG", "real/live_parrots/live_jpeg*", "JPEG", finds("jpeg")),
    Known("LIVE noise", "real/live_parrots/live_wn*", "white noise", group_is("noise")),
    Known("exposure", "real/exposure/*", "1.5 stops too bright or too dark", group_is("brightness", "sharpness_contrast")),
    Known("low light", "real/dicm_lowlight/*", "too dark", finds("exposure", "darken", "mean_shift")),
    Known("haze", "real/haze/*", "haze", finds("haze", "nonlinear_contrast", "linear_contrast")),
    Known("JPEG of others", "real/fbcnn_jpeg/*", "compressed once or twice as JPEG", finds("jpeg")),
    Known("RealSR HR", "real/realsr/hr/*", "a sharp photograph", group_is("clean")),
    Known("DRealSR HR", "real/drealsr/hr/*", "a sharp photograph", group_is("clean")),
    Known("grey BSD100", "test/bsd100/*", "undamaged, without colour", group_is("clean"), grey=True, limit=40),
    Known("grey bundled", "bundled", "undamaged, without colour", group_is("clean"), grey=True),
    Known("BSD100", "test/bsd100/*", "undamaged", group_is("clean"), limit=40),
    Known("Set14", "test/set14/*", "undamaged", group_is("clean")),
    Known("bundled", "bundled", "undamaged", group_is("clean")),
)  # fmt: skip


def half_of(name: str) -> str:
    """The half that a file belongs to: ``development`` or ``final``."""
    stem = name.removeprefix("noisy__").removeprefix("mean__")
    return ("development", "final")[hashlib.sha256(stem.encode()).digest()[0] % 2]


def files_of(known: Known, photos: Path, half: str) -> list[Path]:
    """The files of a set in a half; the bundled photographs and Set14 are small, and belong to both."""
    files = sorted(bundled_photos().glob("*__1.png") if known.pattern == "bundled" else photos.glob(known.pattern))
    whole = known.name in ("bundled", "grey bundled", "Set14") or half == "all"
    return [path for path in files if whole or half_of(path.name) == half][: known.limit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--half", choices=("development", "final", "all"), required=True)
    parser.add_argument("--identifier", type=Path)
    parser.add_argument("--descriptor", default="compact")
    arguments = parser.parse_args()
    identifier = load_identifier(arguments.identifier, descriptor=arguments.descriptor)
    rows = []
    for known in SETS:
        right = []
        for path in files_of(known, arguments.photos, arguments.half):
            found = identifier.identify(_pixels(path, known.grey))
            right.append(known.holds(found))
            rows.append([known.name, path.name, known.truth, int(right[-1]), found.type, str(found)])
        print(f"{known.name}: {sum(right)} of {len(right)} ({known.truth})", flush=True)
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "file", "known", "right", "type", "verdict"])
        writer.writerows(rows)


def _pixels(path: Path, grey: bool) -> NDArray[np.float32]:
    pixels = read_image(path).pixels
    return np.repeat(read_image(path, channels=1).pixels, 3, axis=2) if grey else pixels


if __name__ == "__main__":
    main()
