"""Figures with names in scripts that the default font lacks: drawn by another font or as boxes, without a warning."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

from commands import call_command
from ddrscope.analysis import analyze
from ddrscope.generalization import generalize
from ddrscope.viz.fonts import Figure, plain

# Japanese; an emoji; a character of no script; a formula's dollars.
NAMES = ["日本語", "\U0001f600", "\U000f0000", "$x^{2$"]


def drawn(figure: Figure, kind: str) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(
            stream, format=kind, metadata={"Date" if kind == "svg" else "CreationDate": None} if kind != "png" else None
        )
    return stream.getvalue()


def titled(name: str, **style: object) -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    panel = figure.subplots()
    panel.set_title(plain(name), **style)
    panel.plot([0, 1], [0, 1], label=plain(name))
    panel.set_xticks([0, 1], [plain(name), "b"])
    panel.legend()
    figure.suptitle(plain(name))
    return figure


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_any_name_is_drawn_without_a_warning(name: str, kind: str) -> None:
    assert drawn(titled(name), kind)
    assert drawn(titled(f"{name} עברית", fontweight="bold"), kind)


def test_a_font_that_is_installed_stands_in(tmp_path: Path) -> None:
    char = "\U000f0001"
    boxes = drawn(titled(char), "png")
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 700), (600, 0)):
        (pen.moveTo if point == (0, 0) else pen.lineTo)(point)
    pen.closePath()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "mark"])
    font.setupCharacterMap({ord(char): "mark"})
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "mark": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (500, 0), "mark": (600, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Only One Mark", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "mark.ttf")
    before = list(font_manager.fontManager.ttflist)
    font_manager.fontManager.addfont(tmp_path / "mark.ttf")
    try:
        assert plain(char) == char
        assert drawn(titled(char), "png") != boxes and drawn(titled(char), "pdf")
    finally:
        font_manager.fontManager.ttflist = before


@pytest.mark.slow
def test_commands_with_a_japanese_file_say_nothing_of_fonts(
    tmp_path: Path, tiny_network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (130, 130, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "日本語.png")
    for words in (
        ("identify", "日本語.png", "--tiles", "1", "--heatmap", "maps"),
        ("upscale", "日本語.png", "--network", tiny_network_file, "--out", "large", "--compare", "--no-identify"),
    ):
        done = call_command(*words)
        assert done.returncode == 0 and "Warning" not in done.stderr and "lyph" not in done.stderr, done.stderr
    assert (tmp_path / "maps" / "日本語.png.png").is_file() and (
        tmp_path / "large" / "compare" / "日本語.png"
    ).is_file()


@pytest.mark.slow
def test_results_with_japanese_sets_and_networks_say_nothing_of_fonts(tmp_path: Path) -> None:
    for name in ("写真", "画像"):
        (tmp_path / name).mkdir()
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 256, (48, 48, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"猫{number}.png")
    sets = {name: tmp_path / name for name in ("写真", "画像")}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Gg]lyph.*")
        analyze("srresnet-wgr", sets=sets, crop=64, layers=("body.0",), views=("pooled",), tsne_seeds=1).save(
            tmp_path / "look"
        )
        generalize("srresnet-wgr", sets=sets, reference="写真", patches=8, patch=32, components=1, resamples=3).save(
            tmp_path / "scores"
        )
