"""Places where nothing can be written: each command says which, and what to do, in one line."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddrscope import cli


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that cannot be written to; root may write to any, so it gets a read-only file system."""
    folder = tmp_path / "readonly"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=48k", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("root may write to every folder here, and may mount none")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (130, 130, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


COMMANDS = {
    "degrade": ("degrade", "IMAGE", "--degrade", "blur:2", "--out", "PLACE/out"),
    "identify": ("identify", "IMAGE", "--tiles", "1", "--out", "PLACE/found.csv"),
    "heatmap": ("identify", "IMAGE", "--tiles", "1", "--heatmap", "PLACE/maps"),
    "filter": ("filter", "IMAGE", "--reject", "unseen", "--tiles", "1", "--out", "PLACE/out"),
    "features": (
        "features",
        "srresnet-wgr",
        "--images",
        "IMAGE",
        "--layer",
        "body.0",
        "--crop",
        "32",
        "--out",
        "PLACE/a.npy",
    ),
    "analyze": ("analyze", "srresnet-wgr", "--images", "IMAGE", "--crop", "32", "--out", "PLACE/out"),
    "upscale": ("upscale", "IMAGE", "--no-identify", "--out", "PLACE/out"),
    "export": ("models", "export", "srresnet-wgr", "PLACE/out"),
}


def fail(words: tuple[str, ...], image: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        cli.main([word.replace("IMAGE", str(image)).replace("PLACE", str(place)) for word in words])
    (line,) = capsys.readouterr().err.splitlines()
    assert "Errno" not in line and ".tmp" not in line and ".lock" not in line
    return int(stopped.value.code or 0), line


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_folder_that_cannot_be_written_to(
    words: tuple[str, ...], image: Path, read_only: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = fail(words, image, read_only, capsys)
    assert code == 2 and str(read_only) in line and "permission" in line


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_file_in_the_way(words: tuple[str, ...], image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = fail(words, image, image, capsys)
    assert code == 2 and str(image) in line and "file" in line


def test_a_name_that_is_too_long(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = fail(COMMANDS["degrade"], image, tmp_path / ("n" * 300), capsys)
    assert code == 2 and "shorter" in line


@pytest.mark.cli
def test_no_space_for_weights(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk, also where the library that writes has errors of its own."""
    words = [sys.executable, "-m", "ddrscope", "models", "export", "srresnet-wgr", str(tmp_path / "net")]
    limit = (20_000, 20_000)
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        timeout=300,
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and str(tmp_path / "net") in line and "space" in line
