"""`compare` and `watch` on photographs, with their commands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ddrscope
from commands import call_command
from ddrscope.comparison.watch_log import LINES
from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError, RunConflictError
from ddrscope.images import bundled_photos, find_images, read_image

FILES = find_images([bundled_photos()])


def write(folder: Path, files: list, text: str, start: int = 0) -> Path:  # type: ignore[type-arg]
    """Degraded photographs that arrive one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, file in enumerate(files):
        pixels = parse_degradation(text).apply(read_image(file).pixels[:128, :128], seed=1)
        path = folder / f"{file.path.stem}-{start}.png"
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)
        os.utime(path, (1_700_000_000 + start + index, 1_700_000_000 + start + index))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of photographs: other crops of the same ones are another set of the same kind."""
    root = tmp_path_factory.mktemp("sets")
    write(root / "plain", FILES[:14], "jpeg:90")
    write(root / "other", FILES[14:], "jpeg:90", 100)
    write(root / "noisy", FILES[14:], "noise:8+jpeg:90", 200)
    return root


@pytest.mark.slow
def test_noise_is_found_and_nothing_else(folders: Path, tmp_path: Path) -> None:
    result = ddrscope.compare(folders / "plain", folders / "noisy", tmp_path / "out")
    noise = result.differences[1]
    assert result.differ and noise.axis.name == "noise_sigma" and noise.differs
    assert 4 < noise.difference.value < 12 and noise.difference.low > 0
    assert "noise +" in result.verdict() and result.images == (14, len(FILES) - 14)
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["differ"] is True and len(content["differences"]) == 4
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width > 800
    same = ddrscope.compare(folders / "plain", folders / "other")
    assert not same.differ and same.verdict().startswith("No difference found")


@pytest.mark.slow
def test_the_command_says_what_differs_and_what_it_skipped(folders: Path, tmp_path: Path) -> None:
    mixed = write(tmp_path / "mixed", FILES[:12], "blur:3")
    (mixed / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (9, 9)).save(mixed / "tiny.png")
    done = call_command("compare", folders / "plain", mixed)
    assert done.returncode == 0 and "blur +" in done.stdout + done.stderr
    assert "broken.png" in done.stderr and "tiny.png: 9 x 9 pixels are too few" in done.stderr


@pytest.mark.parametrize("count", [0, 2])
def test_too_few_images_are_one_line(folders: Path, tmp_path: Path, count: int) -> None:
    few = write(tmp_path / "few", FILES[:count], "clean")
    (few / "broken.png").write_bytes(b"no image")
    done = call_command("compare", folders / "plain", few)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) <= 2
    assert "4 are needed: give more images" in done.stderr


@pytest.mark.slow
def test_a_watch_alarms_after_a_change_and_remembers(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "watch"
    first = call_command(
        "watch", folders / "other", "--reference", folders / "plain", "--out", out, "--false-alarms", 50
    )
    assert first.returncode == 0 and "No change in" in first.stderr + first.stdout
    # A run that was killed while it wrote a line loses that image only, and measures it again.
    lines = (out / LINES).read_text()
    (out / LINES).write_text(lines + '{"path": "half')
    second = call_command("watch", folders / "other", folders / "noisy", "--out", out, "--false-alarms", 50, "--json")
    assert second.returncode == 3
    content = json.loads(second.stdout)
    assert content["alarm"] and content["axis"] == "noise_sigma" and content["direction"] == 1
    assert "-200.png" in content["onset"] or "-100.png" in content["onset"]
    assert (out / LINES).read_text().startswith(lines) and "half" not in (out / LINES).read_text()
    again = call_command("watch", folders / "other", folders / "noisy", "--out", out, "--false-alarms", 50, "--json")
    assert again.returncode == 3 and json.loads(again.stdout) == content
    page = (out / "report.html").read_text()
    assert "The images have changed" in page and "<script" not in page
    whole = ddrscope.watch(
        [folders / "other", folders / "noisy"], tmp_path / "once", reference=folders / "plain", false_alarms=50
    )
    assert whole.to_json()["evidence"] == pytest.approx(content["evidence"])


@pytest.mark.slow
def test_another_reference_or_rate_is_refused(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "watch"
    ddrscope.watch(folders / "noisy", out, reference=folders / "plain")
    with pytest.raises(RunConflictError, match="another reference"):
        ddrscope.watch(folders / "noisy", out, reference=folders / "other")
    with pytest.raises(RunConflictError, match="false_alarms=1"):
        ddrscope.watch(folders / "noisy", out, false_alarms=2)
    assert (
        ddrscope.watch(folders / "noisy", out, reference=folders / "other", overwrite=True).to_json()["reference"] > 10
    )


def test_bad_input_of_a_watch_is_one_line(folders: Path, tmp_path: Path) -> None:
    for words, said in (
        ([folders / "plain", "--out", tmp_path / "a"], "--reference is missing"),
        (
            [folders / "plain", "--out", tmp_path / "b", "--false-alarms", 5000, "--reference", folders / "plain"],
            "out of range",
        ),
        ([folders / "plain", "--out", FILES[0].path, "--reference", folders / "plain"], "is a file"),
        ([folders / "plain", "--out", folders / "plain", "--reference", folders / "plain"], "holds no watch"),
    ):
        done = call_command("watch", *words)
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    with pytest.raises(InputError, match="10 are needed"):
        ddrscope.watch(folders / "plain", tmp_path / "c", reference=FILES[0].path)


def test_an_overwrite_that_is_refused_leaves_the_earlier_results(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ddrscope.compare(folders / "plain", folders / "noisy", out)
    done = call_command("compare", folders / "plain", tmp_path / "none", "--out", out, "--overwrite")
    assert done.returncode == 2 and (out / "comparison.json").exists()
    watched = tmp_path / "watch"
    ddrscope.watch(folders / "noisy", watched, reference=folders / "plain")
    lines = (watched / LINES).read_text()
    for words in ([], ["--reference", FILES[0].path]):
        done = call_command("watch", folders / "noisy", "--out", watched, "--overwrite", *words)
        assert done.returncode == 2 and (watched / LINES).read_text() == lines


def test_a_folder_with_only_a_stale_lock_and_files_of_others_is_refused(folders: Path, tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / "report.html").write_text("mine")
    done = call_command("watch", folders / "noisy", "--reference", folders / "plain", "--out", tmp_path)
    assert done.returncode == 2 and (tmp_path / "report.html").read_text() == "mine"


@pytest.mark.slow
def test_files_that_are_still_written_are_looked_at_again_and_new_ones_of_an_old_name_too(
    folders: Path, tmp_path: Path
) -> None:
    incoming, out = write(tmp_path / "in", FILES[:3], "jpeg:90"), tmp_path / "watch"
    path = incoming / "latest.png"
    whole = (folders / "noisy" / sorted(os.listdir(folders / "noisy"))[0]).read_bytes()
    path.write_bytes(whole[:500])
    first = ddrscope.watch(incoming, out, reference=folders / "plain")
    assert len(first.images) == 3 and first.new == 3
    path.write_bytes(whole)
    second = ddrscope.watch(incoming, out)
    assert [image.error for image in second.images] == [None] * 4 and second.new == 1
    # The name comes again the next day, with another image.
    path.write_bytes((folders / "noisy" / sorted(os.listdir(folders / "noisy"))[1]).read_bytes())
    assert ddrscope.watch(incoming, out).new == 1
    # What cannot be read and is old is logged once.
    path.write_bytes(b"no image")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    third = ddrscope.watch(incoming, out)
    assert third.new == 1 and "1 of 6 images cannot be read" in third.verdict()
    assert ddrscope.watch(incoming, out).new == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    assert ddrscope.watch(empty, out).new == 0
