from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ddrscope.degradations import shrink
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from ddrscope.training import PhotoPairs, Training, make_recipe
from ddrscope.training.quality import psnr_y

TINY = {"channels": 4, "blocks": 1, "batch": 2, "patch": 8, "steps": 6}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(bundled_photos().glob("*__1.png"))[:3]:
        Image.open(path).crop((0, 0, 128, 96)).save(folder / path.name)
    return folder


def test_pairs_show_the_same_place(photos: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    small, large = pairs.patches(step=3, seed=1, batch=4, size=16)
    assert small.shape == (4, 3, 16, 16) and large.shape == (4, 3, 64, 64)
    for one, other in zip(small, large, strict=True):
        shrunk = shrink(other.permute(1, 2, 0).numpy(), 4)
        inside = np.s_[2:-2, 2:-2]
        assert np.abs(shrunk[inside] - one.permute(1, 2, 0).numpy()[inside]).mean() < 0.01
    again, _ = pairs.patches(step=3, seed=1, batch=4, size=16)
    other_step, _ = pairs.patches(step=4, seed=1, batch=4, size=16)
    assert torch.equal(small, again) and not torch.equal(small, other_step)


def test_photographs_smaller_than_the_patch_are_refused(photos: Path) -> None:
    with pytest.raises(InputError, match="smaller than the training patch of 160"):
        PhotoPairs(photos, 4, smallest=40)


def test_a_training_broken_off_and_resumed_ends_bit_equal(photos: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    recipe, pairs = make_recipe("compact", **TINY), PhotoPairs(photos, 4)
    Training(recipe, pairs, pairs, tmp_path / "whole").run(lambda _: None, checkpoint_every=1, validate_every=3)

    def break_off(progress: object) -> None:
        if getattr(progress, "step", 0) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(recipe, pairs, pairs, tmp_path / "broken").run(break_off, checkpoint_every=2, validate_every=3)
    resumed = Training(recipe, pairs, pairs, tmp_path / "broken")
    assert resumed.step == 2
    resumed.run(lambda _: None, checkpoint_every=2, validate_every=3)
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["network"] for name in ("whole", "broken")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    weights = load_file(tmp_path / "broken" / "weights.safetensors")
    assert weights["conv_first.weight"].dtype == torch.float16
    with pytest.raises(InputError, match="begun with blocks = 1, not 2"):
        Training(make_recipe("compact", **TINY | {"blocks": 2}), pairs, pairs, tmp_path / "broken")


def test_a_training_learns(photos: Path, tmp_path: Path) -> None:
    recipe = make_recipe("compact", **TINY | {"steps": 60, "warmup_steps": 5, "average": 0.9})
    pairs = PhotoPairs(photos, 4)
    training = Training(recipe, pairs, pairs, tmp_path)
    before = np.mean([row.psnr for row in training.judge(pairs)])
    training.run(lambda _: None)
    after = np.mean([row.psnr for row in training.judge(pairs)])
    assert after > before + 1


def test_psnr_of_a_known_difference() -> None:
    one = np.zeros((8, 8, 3), np.float32)
    # A grey step of 1/255 moves Y by 219/255.
    other = one + np.float32(1 / 255)
    assert psnr_y(one, other, 0) == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-3)
    other[0] = 1
    assert psnr_y(one, other, 1) == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-3)
