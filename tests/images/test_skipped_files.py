"""Folders of mixed files: images are found, other files are counted by type."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from commands import call_command
from ddrscope.errors import InputError
from ddrscope.images import find_images, read_image

PIXELS = np.linspace(20, 230, 24 * 32 * 3).astype(np.uint8).reshape(24, 32, 3)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Images, files of unsupported types, and files that are usually kept beside images."""
    folder = tmp_path / "mixed"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.jpg", "b.jfif", "c.JPE"):
        Image.fromarray(PIXELS).save(folder / name, "JPEG")
    (folder / "d.avif").write_bytes(imagecodecs.avif_encode(PIXELS))
    (folder / "e.jxl").write_bytes(imagecodecs.jpegxl_encode(PIXELS))
    pillow_heif.from_bytes("RGB", (32, 24), PIXELS.tobytes()).save(folder / "deeper" / "f.HEIC")
    for name in ("g.CR2", "deeper/h.cr2", "i.nef", "j.jp2", "k", "notes.txt", "credits.csv", ".hidden.psd"):
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_of_mixed_types(mixed: Path) -> None:
    files = find_images([mixed])
    assert [file.name for file in files] == ["a.jpg", "b.jfif", "c.JPE", "d.avif", "deeper/f.HEIC", "e.jxl"]
    for file in files:
        assert np.abs(read_image(file).pixels * 255 - PIXELS).mean() < 8


@pytest.mark.parametrize("source", ["", "/*"])
def test_commands_count_and_list_skipped_files(mixed: Path, tmp_path: Path, source: str) -> None:
    done = call_command("degrade", f"{mixed}{source}", "--degrade", "clean", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "files skipped" in line]
    for text in (str(mixed), "5 files", "2 .cr2", "1 .nef", "1 .jp2", "1 without suffix", "develop", "convert"):
        assert text in line
    for name in ("txt", "csv", "psd"):
        assert name not in line


def test_a_folder_without_images_lists_the_types_of_its_files(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.dng").write_bytes(b"x")
        (tmp_path / f"{number}.odd{number}\x1b[2J").write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        find_images([tmp_path])
    message = str(caught.value)
    assert "40 .dng" in message and "80 files" in message and message.isprintable() and len(message) < 900


def test_nothing_is_logged_if_nothing_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.xmp").write_bytes(b"x")
    find_images([tmp_path])
    assert not caplog.records


def test_without_the_extra_a_heic_names_it(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # As in an environment without pi-heif.
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    assert "deeper/f.HEIC" not in [file.name for file in find_images([mixed])]
    assert "1 .heic (pip install" in caplog.text
    with pytest.raises(InputError, match=r"pip install 'ddrscope\[heic\]'"):
        read_image(mixed / "deeper" / "f.HEIC")


def test_a_folder_that_cannot_be_entered_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One whose path is too long, since root may enter any other."""
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    opened = [os.open(tmp_path, os.O_RDONLY)]
    name = "n" * 200
    for _ in range(22):
        os.mkdir(name, dir_fd=opened[-1])
        opened.append(os.open(name, os.O_RDONLY, dir_fd=opened[-1]))
    for descriptor in opened:
        os.close(descriptor)
    assert [file.name for file in find_images([tmp_path])] == ["a.png"]
    (record,) = caplog.records
    assert "1 folder" in record.getMessage() and name in record.getMessage() and "too long" in record.getMessage()


def test_several_links_to_one_file_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    (tmp_path / "c.png").symlink_to("a.png")
    assert [file.name for file in find_images([tmp_path])] == ["a.png"]
    (record,) = caplog.records
    assert "2 names" in record.getMessage() and "link" in record.getMessage()


def test_a_cut_tiff_is_named_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No library writes more to the terminal."""
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for name, kind in (("8.tif", np.uint8), ("16.tif", np.uint16)):
        # The directory of pages, behind the pixels, is missing.
        pixels = PIXELS.astype(kind).tobytes()
        (tmp_path / name).write_bytes(b"II*\0" + (8 + len(pixels)).to_bytes(4, "little") + pixels)
    done = call_command("degrade", tmp_path, "--degrade", "clean", "--out", tmp_path / "out")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 3, done.stderr
    assert all(sum(name in line for line in lines) == 1 for name in ("8.tif", "16.tif")), done.stderr
    assert sum("cut short" in line for line in lines) == 2
    assert capfd.readouterr() == ("", "")
