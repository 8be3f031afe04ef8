"""Filtering by tables: decisions, lists, copies, moves, and what may not happen to files."""

from __future__ import annotations

import csv
import inspect
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

import ddrscope
from commands import PYTHON, TIMEOUT
from ddrscope.batch.image_lists import image_table, write_list
from ddrscope.errors import InputError, RunConflictError, escaped
from ddrscope.images import ImageFile, find_images
from ddrscope.io.files import sha256
from filter_tables import failed, row, write_table

BLURRED = "blur_sigma > 1.5 or jpeg_quality < 70"


def photo(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four images, two in subfolders, and a file that is none."""
    folder = tmp_path / "photos"
    for number, name in enumerate(["a.png", "sub/b.png", "sub/deep/c.png", "d.jpg"]):
        photo(folder / name, number)
    (folder / "e.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def table(photos: Path, tmp_path: Path) -> Path:
    """b and c are rejected, e has an error."""
    return write_table(
        tmp_path / "findings.parquet",
        [
            row(photos / "a.png"),
            row(photos / "d.jpg", blur_sigma=None),
            failed(photos / "e.png"),
            row(photos / "sub/b.png", blur_sigma=2.314),
            row(photos / "sub/deep/c.png", blur_sigma=1.6, jpeg_quality=41.0),
        ],
    )


def contents(folder: Path) -> Counter[bytes]:
    return Counter(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_defaults_are_those_of_identify() -> None:
    ours, theirs = (inspect.signature(f).parameters for f in (ddrscope.filter_images, ddrscope.identify))
    for name in ours.keys() & theirs.keys() - {"images", "out"}:
        assert ours[name].default == theirs[name].default, name


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_decisions_and_lists(photos: Path, table: Path, tmp_path: Path, suffix: str) -> None:
    other = write_table(tmp_path / f"other{suffix}", pd.read_parquet(table).to_dict("records"))
    result = ddrscope.filter_images(other, tmp_path / "out", reject=BLURRED)
    assert [image.path for image in result.kept] == [str(photos / "a.png"), str(photos / "d.jpg")]
    reasons = {Path(image.path).name: image.reason for image in result.images}
    assert reasons == {
        "a.png": None,
        "b.png": "blur_sigma 2.31 > 1.5",
        "c.png": "blur_sigma 1.6 > 1.5; jpeg_quality 41 < 70",
        "d.jpg": None,
        "e.png": "is corrupt",
    }
    assert result.matches == {"blur_sigma > 1.5": 2, "jpeg_quality < 70": 1}
    assert any("blur_sigma" in note and "1 of 4" in note for note in result.notes)
    for name, kind in (("keep", result.kept), ("reject", result.rejected), ("error", result.errors)):
        assert lines(tmp_path / "out" / f"{name}.txt") == [image.path for image in kind]
    with (tmp_path / "out" / "decisions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["decision"], row["reason"] or None) for row in rows] == [
        (image.path, image.decision, image.reason) for image in result.images
    ]
    assert list(result.to_frame()["decision"]) == [row["decision"] for row in rows]
    assert {file.path for file in find_images(tmp_path / "out" / "keep.txt")} == {photos / "a.png", photos / "d.jpg"}
    assert len(names(photos)) == 5


def test_several_expressions_are_joined_by_or(table: Path) -> None:
    together = ddrscope.filter_images(table, reject=BLURRED)
    apart = ddrscope.filter_images(table, reject=["blur_sigma > 1.5", "jpeg_quality < 70"])
    assert together.images == apart.images


def test_without_an_output_or_in_a_dry_run_nothing_is_written(table: Path, tmp_path: Path) -> None:
    before = names(tmp_path)
    ddrscope.filter_images(table, reject=BLURRED)
    ddrscope.filter_images(table, tmp_path / "out", reject=BLURRED, dry_run=True, move=True)
    assert names(tmp_path) == before and not (tmp_path / "out").exists()


def test_a_text_that_no_image_has_is_noted(table: Path) -> None:
    (note,) = ddrscope.filter_images(table, reject="group == 'noize'").notes
    assert "noize" in note and "clean" in note


def test_columns_of_ones_own_are_columns(photos: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", [row(photos / "a.png", score=7), row(photos / "d.jpg", score=3)])
    result = ddrscope.filter_images(table, reject="score < 5")
    assert [image.reason for image in result.rejected] == ["score 3 < 5"]


@pytest.mark.parametrize("move", [False, True])
def test_copies_and_moves(photos: Path, table: Path, tmp_path: Path, move: bool) -> None:
    before = contents(photos)
    result = ddrscope.filter_images(table, tmp_path / "out", reject=BLURRED, move=move, copy=not move)
    out = tmp_path / "out"
    assert names(out / "kept") == ["a.png", "d.jpg"] and names(out / "rejected") == ["sub/b.png", "sub/deep/c.png"]
    assert names(photos) == (["e.png"] if move else ["a.png", "d.jpg", "e.png", "sub/b.png", "sub/deep/c.png"])
    after = contents(out / "kept") + contents(out / "rejected") + (contents(photos) if move else Counter())
    assert after == (before if move else before - Counter([b"no image"]))
    assert all(Path(image.out or "").is_file() for image in (*result.kept, *result.rejected))
    for name, where in (("keep.txt", out / "kept"), ("reject.txt", out / "rejected")):
        found = {file.path.resolve() for file in find_images(out / name)}
        assert found == {path.resolve() for path in (where if move else photos).rglob("*.*") if path.name in str(found)}
        assert all(path.is_file() for path in found) and len(found) == 2


@pytest.mark.parametrize("mode", ["list", "copy", "move"])
def test_a_finished_run_is_resumed_as_it_is(photos: Path, table: Path, tmp_path: Path, mode: str) -> None:
    def run(**changes: Any) -> ddrscope.FilterResult:
        return ddrscope.filter_images(
            table, tmp_path / "out", reject=BLURRED, copy=mode == "copy", move=mode == "move", **changes
        )

    first = run()
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    with pytest.raises(RunConflictError):
        run()
    assert run(resume=True) == first
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before
    with pytest.raises(RunConflictError, match="reject"):
        ddrscope.filter_images(table, tmp_path / "out", reject="level > 1", resume=True)
    if mode == "list":
        assert run(overwrite=True) == first
    else:
        with pytest.raises(RunConflictError, match="never deleted"):
            run(overwrite=True)
        assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before


# The process kills itself at its Nth call of a function that changes files: between any two steps of a move.
KILLED = """
import os, signal, sys
import ddrscope
left = int(sys.argv[4])
def counted(function):
    def call(*given, **named):
        global left
        # Only calls for images: other files have their own names.
        if any(str(each).endswith((".png", ".part")) for each in given) and "borderline" not in str(given[-1]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)
    return call
for name in ("link", "unlink", "rename", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
if sys.argv[5] == "nolinks":
    def refuse(*given, **named):
        raise OSError(95, "not supported")
    os.link = refuse
ddrscope.filter_images(sys.argv[1], sys.argv[2], reject="blur_sigma > 1.5", **{sys.argv[3]: True}, resume=True)
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred small files, a fifth of them unreadable, and their table."""
    folder = tmp_path_factory.mktemp("many")
    rows = []
    for number in range(300):
        path = folder / "photos" / f"set{number % 7}" / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content of {number}".encode())
        rows.append(failed(path) if number % 5 == 0 else row(path, blur_sigma=number % 3))
    write_table(folder / "table.parquet", rows)
    return folder


@pytest.mark.cli
@pytest.mark.parametrize(("action", "links"), [("move", "links"), ("move", "nolinks"), ("copy", "links")])
def test_a_killed_run_is_completed_without_loss(many: Path, tmp_path: Path, action: str, links: str) -> None:
    shutil.copytree(many / "photos", tmp_path / "photos")
    rows = pd.read_parquet(many / "table.parquet").to_dict("records")
    for each in rows:
        each["path"] = each["path"].replace(str(many), str(tmp_path))
    table = write_table(tmp_path / "table.parquet", rows)
    before, out = contents(tmp_path / "photos"), tmp_path / "out"
    codes = []
    for calls in (97, 228, 10**9):
        words = [PYTHON, "-c", KILLED, str(table), str(out), action, str(calls), links]
        codes.append(subprocess.run(words, capture_output=True, timeout=TIMEOUT).returncode)
        copies = contents(out / "kept") + contents(out / "rejected")
        # At no moment is a file lost, or half of one under its name.
        assert set(copies) <= set(before) and set(copies) | set(contents(tmp_path / "photos")) == set(before)
    assert codes == [-9, -9, 0]
    left = Counter({content: 1 for content in before if int(content.split()[-1]) % 5 == 0})
    assert contents(tmp_path / "photos") == (left if action == "move" else before)
    assert contents(out / "kept") + contents(out / "rejected") == before - left
    assert {path.parent.parent.name for path in out.glob("*/*/*.png") if int(path.stem) % 3 == 2} == {"rejected"}
    counts = [len(lines(out / f"{name}.txt")) for name in ("keep", "reject", "error")]
    assert counts == [160, 80, 60] and not (out / "parts").exists()
    assert not [name for name in names(out) if name.endswith((".part", ".tmp"))]


# What may not happen to files.


def test_links_that_lead_out_are_listed_and_otherwise_left_alone(tmp_path: Path) -> None:
    outside, inside = photo(tmp_path / "outside" / "secret.png"), photo(tmp_path / "photos" / "real.png", 1)
    (tmp_path / "photos" / "link.png").symlink_to(outside)
    (tmp_path / "photos" / "folder").symlink_to(outside.parent)
    paths = [tmp_path / "photos" / name for name in ("link.png", "folder/secret.png", "real.png")]
    table = write_table(tmp_path / "t.parquet", [row(path) for path in paths])
    assert len(ddrscope.filter_images(table, tmp_path / "listed", reject="unseen").kept) == 3
    result = ddrscope.filter_images(table, tmp_path / "moved", reject="unseen", move=True)
    assert [image.decision for image in result.images] == ["error", "error", "keep"]
    assert all("link" in (image.reason or "") for image in result.errors)
    assert outside.is_file() and (tmp_path / "photos" / "link.png").is_symlink() and not inside.exists()


def test_links_within_the_folder_stand_for_the_file_itself(photos: Path, tmp_path: Path) -> None:
    """A search enters a folder once, perhaps under the name of a link to it."""
    (photos / "another").symlink_to("sub")
    (photos / "again.png").symlink_to("a.png")
    before = contents(photos)
    paths = [
        photos / "again.png",
        photos / "another" / "b.png",
        photos / "another" / "deep" / "c.png",
        photos / "d.jpg",
    ]
    table = write_table(tmp_path / "t.parquet", [row(path) for path in paths])
    for _ in range(2):
        result = ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=True, resume=True)
        assert len(result.kept) == 4
        assert names(tmp_path / "out" / "kept") == ["a.png", "d.jpg", "sub/b.png", "sub/deep/c.png"]
        assert contents(photos) + contents(tmp_path / "out" / "kept") == before


def test_a_folder_of_images_may_itself_be_a_link(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    table = write_table(tmp_path / "t.parquet", [row(tmp_path / "link" / name) for name in ("a.png", "sub/b.png")])
    assert len(ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=True).kept) == 2


@pytest.mark.parametrize("place", ["kept", "kept/sub"])
def test_links_in_the_output_are_not_followed(photos: Path, tmp_path: Path, place: str) -> None:
    table = write_table(tmp_path / "t.parquet", [row(photos / "sub/b.png"), row(photos / "a.png")])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ddrscope.filter_images(table, tmp_path / "out", reject="unseen", copy=True)
    shutil.rmtree(tmp_path / "out" / place)
    (tmp_path / "out" / place).symlink_to(elsewhere)
    result = ddrscope.filter_images(table, tmp_path / "out", reject="unseen", copy=True, resume=True)
    assert not any(elsewhere.iterdir()) and result.errors


@pytest.mark.parametrize("move", [False, True])
def test_no_file_is_overwritten(photos: Path, tmp_path: Path, move: bool) -> None:
    table = write_table(tmp_path / "t.parquet", [row(photos / "a.png"), row(photos / "sub/b.png")])
    ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=move, copy=not move)
    mine = tmp_path / "out" / "kept" / "a.png"
    mine.write_bytes(b"mine")
    photo(photos / "a.png", 7)
    result = ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=move, copy=not move, resume=True)
    assert mine.read_bytes() == b"mine" and (photos / "a.png").is_file()
    (image,) = result.errors
    assert image.path == str(photos / "a.png") and "overwritten" in (image.reason or "")


def index(table: Path, files: list[ImageFile], digests: list[str | None]) -> None:
    """``FILE.images``, which the run that writes a table leaves beside it."""
    rows = pa.table({"sha256": pa.array(digests, pa.string())})
    write_list(table.with_name(f"{table.name}.images"), [image_table(files, rows)])


@pytest.mark.parametrize("name", ["../escaped.png", "/tmp/escaped.png", "a/../../escaped.png", "", "."])
def test_names_do_not_lead_out_of_the_output(photos: Path, tmp_path: Path, name: str) -> None:
    table = write_table(tmp_path / "t.parquet", [row(photos / "a.png")])
    index(table, [ImageFile(photos / "a.png", name, "a")], [None])
    result = ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=True)
    assert [image.decision for image in result.images] == ["error"]
    assert (photos / "a.png").is_file() and not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("move", [False, True])
def test_a_file_that_changed_since_it_was_identified_stays(photos: Path, tmp_path: Path, move: bool) -> None:
    table = write_table(tmp_path / "t.parquet", [row(photos / "a.png"), row(photos / "d.jpg")])
    files = [ImageFile(photos / name, name, name) for name in ("a.png", "d.jpg")]
    index(table, files, [sha256(file.path) for file in files if isinstance(file.path, Path)])
    photo(photos / "a.png", 9)
    result = ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=move, copy=not move)
    assert [image.decision for image in result.images] == ["error", "keep"] and (photos / "a.png").is_file()
    assert names(tmp_path / "out" / "kept") == ["d.jpg"]


def test_files_that_cannot_be_named_in_a_list_are_in_the_decisions(tmp_path: Path) -> None:
    odd = ["line\nbreak.png", "bytes\udcff.png", "$HOME.png", "#a.png", "~.png"]
    files = [photo(tmp_path / "photos" / name, number) for number, name in enumerate(odd)]
    table = write_table(tmp_path / "t.parquet", [row(escaped(str(path))) for path in files])
    index(
        table,
        [ImageFile(path, escaped(path.name), escaped(path.stem)) for path in files],
        [sha256(path) for path in files],
    )
    result = ddrscope.filter_images(table, tmp_path / "listed", reject="unseen")
    assert len(lines(tmp_path / "listed" / "keep.txt")) == 3 and any("2 images" in note for note in result.notes)
    assert {file.path for file in find_images(tmp_path / "listed" / "keep.txt")} == set(files[2:])
    moved = ddrscope.filter_images(table, tmp_path / "moved", reject="unseen", move=True)
    assert len(moved.kept) == 5 and {file.path.name for file in find_images(tmp_path / "moved" / "keep.txt")} >= {
        "$HOME.png"
    }
    assert len(names(tmp_path / "moved" / "kept")) == 5 and not names(tmp_path / "photos")


def test_what_is_no_regular_file_or_gone_or_twice_costs_its_row(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    paths = [
        photos / "pipe.png",
        photos / "gone.png",
        photos / "sub",
        photos / "a.png",
        photos / "a.png",
        "s3://b/x.png",
    ]
    table = write_table(tmp_path / "t.parquet", [row(path) for path in paths])
    result = ddrscope.filter_images(table, tmp_path / "out", reject="unseen", move=True)
    assert [image.decision for image in result.images] == ["error", "error", "error", "keep", "error", "error"]


REFUSED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "no table": lambda folder: {"images": folder / "gone.parquet"},
    "corrupt": lambda folder: {"images": folder / "corrupt.parquet"},
    "table and images": lambda folder: {"images": [folder / "findings.parquet", folder / "photos"]},
    "other table": lambda folder: {"images": folder / "other.csv"},
    "move and copy": lambda folder: {"move": True, "copy": True},
    "no output": lambda folder: {"out": None, "move": True},
    "no expression": lambda folder: {"reject": []},
    "table in output": lambda folder: {"out": folder},
    "output is a file": lambda folder: {"out": folder / "other.csv"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_leaves_everything_as_it_is(table: Path, tmp_path: Path, case: str) -> None:
    (tmp_path / "corrupt.parquet").write_bytes(b"PAR1")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    before = names(tmp_path)
    given = {"images": table, "out": tmp_path / "out", "reject": "unseen"} | REFUSED[case](tmp_path)
    with pytest.raises(InputError) as error:
        ddrscope.filter_images(given.pop("images"), given.pop("out"), **given)
    assert len(str(error.value).splitlines()) == 1
    assert names(tmp_path) == before
