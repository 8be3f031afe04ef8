from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddrscope.degradations.distortions import DISTORTIONS, read_distortions
from ddrscope.errors import InputError
from ddrscope.identification.labelled_images import DistortionSampler, read_labelled_folder
from ddrscope.images import bundled_photos

FEW = DISTORTIONS[:3]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(bundled_photos().glob("*__1.png"))[:2]:
        Image.open(path).crop((0, 0, 160, 130)).save(folder / path.name)
    return folder


def test_every_level_of_every_distortion_is_drawn_anew_the_same(photos: Path) -> None:
    samples = list(DistortionSampler([photos], 96, FEW).every_level(repeats=2))
    assert len(samples) == 2 * 2 * (1 + 3) * 5
    assert sum(not sample.levels for sample in samples) == 20
    assert {sample.text.split(":")[0] for sample in samples if "lens_blur" in sample.levels} == {"lens_blur"}
    again = list(DistortionSampler([photos], 96, FEW).every_level(repeats=2))
    for index in (0, 7, 40):
        pixels = samples[index].load()
        assert pixels.shape == (96, 96, 3) and pixels.dtype == np.float32
        assert np.array_equal(pixels, again[index].load()) and samples[index].text == again[index].text
    other_seed = next(iter(DistortionSampler([photos], 96, FEW, seed=1).every_level()))
    assert not np.array_equal(samples[0].load(), other_seed.load())


def test_pairs_are_of_two_groups(photos: Path) -> None:
    sampler = DistortionSampler([photos], 64)
    groups = {distortion.name: distortion.group for distortion in DISTORTIONS}
    pairs = list(sampler.pairs(10))
    assert len(pairs) == 20
    for sample in pairs:
        assert len({groups[name] for name in sample.levels}) == 2 and min(sample.levels.values()) >= 2
        assert sample.text.count("+") == 1
    assert not list(DistortionSampler([photos], 64, FEW).pairs(10))


def test_small_photographs_are_refused(photos: Path) -> None:
    with pytest.raises(InputError, match="`side`=200"):
        next(iter(DistortionSampler([photos], 200).every_level())).load()


def test_labelled_folders(photos: Path, tmp_path: Path) -> None:
    image = Image.open(next(photos.iterdir()))
    for folder in ("clean", "scan", "scan/5", "jpeg/2"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / folder / "astronaut__1.png")
    samples = {sample.text.removeprefix(f"{tmp_path}/"): sample for sample in read_labelled_folder(tmp_path)}
    assert {name.rpartition("/")[0]: sample.levels for name, sample in samples.items()} == {
        "clean": {}, "scan": {"scan": 3}, "scan/5": {"scan": 5}, "jpeg/2": {"jpeg": 2},
    }  # fmt: skip
    assert {sample.photo for sample in samples.values()} == {"astronaut"}
    image.save(tmp_path / "stray.png")
    with pytest.raises(InputError, match="stray.png"):
        read_labelled_folder(tmp_path)


def test_distortions_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    levels = '["blur:1", ["blur:2", "noise:3"], "blur:3", "blur:4", "blur:5"]'
    path.write_text(f'[[distortion]]\nname = "scanner"\ngroup = "blur"\nlevels = {levels}\n')
    (scanner,) = read_distortions(path)
    assert [pipeline.text for pipeline in scanner.pipelines(2)] == ["blur:2", "noise:3"]
    for text, reason in (
        ('[[distortion]]\nname = "x"\ngroup = "y"\nlevels = ["blur:1"]\n', "has 1 levels: give 5"),
        (
            '[[distortion]]\nname = "x"\ngroup = "y"\nlevels = ["blr:1", "blur:1", "blur:1", "blur:1", "blur:1"]\n',
            "blur",
        ),
        ("nonsense", "is no list of distortions"),
        ('[[distortion]]\nname = "x"\n', "KeyError"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            read_distortions(path)
    with pytest.raises(InputError, match="no such file"):
        read_distortions(tmp_path / "none.toml")
