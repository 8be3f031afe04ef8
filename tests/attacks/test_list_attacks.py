"""Lists, folders and names from someone who means harm: results stay in --out, nothing waits for ever, the terminal stays its owner's."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from commands import call_command
from corrupt_files import NO_FILES, reason, write
from ddrscope.errors import InputError
from ddrscope.images import find_images, read_image
from ddrscope.io.files import write_json
from ddrscope.io.run_directory import RunDirectory

GREY = np.full((16, 16, 3), 99, dtype=np.uint8)


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GREY).save(path, "PNG")
    return path


def test_symlink_loops_end(tmp_path: Path) -> None:
    tree = tmp_path / "set"
    for name in ("b.PNG", "a__2.png", "a__1.png", "sub/a__1.JPG", "sub/deep/x.npy"):
        image(tree / name)
    os.symlink(tree, tree / "sub" / "again")
    os.symlink(tree / "self.png", tree / "self.png")
    names = [file.name for file in find_images([tree])]
    assert names == ["a__1.png", "a__2.png", "b.PNG", "self.png", "sub/a__1.JPG", "sub/deep/x.npy"]
    assert reason(tree / "self.png") == "no such file"


def test_a_glob_does_not_follow_loops_for_ever(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "deep" / "in" / "b.png")
    for name in ("one", "two", "three"):
        os.symlink(tmp_path, tmp_path / "deep" / name)
    names = ["a.png", "deep/in/b.png"]
    assert [file.name for file in find_images([f"{tmp_path}/**/*.png"])] == names
    assert [file.name for file in find_images([f"{tmp_path}/**"])] == names
    assert [file.name for file in find_images([f"{tmp_path}/**/in/**/*.png"])] == names[1:]


def test_objects_of_one_path_in_two_stores_have_two_names_inside_the_output(tmp_path: Path) -> None:
    uris = [
        "s3://b/x.png",
        "gs://b/x.png",
        "s3://b/x.png?scheme=http",
        "s3://b/c/x.png",
        "s3://b/c//x.png",
        "s3://b/../x.png",
    ]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join([*uris, "/b/x.png"]))
    files = find_images([listed])
    assert {str(file.path) for file in files} == {*uris, "/b/x.png"}
    assert len({file.name for file in files}) == len(uris) + 1
    for file in files:
        assert Path(os.path.normpath(tmp_path / file.name)).is_relative_to(tmp_path), file.name


def test_results_never_leave_the_output_folder(tmp_path: Path) -> None:
    """Two paths alike up to the root: the shorter one's name must not become absolute, or its result is written over it."""
    mine = image(tmp_path / "x.png")
    twin = image(tmp_path / "set" / mine.relative_to("/"))
    before = mine.read_bytes()
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "list.txt"
    listed.write_text(f"{mine}\n{twin}\n")
    for file in find_images([listed]):
        assert not Path(file.name).is_absolute() and ".." not in Path(file.name).parts
    out = tmp_path / "out"
    assert call_command("degrade", listed, "--degrade", "noise:20", "--out", out).returncode == 0
    assert mine.read_bytes() == before
    assert len(list(out.rglob("*.png"))) == 2


def test_lines_that_lead_elsewhere(tmp_path: Path) -> None:
    """Whatever a list names is read as an image; what is none costs its row, and its content shows nowhere."""
    (tmp_path / "set").mkdir()
    image(tmp_path / "set" / "good.png")
    secret = write(tmp_path / "secret", b"root:x:0:0")
    lines = [
        str(secret),
        "../secret",
        "/etc/passwd",
        "/dev/zero",
        "/proc/self/environ",
        "/",
        ".",
        "~/.ssh/id_rsa",
        "good.png",
        "a" * 5000,
    ]
    os.mkfifo(tmp_path / "set" / "pipe.png")
    listed = tmp_path / "set" / "list.txt"
    listed.write_text("\n".join([*lines, "pipe.png", "*.png", "$HOME/x.png"]))
    files = find_images([listed])
    assert sum(file.path.name == "good.png" for file in files) == 1
    for file in files:
        if file.path.name == "good.png":
            assert read_image(file).pixels.shape == GREY.shape
        else:
            assert "root:x" not in reason(file.path)
    out = tmp_path / "out"
    assert call_command("degrade", listed, "--degrade", "clean", "--out", out).returncode == 0
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["good.png"]


@pytest.mark.parametrize("content", [b"a\0b.png", b"\xff\xfea\0.\0", b"\x80.png"])
def test_lists_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="not a text file"):
        find_images([write(tmp_path / "x.txt", content)])


def test_a_list_of_holes(tmp_path: Path) -> None:
    listed = write(tmp_path / "x.txt", b"a.png\n")
    os.truncate(listed, 1 << 40)
    with pytest.raises(InputError, match="larger than"):
        find_images([listed])


