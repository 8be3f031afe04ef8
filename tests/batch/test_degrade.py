"""Degrading image files into a directory, as a function and as a command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ddrscope
from commands import call_command
from ddrscope.errors import InputError, RunConflictError

PIXELS = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An 8-bit image, floats in a subfolder, and a broken file."""
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    Image.fromarray(PIXELS).save(tmp_path / "photos" / "a.png")
    np.save(tmp_path / "photos" / "inner" / "b.npy", PIXELS.astype(np.float32) / 255)
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing more")
    return tmp_path / "photos"


def test_the_result_in_python(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = ddrscope.degrade(folder, out, degradation="blur:1 + noise:10", scale=2, seed=4)
    assert (result.degradation, result.scale, result.written) == ("blur:1+noise:10", 2, 2)
    assert list(result.skipped) == [str(folder / "broken.png")] and len(result.notes) == 1
    assert result.to_frame()["out"].dropna().tolist() == [str(out / "a.png"), str(out / "inner" / "b.png")]
    expected = ddrscope.parse_degradation("blur:1+noise:10").apply(PIXELS / np.float32(255), seed=4, scale=2)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a.png")), np.rint(expected * 255))
    assert "a.png" in result._repr_html_()


def test_a_folder_that_is_not_empty_is_refused_and_other_images_are_reported(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ddrscope.degrade(folder, out, degradation="clean")
    with pytest.raises(RunConflictError, match="`overwrite`=True"):
        ddrscope.degrade(folder / "a.png", out, degradation="blur:2")
    result = ddrscope.degrade(folder / "a.png", out, degradation="blur:2", overwrite=True)
    assert any("inner/b.png" in note for note in result.notes)
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InputError, match="is a file"):
        ddrscope.degrade(folder, tmp_path / "file", degradation="clean")


def test_without_a_readable_image_the_reason_is_given(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no image could be read: .*broken\.png"):
        ddrscope.degrade(folder / "broken.png", tmp_path / "out", degradation="clean")


def test_the_command_prints_the_result(folder: Path, tmp_path: Path) -> None:
    done = call_command("degrade", folder, "--degrade", "jpeg:30", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["written"], summary["degradation"], summary["scale"]) == (2, "jpeg:30", 1)
    assert list(summary["skipped"]) == [str(folder / "broken.png")] and "broken.png" in done.stderr
    refused = call_command("degrade", folder, "--degrade", "jpeg:30", "--out", tmp_path / "out")
    assert refused.returncode == 2 and "--overwrite" in refused.stderr


def test_a_recipe_gives_each_image_a_chain_and_the_same_one_again(tmp_path: Path) -> None:
    texts = ["resize:0.25,bicubic", "blur:3+resize:0.25,box+noise:20"]
    recipe = ddrscope.DegradationRecipe(4, tuple(map(ddrscope.parse_chain, texts)), np.array([0.5, 0.5]))
    path = recipe.save(tmp_path / "recipe.json")
    photos = ddrscope.bundled_photos()
    first = ddrscope.degrade(photos, tmp_path / "a", recipe=path)
    again = ddrscope.degrade(photos, tmp_path / "b", recipe=recipe)
    other = ddrscope.degrade(photos, tmp_path / "c", recipe=recipe, seed=1)
    assert first.scale == 4 and first.written == len(first.images)
    pixels = [[ddrscope.read_image(image.out).pixels for image in run.images] for run in (first, again, other)]
    assert all(image.shape == (64, 64, 3) for image in pixels[0])
    assert all(np.array_equal(one, two) for one, two in zip(pixels[0], pixels[1], strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(pixels[0], pixels[2], strict=True))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--degrade or --recipe is needed"),
        (["--degrade", "blur:1", "--recipe", "x.json"], "--degrade or --recipe is needed, and not both"),
        (["--recipe", "none.json"], "no such file: none.json"),
        (["--recipe", "x.json", "--scale", "2"], "--recipe has its own scale"),
    ],
)
def test_a_bad_choice_of_degradation_and_recipe_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    done = call_command("degrade", ddrscope.bundled_photos(), *words, "--out", tmp_path / "out")
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
