"""`analyze` with content groups that are folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddrscope.analysis import AnalysisResult, analyze
from ddrscope.errors import InputError


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Three photographs each of red and of blue noise, every one of another brightness."""
    random = np.random.default_rng(0)
    for folder, channel in (("red", 0), ("blue", 2)):
        (tmp_path / "classes" / folder).mkdir(parents=True)
        for number in range(3):
            pixels = random.integers(0, 60, size=(32, 32, 3), dtype=np.uint8)
            pixels[..., channel] += 120 + 10 * number
            Image.fromarray(pixels).save(tmp_path / "classes" / folder / f"{number}.png")
    return tmp_path / "classes"


def run(images: Path | list[str], **options: object) -> AnalysisResult:
    settings: dict = {"degradations": ["clean", "noise:20"], "layers": (), "crop": 32, "tsne_seeds": 1}
    return analyze("srresnet-wogr", images, content="folder", **(settings | options))


def test_folders_are_classes(classes: Path, tmp_path: Path) -> None:
    result = run(classes, out=tmp_path / "out")
    (pixels,) = (control for control in result.controls if control.kind == "pixels")
    share = {layer.view: layer.class_share for layer in pixels.layers}["pooled"]
    # The colour is that of the class.
    assert share is not None and share.low > 0.2 and share.low < share.value < share.high
    assert (result.content, result.content_groups, result.images) == ("folder", 2, 6)
    assert all("of 2 folders" in verdict.sentence for verdict in result.verdicts)
    written = json.loads((tmp_path / "out" / "analysis.json").read_text())
    assert written["content_groups"] == 2 and "class_share_low" in written["networks"][0]["layers"][0]
    assert "2 folders" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert AnalysisResult.load(tmp_path / "out").networks == result.networks
    # Whether a source is the parent of the folders or each of them.
    apart = run([str(classes / "blue"), str(classes / "red")])
    assert apart.content_groups == 2


def test_sets_have_the_folders_of_their_images(classes: Path, tmp_path: Path) -> None:
    shutil.copytree(classes, tmp_path / "other")
    sets = {"one": classes, "other": tmp_path / "other"}
    assert run([], degradations=(), sets=sets, crop=64).content_groups == 2


def test_what_cannot_be_classes_is_refused(classes: Path) -> None:
    with pytest.raises(InputError, match="one folder, red"):
        run(classes / "red")
    with pytest.raises(InputError, match="one photograph"):
        run(classes, photo_from="folder")


def test_results_without_the_number_of_groups_are_read(classes: Path, tmp_path: Path) -> None:
    analyze("srresnet-wogr", classes, ["clean", "noise:20"], layers=(), crop=32, tsne_seeds=1, out=tmp_path / "out")
    path = tmp_path / "out" / "analysis.json"
    values = json.loads(path.read_text())
    assert values.pop("content_groups") == 6
    path.write_text(json.dumps(values))
    assert AnalysisResult.load(tmp_path / "out").content_groups == 6
