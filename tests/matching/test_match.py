"""`match` on photographs that were degraded by a known chain, and its command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ddrscope
from commands import call_command
from ddrscope.degradations.chains import parse_chain
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.matching import fitting
from ddrscope.matching.configs import TARGETS
from ddrscope.matching.describing import ContentFree
from ddrscope.matching.judging import Points, block_statistics, made_or_real, split_discrepancy
from ddrscope.training import make_recipe

FILES = find_images([bundled_photos()])
# Photographs that real images are made of, and the others.
PHOTOS = sorted({file.photo for file in FILES})
REAL, CLEAN = ([file for file in FILES if (PHOTOS.index(file.photo) % 2 == 0) is real] for real in (True, False))


def write(folder: Path, text: str, turns: int = 2) -> Path:
    """LR images of 64 pixels: photographs, turned, and degraded by chains like ``text``."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file in REAL:
        for turn in range(turns):
            pixels = np.ascontiguousarray(np.rot90(read_image(file).pixels, turn))
            made = parse_chain(text.format(sigma=rng.uniform(8, 14))).apply(pixels, rng)
            Image.fromarray(np.rint(made * 255).astype(np.uint8)).save(folder / f"{file.path.stem}-{turn}.png")
    return folder


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("real") / "noisy", "blur:4+resize:0.25,bicubic+noise:{sigma:.1f}")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(file.path) for file in CLEAN]


