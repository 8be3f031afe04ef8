"""The table of photographs, `photographs.csv`: the source of each, its reduction, its split, and the hash of its pixels."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from ddrscope.errors import InputError

TABLE = Path(__file__).with_name("photographs.csv")
# Networks and the identifier are fitted to these splits; bundled weights only to photographs of tier A.
FITTING = ("train", "val", "train_b", "gallery", "snapshots")
# Results are measured on these splits.
MEASURING = ("test", "whole", "trial", "set5", "set14", "bsd100", "classes", "real")
TIERS = {"A": "bundled weights may be trained on it", "B": "for evaluation and experiments only"}


@dataclass(frozen=True)
class Photograph:
    """A row of the table.

    Attributes:
        file: path in the set; its first folder is the split.
        split: one of `FITTING` or `MEASURING`.
        tier: a key of `TIERS`.
        licence: as the source states it.
        source: ``github:OWNER/NAME``, ``debian:PACKAGE`` or ``pypi:PROJECT``.
        version: the commit, or the version of the package.
        path: the file in the source; ``FILE#N`` is the Nth image in FILE.
        copy: the file in a folder of local copies.
        copy_steps: the steps that made that copy from the source (`scripts.photographs.pixels.reduce`).
        steps: the steps that are applied to the copy.
        sha256: hash of the decoded pixels of the result.
        duplicate_of: the file that this photograph is a near-duplicate of; if given, the photograph is excluded.
    """

    file: str
    split: str
    tier: str
    licence: str
    source: str
    version: str
    path: str
    copy: str
    copy_steps: str
    steps: str
    sha256: str
    duplicate_of: str


COLUMNS = tuple(field.name for field in fields(Photograph))


def read_table(path: Path = TABLE) -> list[Photograph]:
    """All rows of the table.

    Raises:
        InputError: the file has other columns.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError(f"{path}: the columns must be {', '.join(COLUMNS)}")
        rows = []
        for line, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise InputError(f"{path}: line {line} does not have {len(COLUMNS)} columns")
            rows.append(Photograph(**row))
    return rows
