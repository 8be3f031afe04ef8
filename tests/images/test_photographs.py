"""Which images are of one photograph, what that changes, and what is said where there are too few photographs."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from commands import call_command
from ddrscope.analysis import analyze
from ddrscope.errors import InputError
from ddrscope.generalization import generalize
from ddrscope.images import assign_photographs, find_images
from ddrscope.study.crops import write_crops

COUNT = 6
SMALL = {"crop": 32, "layers": ("body.0",), "views": ("pooled",), "tsne_seeds": 1}


def draw(path: Path, seed: int, taken: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8))
    exif = Image.Exif()
    if taken:
        exif[0x0110] = "Camera"
        exif.get_ifd(0x8769)[0x9003] = taken
    image.save(path, exif=exif)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        draw(tmp_path / "photos" / f"DSC__{number:03d}.png", number)
    return tmp_path / "photos"


def test_each_rule(tmp_path: Path) -> None:
    for number, name in enumerate(("a/x__1.jpg", "a/x__2.jpg", "b/y__1.jpg", "z.jpg")):
        draw(tmp_path / "in" / name, number, "2026:01:02 03:04:05" if name[0] in "az" else "")
    files = find_images([tmp_path / "in"])
    found = {
        rule: [file.photo for file in assign_photographs(files, rule)] for rule in ("prefix", "name", "folder", "exif")
    }
    assert found["prefix"] == ["a/x", "a/x", "b/y", "z"]
    assert found["name"] == ["a/x__1", "a/x__2", "b/y__1", "z"]
    assert found["folder"] == ["a", "a", "b", "in"]
    first, second, third, fourth = found["exif"]
    assert first == second == fourth != third == "b/y"


def test_exif_that_is_missing_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="photos.*exif|exif.*photos"):
        assign_photographs(find_images([folder]), "exif")


@pytest.mark.slow
def test_analyze_says_that_there_is_one_photograph_only(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = analyze("srresnet-wgr", folder, **SMALL)
    assert result.photos == 1
    assert not any("nan" in verdict.sentence for verdict in result.verdicts)
    (note,) = [note for note in result.notes if "DSC" in note]
    assert str(COUNT) in note


@pytest.mark.slow
def test_analyze_takes_each_file_for_a_photograph(folder: Path) -> None:
    result = analyze("srresnet-wgr", folder, photo_from="NAME", **SMALL)
    assert result.photos == COUNT and not any("DSC" in note for note in result.notes)
    last = result.networks[0].layers[-1]
    assert last.knn_accuracy.has_interval and last.degradation_share.has_interval


@pytest.mark.slow
def test_sets_of_one_image_stay_of_one_photograph(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for number in range(4):
            draw(tmp_path / name / f"{number}.png", number)
    sets = {name: tmp_path / name for name in ("one", "two")}
    assert analyze("srresnet-wgr", sets=sets, photo_from="folder", **SMALL | {"crop": 64}).photos == 1


@pytest.mark.slow
def test_an_interval_of_one_photograph_is_none(folder: Path) -> None:
    asked = {
        "images": folder,
        "degradations": ["blur:2", "noise:20"],
        "patch": 16,
        "patches": 24,
        "components": 4,
        "resamples": 50,
    }
    networks = ["srresnet-wgr", "srresnet-wogr"]
    result = generalize(networks, **asked)
    assert not any(row.srga.has_interval for row in (*result.scores, *result.ranking))
    assert result.ranking[1].apart is False and any("photograph" in note for note in result.notes)
    result = generalize(networks, photo_from="name", **asked)
    assert all(row.srga.low <= row.srga.high for row in result.ranking) and result.scores[0].photos == COUNT


@pytest.mark.slow
def test_a_map_takes_the_rule(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for group in range(2):
        names = [f"DSC__{number:03d}.png" for number in range(20)]
        features = list((random.normal(size=(20, 6)) + 5 * group).astype(np.float32))
        pd.DataFrame({"picture": names, "features": features}).to_parquet(tmp_path / f"{group}.parquet")
    accuracies = {}
    for rule in ("prefix", "name"):
        files = [tmp_path / f"{group}.parquet" for group in range(2)]
        done = call_command("map", *files, "--photo-from", rule, "--out", tmp_path / rule)
        assert done.returncode == 0 and bool(re.search("photo.from", done.stderr)) == (rule == "prefix")
        accuracies[rule] = json.loads((tmp_path / rule / "map.json").read_text())["measures"]["knn_plane_sampled"]
    assert accuracies["prefix"] is None and accuracies["name"] > 0.9


@pytest.mark.parametrize("words", [(), ("--photo-from", "folder")])
def test_an_identifier_says_at_once_that_it_needs_photographs(folder: Path, words: tuple[str, ...]) -> None:
    out = folder.parent / "mine.safetensors"
    done = call_command("fit-identifier", "--images", folder, "--side", 64, *words, "--out", out)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and "--photo-from name" in line and not out.exists()


def test_the_crops_of_a_study_keep_their_photographs_apart(folder: Path, tmp_path: Path) -> None:
    assert write_crops(str(folder), tmp_path / "crops", 2, 16, limit=COUNT, photo_from="name") == COUNT
    assert len({file.photo for file in find_images([tmp_path / "crops"])}) == COUNT
