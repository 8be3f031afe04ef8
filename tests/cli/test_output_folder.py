"""Folders that results go to: the images that are read are never written over, and what another run left there is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddrscope import cli


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (1, 2, 3):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def degrade(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["degrade", *map(str, words)])
    return int(stopped.value.code or 0)


def test_images_are_not_written_over_through_a_link(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "link"
    link.symlink_to(photos)
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    for source, out in ((photos, link), (link, photos), (link / "1.png", photos)):
        assert degrade(source, "--degrade", "blur:2", "--out", out, "--overwrite") == 2
        assert "--out" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before


def test_images_that_an_earlier_run_left_are_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert degrade(photos, "--degrade", "blur:2", "--out", out) == 0
    assert "3.png" not in capsys.readouterr().err
    (photos / "3.png").unlink()
    (photos / "2.png").write_bytes(b"broken")
    assert degrade(photos, "--degrade", "noise:20", "--out", out, "--overwrite") == 0
    said = capsys.readouterr().err
    assert "2 other images" in said and "2.png" in said and str(out) in said
