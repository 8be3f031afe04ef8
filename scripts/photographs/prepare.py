"""Prepare the photographs that networks are trained and evaluated on, as `photographs.csv` lists them.

    python -m scripts.photographs.prepare PACKAGES OUT [--copies DIR] [--only SPLIT ...] [--crops]

PACKAGES holds the Debian packages that the Makefile names, unpacked but not installed (`apt-get download NAME && dpkg -x NAME_*.deb
PACKAGES`). Photographs of public repositories are fetched with git at pinned commits and kept in PACKAGES/repositories; with --copies
they are read from a folder of local copies instead. The pixels of every photograph are checked against the table. Near-duplicates
between splits and near-duplicates of the bundled photographs are removed. OUT receives one folder of PNG files per split, and
`manifest.csv`, which lists the valid photographs.

After an interruption run the same command again: valid files are kept. The exit status is 1 if a photograph is missing; the others are
written nevertheless.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from ddrscope.errors import InputError, printable
from ddrscope.images import bundled_photos
from scripts.photographs.build import (
    MANIFEST,
    Preparation,
    Source,
    check_present,
    make,
    remove_near_duplicates,
    write_manifest,
)
from scripts.photographs.crops import find_crops
from scripts.photographs.packages import Packages
from scripts.photographs.repositories import Copies, Repositories
from scripts.photographs.table import FITTING, MEASURING, TABLE, Photograph, read_table

ERRORS = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
T = TypeVar("T")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, metavar="PACKAGES")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--copies", type=Path, metavar="DIR", help="local copies of the photographs of public repositories"
    )
    parser.add_argument(
        "--repositories", default="https://github.com", metavar="URL", help="what comes before OWNER/NAME (%(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=FITTING + MEASURING, metavar="SPLIT", help=f"of {', '.join(FITTING + MEASURING)}"
    )
    parser.add_argument(
        "--crops", action="store_true", help="search the bundled crops inside of the photographs too; ten minutes"
    )
    parser.add_argument("--table", type=Path, default=TABLE, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the set. Returns 0 if it is complete, 1 if photographs are missing, 2 for bad usage."""
    options = parse(arguments)
    if options.copies:
        options.copies = options.copies.expanduser()
    try:
        if options.copies and not options.copies.is_dir():
            raise InputError(
                f"{options.copies}: no such folder; give the folder of the local copies, or omit --copies to fetch the repositories"
            )
        return prepare(options)
    except InputError as error:
        ERRORS.print(f"Error: {error}")
        return 2
    except OSError as error:
        ERRORS.print(
            f"Error: cannot write to {options.out} ({printable(str(error))}): correct that and run the same command again"
        )
        return 1
    except KeyboardInterrupt:
        ERRORS.print("Interrupted: run the same command again to continue")
        return 130


def prepare(options: argparse.Namespace) -> int:
    table = read_table(options.table)
    photographs = [photograph for photograph in table if not photograph.duplicate_of]
    preparation = Preparation()
    missing = check_present(_tracked(photographs, "checking files"), options.out, preparation)
    kept = len(preparation.present)
    if options.only:
        missing = [photograph for photograph in missing if photograph.split in options.only]
    for photograph in table:
        if photograph.duplicate_of:
            # A file of an older run.
            (options.out / photograph.file).unlink(missing_ok=True)
    packages = Packages(options.packages)
    fetched: Source
    if options.copies:
        fetched = Copies(options.copies)
    else:
        wanted = [photograph for photograph in missing if photograph.source.startswith("github:")]
        fetched = Repositories(options.repositories, options.packages / "repositories", wanted, ERRORS.print)

    def source_of(photograph: Photograph) -> Source:
        return fetched if photograph.source.startswith("github:") else packages

    missing.sort(key=lambda photograph: (photograph.source, photograph.file))
    make(_tracked(missing, "preparing photographs"), options.out, source_of, preparation)
    bundled = sorted(bundled_photos().glob("*.png"))
    pairs = remove_near_duplicates(photographs, bundled, options.out, preparation)
    for first, second, pair in pairs:
        outcome = {None: "both kept", pair.first: f"{first} removed", pair.second: f"{second} removed"}[pair.removed]
        print(f"near-duplicates, {pair.distance} bits apart: {first} and {second}; {outcome}")
    excluded = sum(bool(photograph.duplicate_of) for photograph in table)
    removed = len({pair.removed for _, _, pair in pairs} - {None})
    print(f"{excluded + removed} near-duplicates excluded: {excluded} named in the table, {removed} found now")
    if options.crops:
        print_crops(photographs, bundled, options.out, preparation)
    count = write_manifest(photographs, options.out, preparation)
    splits = Counter(photograph.split for photograph in photographs if photograph.file in preparation.present)
    print(f"{count} photographs listed in {options.out / MANIFEST}, {preparation.written} written and {kept} kept:")
    print(", ".join(f"{split} {number}" for split, number in splits.items()))
    others = unlisted(photographs, options.out)
    if others:
        print(
            f"{options.out} also contains {others[0]} and {len(others) - 1} more files that are not in the table: they are kept"
        )
    for line in preparation.complaints():
        ERRORS.print(f"missing: {line}")
    return 1 if preparation.failed else 0


def unlisted(photographs: Sequence[Photograph], out: Path) -> list[str]:
    """Files in the folders of the set that are not in the table: a training would read them too."""
    folders = {Path(photograph.file).parent for photograph in photographs}
    files = {
        path.relative_to(out).as_posix()
        for folder in folders
        for path in (out / folder).glob("[!.]*")
        if path.is_file()
    }
    return sorted(files - {photograph.file for photograph in photographs})


def print_crops(
    photographs: Sequence[Photograph], bundled: Sequence[Path], out: Path, preparation: Preparation
) -> None:
    # The split `whole` holds the photographs that the crops were cut from.
    paths = [out / row.file for row in photographs if row.file in preparation.present and row.split != "whole"]
    matches = find_crops(bundled, _tracked(paths, "searching bundled crops"))
    for match in matches:
        print(
            f"{match.crop.name} may be part of {match.image}: correlation {match.correlation:.2f}, {match.side:.0f} pixels wide there"
        )
    print(f"bundled crops found in {len(paths)} photographs: {len(matches)}")


def _tracked(items: Sequence[T], what: str) -> Iterable[T]:
    return track(items, what, console=ERRORS, disable=not ERRORS.is_terminal)


if __name__ == "__main__":
    sys.exit(main())
