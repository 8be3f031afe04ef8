"""The table of photographs, `photos.csv`: where each comes from, how it is reduced, which split it belongs to, the hash of its pixels."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from ddrscope.errors import InputError

TABLE = Path(__file__).with_name("photos.csv")
# Networks and the identifier are fitted to these; the bundled weights to those of tier A only.
FITTING = ("train", "val", "train_b", "gallery", "snapshots")
# Results are measured on these.
MEASURING = ("test", "whole", "trial", "set5", "set14", "bsd100", "classes", "real")
TIERS = {"A": "may train what ships", "B": "for measuring and experiments only"}


@dataclass(frozen=True)
class Photograph:
    """A row of the table.

    ``file`` is the path in the set, its first folder the ``split``. ``source`` is ``github:OWNER/NAME``, ``debian:PACKAGE`` or
    ``pypi:PROJECT``, ``version`` the commit or the package's version, ``path`` the file in it (``FILE#N``: the Nth image inside FILE).
    ``copy`` is the file below a folder of local copies, and ``copy_steps`` is how that copy was made of the source; ``steps`` is what
    is done to the copy (`photos.pixels.reduce`). ``sha256`` is that of the decoded pixels of the result. A photograph with
    ``duplicate_of`` is a near-duplicate of that file and is left out.
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
    """All rows; raises `InputError` where the file is not such a table."""
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
