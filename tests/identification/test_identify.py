"""`ddrscope.identify` and its command: in memory, to files, resumed, with files that are no images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import ddrscope
from commands import call_command
from ddrscope.errors import InputError, RunConflictError
from ddrscope.images import bundled_photos
from ddrscope.progress import NullProgress


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of all kinds, and files that are none."""
    folder = tmp_path_factory.mktemp("mixed")
    clean = Image.open(bundled_photos() / "astronaut__1.png")
    clean.save(folder / "fine.png")
    clean.save(folder / "fine.jpg")
    clean.convert("CMYK").save(folder / "print.jpg")
    clean.save(folder / "moving.webp", save_all=True, append_images=[clean.rotate(90)])
    clean.crop((0, 0, 5, 5)).save(folder / "tiny.png")
    clean.crop((0, 0, 200, 40)).save(folder / "strip.png")
    (folder / "broken.png").write_bytes((folder / "fine.png").read_bytes()[:900])
    (folder / "empty.jpg").touch()
    return folder


GOOD = {"fine.png", "fine.jpg", "print.jpg", "moving.webp", "strip.png"}
BAD = {"broken.png", "empty.jpg", "tiny.png"}


def test_images_in_memory(folder: Path, small_identifier: Path) -> None:
    result = ddrscope.identify(folder, identifier=small_identifier)
    assert len(result) == 8 and result.names == ddrscope.load_identifier(small_identifier).names
    assert {Path(path).name for path in result.summary.errors} == BAD
    for image in result:
        identification = image.identification
        assert (identification is None) == (Path(image.path).name in BAD) == (image.error is not None)
        if identification:
            assert identification.type == max(
                identification.probabilities, key=lambda name: identification.probabilities[name]
            )
            assert (
                0 <= identification.novelty <= 1
                and identification.level.low <= identification.level.value <= identification.level.high <= 5
            )
            assert (
                (identification.level.value > 0)
                == (identification.type != "clean")
                == (identification.group != "clean")
            )
    assert "5 x 5 pixels" in result.summary.errors[str(folder / "tiny.png")]


def test_an_image_is_identified_alone_as_among_others(folder: Path, small_identifier: Path) -> None:
    together = {image.path: image for image in ddrscope.identify(folder, identifier=small_identifier)}
    (alone,) = ddrscope.identify(folder / "strip.png", identifier=small_identifier)
    other = together[alone.path]
    assert alone.identification and other.identification
    assert dict(alone.identification.probabilities) == pytest.approx(dict(other.identification.probabilities), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_file_holds_the_rows_of_memory(folder: Path, small_identifier: Path, tmp_path: Path, suffix: str) -> None:
    maps = tmp_path / "maps"
    out = tmp_path / f"x{suffix}"
    written = ddrscope.identify(folder, out=out, heatmap=maps, identifier=small_identifier)
    assert written.path == out and {path.name for path in maps.iterdir()} == {f"{name}.png" for name in GOOD}
    assert {path.name for path in tmp_path.iterdir()} == {
        "maps",
        out.name,
        f"{out.name}.manifest.json",
        f"{out.name}.images",
    }
    pd.testing.assert_frame_equal(
        written.to_frame(), ddrscope.identify(folder, identifier=small_identifier).to_frame(), rtol=0, atol=1e-6
    )
    with pytest.raises(RunConflictError, match="`overwrite`=True"):
        ddrscope.identify(folder, out=out, identifier=small_identifier)
    before = out.stat().st_mtime_ns
    again = ddrscope.identify(folder, out=out, heatmap=maps, identifier=small_identifier, resume=True)
    assert out.stat().st_mtime_ns == before and again.summary == written.summary


class Stop(NullProgress):
    """Interrupts a run after so many images."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, count: int = 1) -> None:
        self.left -= count
        if self.left < 0:
            raise KeyboardInterrupt


def squares(folder: Path, count: int) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8)).save(folder / f"{number:02d}.png")
    return folder


def test_an_interrupted_run_continues(small_identifier: Path, tmp_path: Path) -> None:
    images, out = squares(tmp_path / "squares", 40), tmp_path / "x.csv"
    with pytest.raises(KeyboardInterrupt):
        ddrscope.identify(images, out=out, identifier=small_identifier, progress=Stop(17))
    kept = len(list((tmp_path / "x.csv.parts" / "parts").glob("*.parquet")))
    assert kept and not out.exists()
    with pytest.raises(RunConflictError, match="tiles = 16, not 1"):
        ddrscope.identify(images, out=out, identifier=small_identifier, tiles=1, resume=True)
    result = ddrscope.identify(images, out=out, identifier=small_identifier, resume=True)
    assert [Path(image.path).name for image in result] == [f"{number:02d}.png" for number in range(40)]
    assert {path.name for path in tmp_path.iterdir()} == {"squares", "x.csv", "x.csv.images", "x.csv.manifest.json"}


def test_the_command_writes_and_sums_up(folder: Path, small_identifier: Path, tmp_path: Path) -> None:
    words = [folder, "--out", tmp_path / "x.parquet", "--identifier", small_identifier, "--json"]
    for more in ([], ["--resume"]):
        done = call_command("identify", *words, *more)
        assert done.returncode == 0
        summary = json.loads(done.stdout)
        assert (summary["rows"], summary["errors"]) == (8, 3) and sum(summary["groups"].values()) == 5
        assert all(name in done.stderr for name in BAD) and ("nothing to do" in done.stderr) == bool(more)


def test_the_command_prints_rows(folder: Path, small_identifier: Path) -> None:
    words = ["identify", folder / "fine.png", folder / "broken.png", "--identifier", small_identifier]
    lines = call_command(*words).stdout.splitlines()
    assert len(lines) == 2 and "broken.png" in lines[0] and "probability" in lines[1]
    broken, fine = json.loads(call_command(*words, "--json").stdout)
    assert broken.keys() == {"path", "error"} and fine["error"] is None
    assert list(fine)[:10] == "path type group probability level level_low level_high novelty unseen error".split()


@pytest.mark.parametrize(
    "words, reason",
    [
        (["x.png", "--out", "x.xlsx"], "--out x.xlsx: tables are written as .parquet, .csv, .jsonl"),
        (["x.png", "--tiles", "0"], "--tiles 0: give a number from 1 on, or all"),
        (["x.png", "--precision", "float16"], "--precision float16 is unknown: choose auto, float32, bfloat16"),
        (["x.png", "--cluster", "local"], "give --out"),
        (["nowhere"], "no such file or folder"),
        (["x.png", "--identifier", "none.safetensors"], "none.safetensors"),
    ],
)
def test_bad_options_are_named(words: list[str], reason: str) -> None:
    done = call_command("identify", *words)
    assert done.returncode == 2 and reason in done.stderr and done.stderr.count("\n") == 1


def test_bad_parameters_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match="`tiles`=0"):
        ddrscope.identify(folder, tiles=0)
    with pytest.raises(InputError, match="give `out`"):
        ddrscope.identify(folder, cluster="local")
