"""`make photos`: photographs read, reduced, checked and written; what fails, and going on after an interruption."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import PYTHON, Run
from scenes import scene
from scripts.photographs import prepare
from scripts.photographs.pixels import pixel_sha256, reduce
from scripts.photographs.table import COLUMNS, Photograph

ROOT = Path(__file__).parents[2]
COMMIT = "0" * 40


def row(file: str, image: Image.Image, **changes: str) -> Photograph:
    """A photograph of a repository, with the hash of what it must become."""
    values = {
        "file": file, "split": file.split("/")[0], "tier": "A", "licence": "CC0-1.0", "source": "github:owner/name", "version": COMMIT,
        "path": f"images/{Path(file).stem}.png", "copy": f"copies/{Path(file).stem}.webp", "sha256": pixel_sha256(image),
    }  # fmt: skip
    return Photograph(**{name: (values | changes).get(name, "") for name in COLUMNS})


class Project:
    """A table, a folder of local copies, and where the set goes."""

    def __init__(self, folder: Path) -> None:
        self.copies, self.packages = folder / "copies of mine", folder / "packages"
        self.out, self.table = folder / "hr", folder / "table.csv"
        self.rows: list[Photograph] = []
        self.packages.mkdir()

    def add(self, file: str, image: Image.Image, **changes: str) -> Photograph:
        added = row(file, reduce(image, changes.get("steps", "")), **changes)
        path = self.copies / added.copy
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, lossless=True)
        self.rows.append(added)
        return added

    def run(self, *options: str | Path) -> int:
        with open(self.table, "w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(dataclasses.asdict(one) for one in self.rows)
        chosen = options or ("--copies", self.copies)
        return prepare.main([str(one) for one in (self.packages, self.out, "--table", self.table, *chosen)])

    def manifest(self) -> dict[str, dict[str, str]]:
        with open(self.out / "manifest.csv", newline="") as stream:
            return {one["file"]: one for one in csv.DictReader(stream)}

    def files(self) -> set[str]:
        return {path.relative_to(self.out).as_posix() for path in self.out.rglob("*.png")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.add("train/first.png", scene(1), steps="shrink:2")
    project.add("val/second.png", scene(2))
    project.add("real/kind/third.png", scene(3), tier="B")
    return project


def test_the_hash_is_that_of_the_pixels_in_any_format(tmp_path: Path) -> None:
    image = scene(0, (7, 5))
    expected = hashlib.sha256(b"7x5\n" + np.asarray(image).tobytes()).hexdigest()
    for name, options in (("a.png", {}), ("a.bmp", {}), ("a.webp", {"lossless": True}), ("a.tiff", {})):
        image.save(tmp_path / name, **options)
        assert pixel_sha256(Image.open(tmp_path / name)) == expected
    reshaped = Image.frombytes("RGB", (5, 7), image.tobytes())
    image.putpixel((3, 3), (0, 0, 0))
    assert len({pixel_sha256(image), pixel_sha256(reshaped), expected}) == 3


def test_steps_reduce_as_they_say(tmp_path: Path) -> None:
    image = scene(0, (241, 163))
    assert reduce(image, "shrink:2").size == (120, 81)
    assert reduce(image, "shrink:1.6").size == (150, 101)
    assert reduce(image, "short:81").size == (120, 81)
    assert reduce(image, "short:400").tobytes() == image.tobytes()
    assert reduce(image, "middle:41").tobytes() == image.crop((100, 61, 141, 102)).tobytes()
    image.save(tmp_path / "a.jpg", quality=97, subsampling=0)
    assert reduce(image, "jpeg:97").tobytes() == Image.open(tmp_path / "a.jpg").tobytes()
    assert reduce(image, "shrink:2 middle:40").tobytes() == reduce(reduce(image, "shrink:2"), "middle:40").tobytes()


def test_local_copies_become_the_set_and_its_manifest(project: Project) -> None:
    assert project.run() == 0
    assert project.files() == {"train/first.png", "val/second.png", "real/kind/third.png"}
    assert np.array_equal(
        Image.open(project.out / "train/first.png"), scene(1).resize((120, 80), Image.Resampling.LANCZOS)
    )
    manifest = project.manifest()
    assert manifest.keys() == project.files()
    for one in project.rows:
        listed = manifest[one.file]
        assert listed["sha256"] == pixel_sha256(Image.open(project.out / one.file))
        assert (listed["split"], listed["tier"], listed["licence"]) == (one.split, one.tier, one.licence)
        assert one.path in listed["source"] and COMMIT in listed["source"]


def test_a_copy_with_other_pixels_is_named_and_the_others_are_made(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    scene(9).save(project.copies / project.rows[1].copy, lossless=True)
    assert project.run() == 1
    assert project.files() == project.manifest().keys() == {"train/first.png", "real/kind/third.png"}
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "second" in line]
    assert line.startswith("missing: val/second.png") and "SHA-256" in line


@pytest.mark.parametrize("fault", ["missing", "cut off", "no image"])
def test_a_copy_that_cannot_be_read_is_named_and_the_others_are_made(
    project: Project, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    copy = project.copies / project.rows[1].copy
    {"missing": copy.unlink, "cut off": lambda: os.truncate(copy, 99), "no image": lambda: copy.write_text("no image")}[
        fault
    ]()
    assert project.run() == 1
    assert project.files() == project.manifest().keys() == {"train/first.png", "real/kind/third.png"}
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "second" in line]
    assert line.startswith("missing: val/second.png")


def test_what_is_there_and_right_is_not_made_again(project: Project) -> None:
    assert project.run() == 0
    written = {name: (project.out / name).stat().st_mtime_ns for name in project.files()}
    pixels = (project.out / "val/second.png").read_bytes()
    (project.out / "val/second.png").unlink()
    os.truncate(project.out / "real/kind/third.png", 100)
    # Not needed any more.
    (project.copies / project.rows[0].copy).unlink()
    assert project.run() == 0
    assert (project.out / "train/first.png").stat().st_mtime_ns == written["train/first.png"]
    assert (project.out / "val/second.png").read_bytes() == pixels
    assert pixel_sha256(Image.open(project.out / "real/kind/third.png")) == project.rows[2].sha256
    assert project.manifest().keys() == project.files()


def test_one_split_alone_leaves_what_is_there_in_the_manifest(project: Project) -> None:
    assert project.run("--copies", project.copies, "--only", "train") == 0
    assert project.files() == {"train/first.png"}
    assert project.run("--copies", project.copies, "--only", "val") == 0
    assert project.manifest().keys() == {"train/first.png", "val/second.png"}


def test_near_duplicates_leave_the_training_set(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.add("train/again.png", scene(3).resize((200, 133), Image.Resampling.LANCZOS))
    assert project.run() == 0
    assert project.files() == project.manifest().keys() == {"train/first.png", "val/second.png", "real/kind/third.png"}
    assert any("train/again.png removed" in line for line in capsys.readouterr().out.splitlines())


def test_what_the_table_leaves_out_is_not_made_and_an_older_one_removed(project: Project) -> None:
    left_out = project.add("train/again.png", scene(5), duplicate_of="real/kind/third.png")
    (project.out / "train").mkdir(parents=True)
    scene(5).save(project.out / left_out.file)
    assert project.run() == 0
    assert left_out.file not in project.files() | project.manifest().keys()


def test_photographs_of_packages(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = scene(6, (480, 420)), scene(7, (480, 420))
    (project.packages / "usr").mkdir()
    parts = []
    for image in (first.resize((60, 60)), first, second):
        image.save(project.packages / "part.jpg", quality=90)
        parts.append((project.packages / "part.jpg").read_bytes())
    (project.packages / "usr/many.rcc").write_bytes(b"qres" + b"--".join(parts) + b"end")
    decoded = Image.open(project.packages / "part.jpg")
    debian = {"source": "debian:some-data", "version": "1-2", "copy": "", "steps": "shrink:2"}
    project.rows.append(row("gallery/many-1.png", reduce(decoded, "shrink:2"), path="usr/many.rcc#1", **debian))
    project.rows.append(row("gallery/gone.png", decoded, path="usr/gone.jpg", **debian))
    assert project.run() == 1
    assert "gallery/many-1.png" in project.files()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "gone" in line]
    assert "apt-get download some-data" in line


def git(folder: Path, *arguments: str) -> str:
    identity = {
        f"GIT_{who}_{what}": f"{who}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **identity}
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("single_files", [True, False], ids=["server sends single files", "server sends all"])
def test_repositories_at_a_commit_give_what_local_copies_give(
    project: Project, tmp_path: Path, single_files: bool
) -> None:
    """Of originals that the copies were reduced from, and although the repository has gone on since."""
    repository = tmp_path / "hub/owner/name"
    (repository / "images").mkdir(parents=True)
    git(repository, "init", "--quiet")
    git(repository, "config", "uploadpack.allowFilter", str(single_files).lower())
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    scene(11, (480, 360)).save(repository / "images/größe [1].png")
    copied = reduce(scene(11, (480, 360)), "shrink:2 jpeg:97")
    project.add("train/large.png", copied, path="images/größe [1].png", copy_steps="shrink:2 jpeg:97", steps="shrink:2")
    for number, name in ((1, "first"), (2, "second"), (3, "third")):
        scene(number).save(repository / f"images/{name}.png")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "images")
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "rm", "--quiet", "-r", "images")
    git(repository, "commit", "--quiet", "-m", "gone")
    project.rows = [dataclasses.replace(one, version=commit) for one in project.rows]
    assert project.run("--repositories", tmp_path / "hub") == 0
    from_repository = project.manifest()
    assert len(from_repository) == 4
    # Fetched once: another run does without the repository.
    for path in project.out.rglob("*.png"):
        path.unlink()
    repository.rename(tmp_path / "gone")
    assert project.run("--repositories", tmp_path / "hub") == 0
    project.out = tmp_path / "other"
    assert project.run() == 0
    assert project.manifest() == from_repository


def test_a_repository_that_cannot_be_reached_is_one_line_and_the_others_are_made(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project.run("--repositories", tmp_path / "nowhere") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("missing")]
    assert "owner/name" in line and "2 more" in line and "PHOTOS=DIR" in line


def test_files_that_are_not_of_the_set_are_named_and_left(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (project.out / "train").mkdir(parents=True)
    scene(8).save(project.out / "train/mine.png")
    assert project.run() == 0
    assert "train/mine.png" in capsys.readouterr().out
    assert "train/mine.png" in project.files() - project.manifest().keys()


def test_a_folder_that_cannot_be_written_is_one_line(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.out.write_text("a file")
    assert project.run() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(project.out) in line


def test_a_folder_of_copies_that_does_not_exist_is_bad_usage(project: Project, tmp_path: Path) -> None:
    assert project.run("--copies", tmp_path / "nowhere") == 2
    assert not project.out.exists()


def test_the_command_itself(project: Project, run_command: Run) -> None:
    project.run()
    words = [project.packages, project.out, "--table", project.table, "--copies", project.copies]
    done = run_command("-m", "scripts.photographs.prepare", *words, program=[PYTHON], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "0 written and 3 kept" in done.stdout
    # No progress bar in a pipe.
    assert done.stderr == ""
