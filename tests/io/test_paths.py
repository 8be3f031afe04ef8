"""`~` and environment variables in every path: one meaning in all commands, in lists, and in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import call_command
from ddrscope.analysis.read_inputs import read_inputs
from ddrscope.analysis.settings import AnalysisSettings
from ddrscope.errors import InputError
from ddrscope.generalization import read_suite
from ddrscope.images import find_images, read_image
from ddrscope.io.paths import expand
from ddrscope.networks import load_network
from ddrscope.training import make_recipe


def run(*words: object) -> int:
    return call_command(*words).returncode


def draw(path: Path, side: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder, and a working directory beside it."""
    for folder in ("home", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLACE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    draw(tmp_path / "home" / "photos" / "a.png")
    draw(tmp_path / "home" / "photos" / "b.png")
    return tmp_path / "home"


def left_in_work() -> set[str]:
    return {path.name for path in Path.cwd().rglob("*")}


@pytest.mark.parametrize("prefix", ["~", "$PLACE", "${PLACE}"])
def test_out_and_images_lead_home(home: Path, prefix: str) -> None:
    assert run("degrade", f"{prefix}/photos", "--degrade", "blur:2", f"--out={prefix}/blurred") == 0
    assert {path.name for path in (home / "blurred").iterdir()} == {"a.png", "b.png"} and not left_in_work()


@pytest.mark.slow
def test_tables_and_networks_lead_home(home: Path) -> None:
    draw(home / "photos" / "c.png", 130)
    assert run("identify", "~/photos/c.png", "--tiles", 1, "--out=~/found.csv", "--heatmap=~/maps", "--threads", 1) == 0
    assert (home / "found.csv").is_file() and (home / "maps" / "c.png.png").is_file()
    assert run("models", "export", "srresnet-wgr", "~/mine") == 0
    words = ("--images=~/photos", "--crop", 32, "--view", "pooled", "--layer", "body.0")
    assert run("features", "~/mine/model.safetensors", *words, "--out=$PLACE/a.parquet") == 0
    assert (home / "a.parquet").is_file() and not left_in_work()


@pytest.mark.parametrize(
    "words",
    [
        ("analyze", "~/gone.pth", "--out", "x"),
        ("analyze", "--checkpoints", "s=~/gone/*.pth", "--out", "x"),
        ("analyze", "--set", "a=~/gone", "--set", "b=~/gone", "--out", "x"),
        ("generalize", "srresnet-wgr", "--suite", "~/gone.toml", "--out", "x"),
        ("fit-identifier", "--labelled", "~/gone", "--out", "x.safetensors"),
        ("fit-identifier", "--images", "~/photos", "--distortions", "~/gone.toml", "--out", "x.safetensors"),
        ("identify", "~/photos", "--identifier", "~/gone.safetensors"),
        ("map", "a=~/gone.parquet", "--out", "x"),
        ("upscale", "~/photos", "--network", "~/gone.pth", "--out", "x"),
        ("train", "~/gone.toml", "--images", "~/photos", "--val", "~/photos", "--out", "x"),
        ("train", "compact", "--images", "~/photos", "--val", "~/gone", "--out", "x", "patch=8"),
        ("serve", "--results", "~/gone"),
        ("models", "show", "~/gone"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_what_is_missing_is_looked_for_at_home(home: Path, words: tuple[str, ...]) -> None:
    done = call_command(*words)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and str(home / "gone") in line


def test_list_files_lead_home_and_name_what_is_missing_as_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    listed = home.parent / "work" / "list.txt"
    listed.write_text("~/photos/a.png\n$PLACE/photos/b.png\n$SECRET.png\n")
    found = {Path(file.path) for file in find_images([listed])}
    assert {home / "photos" / "a.png", home / "photos" / "b.png"} < found
    # What a variable holds must not get into tables by a list from elsewhere.
    assert not any("hidden" in str(path) for path in found)


def test_names_that_look_like_a_variable_or_a_home_stay_within_reach(home: Path) -> None:
    for name in ("$PLACE.png", "a$HOME.png", "~", "~.png", "~nobody-here.png"):
        draw(Path(name))
    draw(Path("$PLACE") / "x.png")
    for source in (
        "$PLACE.png",
        "a$HOME.png",
        "./~",
        "././~",
        "~.png",
        "~nobody-here.png",
        "$PLACE/x.png",
        "$PLACE/*.png",
    ):
        (file,) = find_images([source])
        assert Path(file.path).is_relative_to(home.parent / "work"), source
        assert read_image(file).pixels.shape == (40, 40, 3)
    Path("list.txt").write_text("./~\na$HOME.png\n$PLACE/x.png\n")
    assert {Path(file.path).name for file in find_images(["list.txt"])} == {"~", "a$HOME.png", "x.png"}
    assert run("degrade", "./~", "--degrade", "blur:1", "--out=./~out") == 0
    assert Path("~out", "~.png").is_file()


def test_expanding_twice_is_expanding_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILDE", "~/photos")
    for text in (
        "~",
        "~/x",
        "./~",
        "./~/x",
        "$PLACE/x",
        "$TILDE",
        "plain/x",
        "s3://bucket/$PLACE",
        "$UNKNOWN_NAME/x",
        "~nobody-here",
    ):
        once = expand(text)
        assert expand(once) == once == expand(str(Path(once))) or "://" in text
    assert expand("$TILDE") == str(home / "photos") and expand("s3://bucket/$PLACE") == "s3://bucket/$PLACE"


def test_python_takes_the_same_paths(home: Path) -> None:
    settings = AnalysisSettings(degradations=(), sets={"a": "~/photos", "b": "$PLACE/photos"}, crop=32)
    assert len(read_inputs(settings, 4, 3).rows) == 4
    (home / "suite.toml").write_text('sets = ["clean", "blur:2"]\n')
    assert read_suite("~/suite.toml") == ["clean", "blur:2"]
    (home / "recipe.toml").write_text("channels = 8\n")
    assert make_recipe("$PLACE/recipe.toml").channels == 8
    with pytest.raises(InputError, match=str(home)):
        load_network("~/gone.pth")