@pytest.mark.parametrize("source", ["a\0b", "a\0*.png", "x" * 5000, "~nobody-of-this-name/x", "\ud800"])
def test_sources_that_no_file_can_be(source: str) -> None:
    with pytest.raises(InputError):
        find_images([source])


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_among_images(tmp_path: Path, kind: str) -> None:
    image(tmp_path / "set" / "good.png")
    NO_FILES[kind](tmp_path / "set" / "bad.png")
    NO_FILES[kind](tmp_path / "set" / "list.txt")
    assert call_command("degrade", tmp_path / "set", "--degrade", "clean", "--out", tmp_path / "out").returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]


HOSTILE = [
    "<img src=x onerror=alert(1)>.png", "\x1b[2J\x1b]0;owned\x07.png", "a\nb.png", "a\rb.png", "\u202egnp.exe.png", "$\\frac$.png",
    "[/bold].png", "[red]x.png", "-rf.png", "..png", " .png", "=1+1.png", "\udcff\udcfe.png", "a\\x1b.png", "n" * 240 + ".png",
]  # fmt: skip


def test_names_that_control_nothing(tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        write(tmp_path / "set" / name, b"no image") if number % 2 and name[0] != "." else image(tmp_path / "set" / name)
    files = find_images([tmp_path / "set"])
    assert len({file.name for file in files}) == len(files) == sum(not name.startswith(".") for name in HOSTILE)
    assert all("\x1b" not in file.name and "\n" not in file.name and file.name.encode() for file in files)
    done = call_command("degrade", tmp_path / "set", "--degrade", "clean", "--out", tmp_path / "out")
    shown = done.stderr
    assert done.returncode == 0
    assert "\\x1b[2J" in shown and not any(control in shown for control in "\x1b\x07\r\u202e")
    broken = len(HOSTILE) // 2 - 1  # hidden files are not read
    assert shown.count("skipped ") == broken and shown.count("\n") == 1 + broken
    assert len(list((tmp_path / "out").rglob("*.png"))) == len(files) - broken


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_tables_hold_any_name(tmp_path: Path, suffix: str) -> None:
    for name in HOSTILE:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "set" / name, b"no image")
    table = tmp_path / f"found{suffix}"
    assert call_command("identify", tmp_path / "set", "--out", table).returncode == 0
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".jsonl": lambda path: pd.read_json(path, lines=True)}[
        suffix
    ]
    rows = read(table)
    assert len(rows) == len(HOSTILE) - 1 and not any("\x1b" in path or "\n" in path for path in rows["path"])


def test_different_names_stay_different(tmp_path: Path) -> None:
    for name in ("a\x1b.png", "a\\x1b.png", "a\\\\x1b.png", "n" * 230 + "1.png", "n" * 230 + "2.png"):
        image(tmp_path / name)
    assert len({file.name for file in find_images([tmp_path])}) == 5


def test_progress_bars_read_no_markup() -> None:
    from rich.progress import TextColumn

    from ddrscope.cli import common

    with common.progress() as bars:
        bars.start("[/bold]\x1b]0;owned\x07.png", 3)
        column = bars.bars.columns[0]
        assert isinstance(column, TextColumn)
        shown = column.render(bars.bars.tasks[0]).plain
    assert "[/bold]" in shown and "\x07" not in shown and "\x1b" not in shown


# A folder of results from someone else


def test_links_in_a_shared_folder_of_results_lead_nowhere(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.txt", b"mine")
    home = tmp_path / "home"
    home.mkdir()
    write(home / "letter", b"dear")
    for name, target in (("parts", home), (".lock", mine)):
        shared = tmp_path / f"shared{name}"
        shared.mkdir()
        write_json(shared / "manifest.json", {"settings": {"a": 1}})
        (shared / name).symlink_to(target)
        for options in ({"resume": True}, {"overwrite": True}):
            with (
                pytest.raises(InputError, match="symbolic link"),
                RunDirectory(shared, {"a": 1}, [], **options) as folder,
            ):
                folder.finish()
    assert mine.read_bytes() == b"mine" and (home / "letter").read_bytes() == b"dear"


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        '{"settings": []}',
        '{"settings": 3}',
        "[" * 100_000,
        "",
        "null",
        '{"settings": {"a": "\\u001b[2J"}}',
        "\0" * 99,
    ],
)
def test_manifests_that_are_none(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="resume"), RunDirectory(tmp_path, {"a": 1}, [], resume=True):
        pass


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_manifests_that_are_no_file(tmp_path: Path, kind: str) -> None:
    NO_FILES[kind](tmp_path / "manifest.json")
    with pytest.raises(InputError), RunDirectory(tmp_path, {"a": 1}, [], resume=True):
        pass
