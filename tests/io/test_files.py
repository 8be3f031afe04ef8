from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ddrscope.errors import RunConflictError
from ddrscope.io.files import atomic_write, sha256, write_json
from ddrscope.io.locks import FolderLock
from ddrscope.io.run_directory import RunDirectory


def test_a_write_that_fails_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "numbers.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_writer_keeps_to_itself_is_for_all_who_may_read_the_folder(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "made") as temporary:
        save_file({"x": torch.zeros(1)}, temporary)
    assert (tmp_path / "made").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_has_null_for_what_is_no_number(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": [None, 1.5]}


def test_sha256_of_known_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_of_another_run_is_refused_and_can_be_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with RunDirectory(out, {"crop": 128}, ["report.html"]) as run:
        (run.parts / "part").write_text("done")
    with pytest.raises(RunConflictError, match="`resume`"), RunDirectory(out, {"crop": 128}, ["report.html"]):
        pass
    with (
        pytest.raises(RunConflictError, match="crop = 128, not 64"),
        RunDirectory(out, {"crop": 64}, ["report.html"], resume=True),
    ):
        pass
    with RunDirectory(out, {"crop": 128}, ["report.html"], resume=True) as run:
        assert (run.parts / "part").read_text() == "done"
    with RunDirectory(out, {"crop": 64}, ["report.html"], overwrite=True) as run:
        assert not list(run.parts.iterdir())


def test_a_run_that_fails_before_it_kept_anything_leaves_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError), RunDirectory(out, {}, []):
        raise RuntimeError
    assert not out.exists()
    with pytest.raises(RuntimeError), RunDirectory(out, {}, []) as run:
        (run.parts / "part").write_text("done")
        raise RuntimeError
    assert (out / "parts" / "part").is_file()


def test_resume_with_nothing_begun_starts(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "new", {}, [], resume=True) as run:
        assert run.parts.is_dir()


def test_overwriting_removes_outputs_and_spares_all_other_files(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("precious")
    with pytest.raises(RunConflictError, match="holds no earlier run"), RunDirectory(tmp_path, {}, [], overwrite=True):
        pass
    out = tmp_path / "out"
    outputs = ["report.html", "figures", "tables"]
    with RunDirectory(out, {}, outputs):
        (out / "notes.txt").write_text("mine")
        (out / "report.html").write_text("old")
        (out / "tables").mkdir()
        (out / "tables" / "a.csv").write_text("old")
        (out / "later").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "photo.png").write_text("precious")
        (out / "figures").symlink_to(tmp_path / "elsewhere")
    with RunDirectory(out, {}, outputs, overwrite=True):
        pass
    assert {path.name for path in out.iterdir()} == {"manifest.json", "notes.txt", "later", "parts"}
    assert (tmp_path / "elsewhere" / "photo.png").exists() and thesis.read_text() == "precious"


def test_overwriting_removes_the_outputs_of_another_application(tmp_path: Path) -> None:
    with RunDirectory(tmp_path, {"seed": 0}, ["analysis.json", "figures"]):
        (tmp_path / "analysis.json").write_text("{}")
        (tmp_path / "figures").mkdir()
    with RunDirectory(tmp_path, {"seed": 1}, ["map.json"], overwrite=True):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "parts"}


@pytest.mark.parametrize("outputs", [["../precious.txt", "..", ".", "a/b", ".lock", 3, None], "precious.txt", 5, {}])
def test_no_manifest_makes_overwriting_remove_files_elsewhere(tmp_path: Path, outputs: object) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    out = tmp_path / "out"
    with RunDirectory(out, {}, []):
        pass
    write_json(out / "manifest.json", {"settings": {}, "outputs": outputs})
    with RunDirectory(out, {}, [], overwrite=True):
        pass
    assert precious.read_text() == "precious"


def test_stale_temporary_files_are_removed_but_not_those_of_another_run(tmp_path: Path) -> None:
    outputs = ["a.json", "figures", "trainings"]
    with RunDirectory(tmp_path, {}, outputs) as run:
        (run.parts / "part").write_text("done")
        for folder in ("figures", "trainings/one"):
            (tmp_path / folder).mkdir(parents=True)
        stale = [tmp_path / name for name in (".a.json.01.tmp", "figures/.b.png.01.tmp", "parts/.c.01.tmp")]
        others = [tmp_path / name for name in (".thesis.txt.01.tmp", "trainings/one/.d.01.tmp")]
        for path in (*stale, *others):
            path.touch()
    with FolderLock(tmp_path / "trainings" / "one"), RunDirectory(tmp_path, {}, outputs, resume=True):
        assert [path.exists() for path in (*stale, *others)] == [False] * 3 + [True] * 2
