"""Who works in a folder: a living run keeps its lock and its files, in whatever container it runs; one that ended is no obstacle."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commands import Run
from ddrscope.cli.degrade import command as degrade_command
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from ddrscope.io.files import atomic_write, remove_stale_temp_files
from ddrscope.io.locks import FolderLock
from ddrscope.io.run_directory import RunDirectory

WORKING = """
import sys
from ddrscope.io.files import atomic_write
from ddrscope.io.run_directory import RunDirectory
with RunDirectory(sys.argv[1], {"a": 1}, [], resume=True) as run, atomic_write(run.parts / "part") as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
    temporary.write_text("whole")
"""
COMING = """
import sys
from ddrscope.errors import InputError
from ddrscope.io.run_directory import RunDirectory
try:
    with RunDirectory(sys.argv[1], {"a": 1}, [], **{sys.argv[2]: True}) as run:
        print(sorted(path.name for path in run.parts.iterdir()))
except InputError as error:
    print(error)
"""
# A process number of one's own, as in a container: both runs are number 1 there.
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture(params=[[], CONTAINER], ids=["processes", "containers"])
def inside(request: pytest.FixtureRequest, run_command: Run) -> list[str]:
    if request.param and run_command("true", program=request.param).returncode:
        reason = "a process number space of one's own needs root"
        # A check that never runs checks nothing.
        pytest.fail(reason) if os.environ.get("CI") and not os.getuid() else pytest.skip(reason)
    return request.param


@contextmanager
def working(inside: list[str], out: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun to write a piece; it goes on when its input ends."""
    with subprocess.Popen(
        [*inside, sys.executable, "-c", WORKING, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout and run.stdout.readline() == "ready\n"
        yield run


def coming(inside: list[str], out: Path, option: str) -> str:
    words = [*inside, sys.executable, "-c", COMING, out, option]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_a_living_run_keeps_its_lock_and_its_files(inside: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with working(inside, out) as run:
        for option in ("resume", "overwrite"):
            said = coming(inside, out, option)
            assert str(out) in said and "in use" in said
        assert any("part" in path.name for path in (out / "parts").iterdir())
        run.communicate()
        assert run.returncode == 0
    assert (out / "parts" / "part").read_text() == "whole"
    assert coming(inside, out, "resume") == "['part']"


def test_a_run_that_was_killed_is_no_obstacle_and_its_half_files_go(inside: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with working(inside, out) as run:
        run.kill()
        run.communicate()
    assert any("part" in path.name for path in (out / "parts").iterdir())
    assert coming(inside, out, "resume") == "[]"
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize("content", ["", "1", "1" * 1000])
def test_what_stands_in_a_lock_file_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lock").write_text(content)
    with RunDirectory(tmp_path, {}, [], resume=True):
        pass
    assert not (tmp_path / ".lock").exists()


def test_of_two_runs_in_one_process_one_is_refused(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "out", {}, []) as first:
        with pytest.raises(InputError, match="in use"), RunDirectory(tmp_path / "out", {}, [], resume=True):
            pass
        with pytest.raises(InputError, match="in use"), FolderLock(first.path):
            pass
    with FolderLock(first.path):
        pass


def test_a_folder_that_was_moved_away_takes_no_lock_of_its_successor_with_it(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "out"):
        (tmp_path / "out").rename(tmp_path / "old")
        successor = FolderLock(tmp_path / "out")
        successor.__enter__()
    with pytest.raises(InputError, match="in use"), FolderLock(tmp_path / "out"):
        pass
    successor.release()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What `flock` says there; no such file system can be mounted here."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    with (
        pytest.raises(InputError, match="(?s)out.*without locks.*`out`") as said,
        RunDirectory(tmp_path / "out", {}, []),
    ):
        pass
    assert "\n" not in str(said.value)


def test_a_folder_in_the_place_of_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "out" / ".lock").mkdir(parents=True)
    with pytest.raises(InputError, match=".lock"), RunDirectory(tmp_path / "out", {}, []):
        pass


def test_a_folder_of_parts_that_no_run_made_keeps_its_files(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "bolt.step").write_text("precious")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(InputError), RunDirectory(tmp_path, {}, [], **options) as run:
            run.finish()
    assert (tmp_path / "parts" / "bolt.step").read_text() == "precious"


def test_two_writers_of_one_file_do_not_touch_each_others_half(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_write(target) as first:
        first.write_text("first")
        with atomic_write(target) as second:
            second.write_text("second")
        assert target.read_text() == "second"
    assert target.read_text() == "first" and list(tmp_path.iterdir()) == [target]


def test_only_half_files_of_the_targets_are_removed(tmp_path: Path) -> None:
    ours, others = (
        tmp_path / ".a[1].png.0123.tmp",
        [tmp_path / name for name in (".b.png.0123.tmp", ".x.a[1].png.0123.tmp", "a[1].png")],
    )
    for path in (ours, *others):
        path.touch()
    remove_stale_temp_files([tmp_path / "a[1].png"])
    assert not ours.exists() and all(path.exists() for path in others)


def test_degrading_into_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "out"), pytest.raises(InputError, match="in use"):
        degrade_command(
            [str(bundled_photos() / "wine__1.png")], degradation="blur:2", out=tmp_path / "out", overwrite=True
        )
    degrade_command([str(bundled_photos() / "wine__1.png")], degradation="blur:2", out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["wine__1.png"]
