"""Training on the chains of a recipe of `ddrscope.match`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import ddrscope
from ddrscope.degradations import DegradationChain
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from ddrscope.training import PhotoPairs, Training, make_recipe, parse_changes

TINY = ["channels=4", "blocks=1", "batch=2", "patch=8", "precision=float32", "pixel.steps=3", "adversarial.steps=0"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in sorted(bundled_photos().glob("*__1.png"))[:3]:
        Image.open(path).crop((0, 0, 128, 96)).save(folder / path.name)
    return folder


def saved(path: Path, scale: int = 4, text: str = "blur:4+resize:{share},box+noise:30") -> Path:
    chains = tuple(ddrscope.parse_chain(each.format(share=1 / scale)) for each in (text, "resize:{share},bicubic"))
    return ddrscope.DegradationRecipe(scale, chains, np.array([0.5, 0.5])).save(path)


def matched(path: Path, *changes: str):  # type: ignore[no-untyped-def]
    return make_recipe("compact", parse_changes([*TINY, f"degradation_recipe={path}", *changes]))


def test_patches_are_degraded_by_drawn_chains_and_stay_in_place(photos: Path, tmp_path: Path) -> None:
    recipe = matched(saved(tmp_path / "recipe.json"))
    pairs = PhotoPairs(photos, 4)
    drawn = pairs.patches(0, 1, 40, 8, recipe.distributions())
    again = pairs.patches(0, 1, 40, 8, recipe.distributions())
    clean = pairs.patches(0, 1, 40, 8)
    assert drawn.small.shape == clean.small.shape and bool((drawn.small == again.small).all())
    assert all(isinstance(chain, DegradationChain) for chain in drawn.pipelines)
    noisy = np.array(["noise" in chain.text for chain in drawn.pipelines])
    assert 8 < noisy.sum() < 32
    # Patches without noise and blur are where the large ones are.
    small, large = drawn.small[~noisy], drawn.large[~noisy]
    shrunk = large.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))
    assert float((small - shrunk).abs().mean()) < 0.03
    assert (
        float((drawn.small[noisy] - drawn.large[noisy].unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))).abs().mean())
        > 0.05
    )


def test_a_training_says_so_and_notices_a_changed_file(photos: Path, tmp_path: Path) -> None:
    path = saved(tmp_path / "recipe.json")
    pairs = PhotoPairs(photos, 4)
    training = Training(matched(path), pairs, pairs, tmp_path / "run")
    training.run(lambda _: None)
    with safe_open(training.pixel.weights, "np") as weights:
        assert "trained on a matched recipe of degradations" in weights.metadata()["description"]
    assert [c.text for c in ddrscope.DegradationRecipe.load(tmp_path / "run" / "degradation_recipe.json").chains] == [
        c.text for c in ddrscope.DegradationRecipe.load(path).chains
    ]
    saved(path, text="blur:2+resize:{share},box")
    with pytest.raises(InputError, match="degradation_recipe"):
        Training(matched(path, "pixel.steps=3"), pairs, pairs, tmp_path / "run").run(lambda _: None)


@pytest.mark.parametrize(
    ("scale", "changes", "said"),
    [
        (4, ['degradations=["blur:1"]'], "give degradations=\\[\\]"),
        (2, [], "for scale 2, not 4"),
        (4, ["guidance=oracle"], "oracle knows no degradation_recipe"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, scale: int, changes: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        matched(saved(tmp_path / "recipe.json", scale), *changes)
    with pytest.raises(InputError, match="no such file"):
        matched(tmp_path / "none.json")