@pytest.fixture(scope="module")
def whole(noisy: Path, clean: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[ddrscope.MatchResult, Path]:
    out = tmp_path_factory.mktemp("matched") / "out"
    return ddrscope.match(noisy, out, hr=clean, chains=150), out


def test_the_recipe_has_what_the_images_have(whole: tuple[ddrscope.MatchResult, Path]) -> None:
    result, _ = whole
    steps = {(step.place, step.role): step for step in result.recipe.steps()}
    assert steps["after", "noise"].probability > 0.8
    sigma = [use.numbers["level"].median for name, use in steps["after", "noise"].kinds.items() if name == "noise"]
    assert sigma and 6 < sigma[0] < 17
    assert steps["before", "blur"].probability > 0.7
    matched, bicubic = (result.resemblance[name] for name in ("matched", "bicubic"))
    assert bicubic.by_network.value > 0.95 and matched.by_network.value < bicubic.by_network.value - 0.05
    assert matched.discrepancy.value < bicubic.discrepancy.value / 5
    assert not result.nothing_to_match and "the images: a classifier recognizes made ones" in result.verdict()
    noise = next(each for each in result.alternatives if each.what == "noise")
    assert noise.given_as_good and not noise.without_as_good and not noise.unknown


def test_its_files_can_be_used(whole: tuple[ddrscope.MatchResult, Path]) -> None:
    result, out = whole
    recipe = ddrscope.DegradationRecipe.load(out / "recipe.json")
    assert recipe.steps()[0].role == result.recipe.steps()[0].role
    summary = json.loads((out / "match.json").read_text())
    assert summary["verdict"] == result.verdict() and len(summary["steps"]) == len(result.recipe.steps())
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 1000
    assert len(list((out / "configs").iterdir())) == len(TARGETS)
    (trained,) = make_recipe(str(out / "configs" / "ddrscope.toml")).distributions()
    assert isinstance(trained, ddrscope.DegradationRecipe) and trained.to_json() == recipe.to_json()
    assert not (out / "parts").exists()


@pytest.mark.slow
def test_a_run_that_died_goes_on_and_ends_alike(
    whole: tuple[ddrscope.MatchResult, Path],
    noisy: Path,
    clean: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    make = fitting.Search.make

    def dying(self: fitting.Search, number: int, *rest: Any) -> fitting.Bank:
        made.append(number)
        if made == [0, 1]:
            raise KeyboardInterrupt
        return make(self, number, *rest)

    monkeypatch.setattr(fitting.Search, "make", dying)
    with pytest.raises(KeyboardInterrupt):
        ddrscope.match(noisy, tmp_path / "out", hr=clean, chains=150)
    result = ddrscope.match(noisy, tmp_path / "out", hr=clean, chains=150, resume=True)
    # The first bank was kept.
    assert made == [0, 1, 1, 2, 3]
    assert result.recipe.to_json() == whole[0].recipe.to_json()


@pytest.mark.slow
def test_images_that_were_only_shrunk_have_nothing_to_match(clean: list[str], tmp_path: Path) -> None:
    shrunk = write(tmp_path / "shrunk", "resize:0.25,bicubic")
    (shrunk / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (30, 30)).save(shrunk / "small.png")
    words = ["--hr", CLEAN[0].path.parent, "--chains", 100, "--out", tmp_path / "out"]
    done = call_command("match", shrunk, *words)
    assert done.returncode == 0, done.stderr
    assert "Nothing to match" in done.stderr + done.stdout
    assert "broken.png: " in done.stderr and "small.png: smaller than 64 x 64 pixels" in done.stderr


def test_bad_input_is_one_line(noisy: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey"
    grey.mkdir()
    for index in range(8):
        Image.new("RGB", (128, 128), (90, 90, 90)).save(grey / f"{index}.png")
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(noisy.iterdir())[:3]:
        (few / path.name).write_bytes(path.read_bytes())
    for words, said in (
        ([few], "images with"), ([grey], "0 images with 0 tiles"), ([noisy, "--hr", few], "6 are needed, a third of them to judge"),
        ([noisy, "--scale", 9], "scale"), ([noisy, "--tiles", 30], "tiles"),
    ):  # fmt: skip
        done = call_command("match", *words, "--out", tmp_path / "out")
        assert done.returncode == 2 and said in done.stderr, done.stderr
    with pytest.raises(InputError, match="`chains`=5"):
        ddrscope.match(noisy, hr=few, chains=5)


@pytest.mark.slow
def test_a_scale_that_a_program_does_not_know_costs_its_configuration_only(noisy: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    for file in CLEAN:
        pixels = np.kron(read_image(file).pixels, np.ones((2, 2, 1), np.float32))
        Image.fromarray(np.uint8(255 * pixels)).save(large / f"{file.path.stem}.png")
    (large / "broken.png").write_bytes(b"no image")
    result = ddrscope.match(noisy, tmp_path / "out", hr=large, scale=5, chains=100)
    assert len(list((tmp_path / "out" / "configs").iterdir())) < len(TARGETS)
    assert any("no configuration for ddrscope" in note for note in result.notes)
    assert [Path(each.path).name for each in result.skipped] == ["broken.png"]


def test_an_overwrite_that_is_refused_leaves_the_earlier_result(noisy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("manifest.json", "recipe.json"):
        (out / name).write_text("{}")
    few = tmp_path / "few"
    few.mkdir()
    Image.new("RGB", (99, 99)).save(few / "a.png")
    done = call_command("match", few, "--hr", CLEAN[0].path.parent, "--out", out, "--overwrite")
    assert done.returncode == 2 and "can be used" in done.stderr and (out / "recipe.json").exists()


def test_directions_measure_degradations_in_units_of_content() -> None:
    rng = np.random.default_rng(0)
    chains = np.repeat(np.arange(60), 4)
    # Content varies along the first axis only; degradations along the second.
    features = rng.normal(0, 0.05, (240, 6))
    features[:, 0] += rng.normal(0, 10, 240)
    features[:, 1] += np.repeat(rng.normal(0, 1, 60), 4)
    project = ContentFree.fit(features, chains)
    points = project(features)
    assert abs(np.corrcoef(points[:, 0], features[:, 1])[0, 1]) > 0.99
    inner = points - np.repeat(points.reshape(60, 4, -1).mean(1), 4, axis=0)
    # Unbiased: each of 60 chains has lost a degree of freedom.
    assert (np.square(inner).sum(0) / 180).max() < 1.1


def test_a_classifier_tells_sets_apart_only_if_they_differ() -> None:
    rng = np.random.default_rng(0)
    first, second = (Points(rng.normal(size=(160, 8)), np.repeat(np.arange(40).astype(str), 4)) for _ in range(2))
    assert made_or_real(first, second).value == pytest.approx(0.5, abs=0.09)
    moved = Points(second.features + 1.5, second.photos)
    assert made_or_real(first, moved).value > 0.9
    assert abs(split_discrepancy(first)) < 0.02
    assert np.isnan(split_discrepancy(Points(first.features[:8], first.photos[:8])))


def test_block_statistics_see_the_grid_of_a_jpeg() -> None:
    tile = read_image(FILES[0]).pixels[:64, :64][None]
    jpeg = parse_chain("resize:1,bicubic+jpeg:30").apply(tile[0], np.random.default_rng(0))[None]
    before, after = block_statistics(tile), block_statistics(jpeg)
    on_grid, off_grid = slice(0, 64), slice(64, 128)
    assert (before - after)[0, on_grid].mean() > (before - after)[0, off_grid].mean() + 0.05
