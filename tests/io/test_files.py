from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ddrscope.errors import InputError
from ddrscope.io.files import atomic_write, sha256, write_json
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
    with RunDirectory(out, {"crop": 128}) as folder:
        (folder.parts / "piece").write_text("done")
    with pytest.raises(InputError, match="--resume"), RunDirectory(out, {"crop": 128}):
        pass
    with pytest.raises(InputError, match="crop = 128, not 64"), RunDirectory(out, {"crop": 64}, resume=True):
        pass
    with RunDirectory(out, {"crop": 128}, resume=True) as folder:
        assert (folder.parts / "piece").read_text() == "done"
    with RunDirectory(out, {"crop": 64}, overwrite=True) as folder:
        assert not list(folder.parts.iterdir())


def test_a_run_that_fails_before_it_kept_anything_leaves_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError), RunDirectory(out, {}):
        raise RuntimeError
    assert not out.exists()
    with pytest.raises(RuntimeError), RunDirectory(out, {}) as folder:
        (folder.parts / "piece").write_text("done")
        raise RuntimeError
    assert (out / "parts" / "piece").is_file()


def test_resume_with_nothing_begun_starts(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "new", {}, resume=True) as folder:
        assert folder.parts.is_dir()


def test_overwriting_spares_a_strangers_files(tmp_path: Path) -> None:
    stranger = tmp_path / "thesis.txt"
    stranger.write_text("precious")
    with pytest.raises(InputError, match="holds no earlier run"), RunDirectory(tmp_path, {}, overwrite=True):
        pass
    out = tmp_path / "out"
    with RunDirectory(out, {}):
        (out / "notes.txt").write_text("mine")
        (out / "report.html").write_text("old")
        (out / "later").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (out / "figures").symlink_to(tmp_path / "elsewhere")
    with RunDirectory(out, {}, overwrite=True):
        pass
    assert (out / "later").is_dir() and (tmp_path / "elsewhere").is_dir() and not (out / "figures").is_symlink()
    assert stranger.read_text() == "precious" and (out / "notes.txt").read_text() == "mine"
    assert not (out / "report.html").exists()


def test_overwriting_removes_every_result_that_a_resumed_run_would_take_for_its_own(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
    results = {f"{command}.json" for command in re.findall(r"\w+(?=\.json` \|)", page)} - {
        "manifest.json",
        "quality.json",
    }
    assert results == {"analysis.json", "study.json", "generalization.json", "map.json", "upscale.json"}
    with RunDirectory(tmp_path, {"seed": 0}):
        for name in results:
            (tmp_path / name).write_text("{}")
    with RunDirectory(tmp_path, {"seed": 1}, overwrite=True):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "parts"}
