"""Recipes, suites, lists of distortions, degradations and identifiers from someone who means harm."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from corrupt_files import NO_FILES, memory_below, write
from ddrscope.degradations import parse_degradation, parse_random_pipeline
from ddrscope.degradations.distortions import read_distortions
from ddrscope.errors import InputError
from ddrscope.generalization.suite import read_suite
from ddrscope.identification import load_identifier
from ddrscope.identification.files import bundled_identifier
from ddrscope.networks import load_network
from ddrscope.training import RECIPES, as_toml, make_recipe, parse_changes
from ddrscope.training.guidance import build_network


def refused(call: Callable[..., object], *given: object) -> str:
    """The one line that the call gives, of bounded length."""
    with pytest.raises(InputError) as caught:
        call(*given)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1500
    return str(caught.value)


# Degradations


@pytest.mark.parametrize(
    "text",
    [
        "jpeg:1" + "0" * 400,
        "jpeg:-1" + "0" * 400,
        "jpeg:" + "9" * 1900,
        "blur:1e999",
        "blur:-inf",
        "noise:nan",
        "blur:1" * 300,
        "clean+" * 300,
        "quantize:0x10",
        "blur:\0",
        "blur:4+" * 250 + "blur",
        "+" * 1999,
        "x" * 1999,
        ":" * 1999,
        "\udcff",
    ],
)
def test_numbers_and_texts_that_no_degradation_has(text: str) -> None:
    refused(parse_degradation, text)
    refused(parse_random_pipeline, text)


@pytest.mark.parametrize(
    "text", ["1" * 1_000_000, "blur:" + "1" * 1_000_000, "blur:2+" * 100_000, "+ " * 500_000, "1..2" * 250_000]
)
def test_texts_of_a_megabyte_are_not_searched(text: str) -> None:
    assert "characters" in refused(parse_degradation, text)
    assert "characters" in refused(parse_random_pipeline, text)


def test_digits_of_other_scripts_are_digits() -> None:
    assert parse_degradation("blur:\u0663").text == "blur:3"


# Files in TOML

BOMBS = {
    "nested": "a = " + "[" * 20_000,
    "tables": "damage = " + "{a = " * 5000,
    "dotted": "pixel." + "a." * 5000 + "b = 1",
    "deep": "channels" + ".a" * 5000 + " = 1",
    "digits": "seed = " + "9" * 5000,
    "hexadecimal": "seed = 0x" + "f" * 50_000,
    "long": "guide = 3\nbase = '" + "x" * 60_000 + "'",
    "infinite": "pixel.learning_rate = inf",
    "no number": "average = nan",
    "negative": "pixel.steps = -1",
    "large": "seed = 9223372036854775808",
    "date": "batch = 1979-05-27",
    "escape": 'scale = "\\u001b[2J"',
    "megabyte": "#" + "x" * 1_000_000,
    "nul": "seed = 1\0",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_recipes_that_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.toml").write_text(BOMBS[name])
    with memory_below(200):
        refused(make_recipe, str(tmp_path / "x.toml"))
        refused(read_suite, str(tmp_path / "x.toml"))
        refused(read_distortions, tmp_path / "x.toml")


@pytest.mark.parametrize("kind", NO_FILES)
def test_recipes_that_are_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.toml"
    NO_FILES[kind](path)
    refused(make_recipe, str(path))
    refused(read_suite, str(path))
    refused(read_distortions, path)


@pytest.mark.parametrize(
    "word",
    [
        "seed=" + "9" * 5000,
        "seed=" + "[" * 5000,
        "." * 1000 + "=1",
        "a." * 5000 + "b=1",
        "average=nan",
        "scale=inf",
        "guide=\udcff",
        "\udcff=1",
    ],
    ids=["digits", "nested", "dots", "tables", "nan", "inf", "guide", "key"],
)
def test_changes_that_are_none(word: str) -> None:
    refused(lambda: make_recipe("pilot", parse_changes([word])))


@pytest.mark.parametrize("guide", ['a"\nseed = 7\n#', "a\\", "\x7f\x01", "\U0001f600", "'''"])
def test_text_in_a_recipe_stays_text(tmp_path: Path, guide: str) -> None:
    """What a run writes down is what it was given, whatever the text would mean in TOML."""
    recipe = make_recipe("pilot", {"guide": guide})
    (tmp_path / "x.toml").write_text(as_toml(recipe), encoding="utf-8")
    assert make_recipe(str(tmp_path / "x.toml")) == recipe != RECIPES["pilot"]


@pytest.mark.parametrize("levels", ["[1, 2, 3, 4, 5]", "[[1], [2], [3], [4], [5]]", "3", "[[[]]]", "[]", "{a = 1}"])
def test_distortions_that_are_none(tmp_path: Path, levels: str) -> None:
    text = f'[[distortion]]\nname = "a"\ngroup = "b"\nlevels = {levels}'
    refused(read_distortions, write(tmp_path / "x.toml", text.encode()))


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the working directory is named trap:spring; the file is what it would leave."""
    (tmp_path / "trap.py").write_text(f"def spring():\n    open({str(tmp_path / 'sprung')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "trap", raising=False)
    return tmp_path / "sprung"


def test_a_recipe_runs_no_function(trap: Path) -> None:
    with pytest.raises(InputError, match="neither a checkpoint nor a name"):
        build_network(make_recipe("pilot", {"guidance": "ddr", "guide": "trap:spring"}))
    assert not trap.exists()
    with pytest.raises(InputError, match="trap:spring"):
        load_network("trap:spring")
    assert trap.exists()  # so the attack would have worked


# Identifiers


def identifier(path: Path, settings: object) -> Path:
    """The bundled identifier with other settings: some changed, or another text in their place."""
    with safe_open(bundled_identifier("ddr"), framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (no mapping)
        metadata = file.metadata()
    if isinstance(settings, dict):
        settings = json.dumps(json.loads(metadata["settings"]) | settings)
    save_file(tensors, path, metadata | {"settings": str(settings)})
    return path


def test_an_identifier_runs_no_function(tmp_path: Path, trap: Path) -> None:
    path = identifier(tmp_path / "x.safetensors", {"network": "trap:spring"})
    assert "neither a checkpoint nor a name" in refused(load_identifier, path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "settings",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "",
        "3",
        "[]",
        "null",
        "{}",
        {"network": None},
        {"network": ["srgan-wgr"]},
        {"network": "/dev/zero"},
        {"network": "x" * 5000 + ".pth"},
        {"network": "srgan-wogr"},
        {"types": 3},
        {"types": [1, 2]},
        {"folds": 10**9},
        {"folds": -1},
        {"folds": "many"},
        {"head": {"width": 100_000}},
        {"head": {"hidden": 10**9}},
        {"head": []},
        {"parts": [10**12]},
        {"parts": {"a": 1}},
        {"poolings": {"body.3": ["nothing"]}},
        {"poolings": 3},
        {"trunk": 3},
        {"trunk": {"widths": [8], "depths": [10**9], "hidden": 8, "types": 24}},
        {"trunk": {"widths": [2048] * 8, "depths": [2048] * 8, "hidden": 2048, "types": 24}},
        {"trunk": {"widths": [8], "depths": [0], "hidden": 8, "types": 24}},
        {"groups": 3},
        {"clean_share": float("nan")},
        {"about": "<script>"},
    ],
    ids=lambda settings: str(settings)[:30],
)
def test_identifiers_with_lying_settings(tmp_path: Path, settings: object) -> None:
    path = identifier(tmp_path / "x.safetensors", settings)
    with memory_below(400):
        refused(load_identifier, path)


def test_identifiers_that_are_none(tmp_path: Path) -> None:
    for name, make in NO_FILES.items():
        make(tmp_path / f"{name}.safetensors")
        refused(load_identifier, tmp_path / f"{name}.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors", {"format": "ddrscope identifier 1"})
    refused(load_identifier, tmp_path / "x.safetensors")
