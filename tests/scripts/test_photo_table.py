"""The table of the photographs that networks are trained and judged on."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from ddrscope.errors import InputError
from scenes import scene
from scripts.photographs.pixels import reduce
from scripts.photographs.table import FITTING, MEASURING, TABLE, TIERS, Photograph, read_table

ROWS = read_table()
USED = [row for row in ROWS if not row.duplicate_of]


def stem(row: Photograph) -> str:
    return PurePosixPath(row.copy).stem


def test_every_row_is_well_formed() -> None:
    for row in ROWS:
        parts = PurePosixPath(row.file).parts
        assert parts[0] == row.split and row.split in FITTING + MEASURING and row.file.endswith(".png"), row
        assert ".." not in (*parts, *PurePosixPath(row.path).parts, *PurePosixPath(row.copy).parts), row
        assert row.tier in TIERS and row.licence and row.path, row
        assert re.fullmatch("[0-9a-f]{64}", row.sha256), row
        kind, name = row.source.split(":")
        if kind == "github":
            assert re.fullmatch(r"[\w-]+/[\w.-]+", name) and re.fullmatch("[0-9a-f]{40}", row.version) and row.copy, row
        else:
            assert kind in ("debian", "pypi") and row.version and not row.copy, row
    for steps in {row.copy_steps for row in ROWS} | {row.steps for row in ROWS}:
        reduce(scene(0, (512, 512)), steps)


def test_no_photograph_is_there_twice() -> None:
    for values in ([row.file.lower() for row in ROWS], [row.copy for row in ROWS if row.copy]):
        assert [value for value, count in Counter(values).items() if count > 1] == []
    # Published test sets have an image in common, which nothing is fitted to.
    pixels = Counter(row.sha256 for row in USED)
    assert [row.file for row in USED if pixels[row.sha256] > 1 and row.split in FITTING] == []
    # The same source twice: a class of ImageNet that is in two sets.
    sources = Counter((row.source, row.path) for row in USED)
    assert [source for source, count in sources.items() if count > 1] == []


def test_a_repository_is_pinned_to_one_commit() -> None:
    assert len({row.source for row in ROWS}) == len({(row.source, row.version) for row in ROWS})


def test_networks_that_ship_are_trained_and_chosen_on_tier_a_only() -> None:
    rows = [row for row in ROWS if row.split in ("train", "val", "gallery", "snapshots")]
    assert {row.tier for row in rows} == {"A"}
    assert [row.file for row in rows if re.search("NC|ND|none", row.licence)] == []
    assert {
        row.tier for row in ROWS if row.split in ("train_b", "trial", "set5", "set14", "bsd100", "classes", "real")
    } == {"B"}


def test_validation_and_trial_photographs_are_drawn_by_the_hash_of_their_names() -> None:
    def drawn(row: Photograph, one_in: int) -> bool:
        return int(hashlib.sha256(stem(row).encode()).hexdigest(), 16) % one_in == 0

    for folder, split, one_in in (("train/cid22/", "val", 16), ("train/bsds500/", "trial", 13)):
        rows = [row for row in ROWS if row.copy.startswith(folder)]
        assert rows and all((row.split == split) == drawn(row, one_in) for row in rows)


def test_near_duplicates_left_out_lie_in_a_set_for_measuring() -> None:
    used = {row.file: row for row in USED}
    left_out = [row for row in ROWS if row.duplicate_of]
    assert Counter(row.split for row in left_out) == {"train_b": 14, "snapshots": 1}
    for row in left_out:
        assert used[row.duplicate_of].split in MEASURING
    assert all(used[row.duplicate_of].path == row.path for row in left_out if row.split == "train_b")


def test_an_odd_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("file,split\na,b\n")
    with pytest.raises(InputError, match="odd.csv"):
        read_table(path)
    path.write_text(TABLE.read_text().splitlines()[0] + "\ntrain/a.png,train\n")
    with pytest.raises(InputError, match="line 2"):
        read_table(path)
