"""`ddrscope.generalize`: scores, ranking, files, the choice of images, bad input."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.generalization import GeneralizationResult, GeneralizationSettings, generalize, read_suite
from ddrscope.generalization import decoded_images as decoded_images_module
from ddrscope.generalization.decoded_images import DecodedImages
from ddrscope.generalization.patches import PatchCutter
from ddrscope.generalization.plan import plan_sets
from ddrscope.generalization.ranking import psnr_correlation, rank
from ddrscope.images import ImageFile, LoadedImage, bundled_photos, find_images, read_image
from ddrscope.networks import Network, save_network
from ddrscope.networks.architectures.srresnet import SRResNet
from ddrscope.viz.generalization_figures import srga_figure

SMALL = {"patches": 48, "patch": 64, "components": 20, "resamples": 200}
SETS = ("blur:1", "blur:4", "noise:20")


def small_network(name: str, seed: int, scale: int = 4) -> Network:
    torch.manual_seed(seed)
    module = SRResNet(channels=8, blocks=2, scale=scale)
    return Network(name, module, scale, 3, "SRResNet", last_hr_layer="conv_last:input", sha256=name)


@pytest.fixture(scope="module")
def result() -> GeneralizationResult:
    return generalize([small_network("one", 0), small_network("other", 1)], degradations=SETS, **SMALL)


@pytest.mark.slow
def test_scores_intervals_and_ranking(result: GeneralizationResult, tmp_path: Path) -> None:
    frame = result.to_frame()
    assert set(frame["set"]) == {"clean", *SETS} and len(frame) == 8
    clean = frame[frame["set"] == "clean"]
    assert (clean["srga"] == 0).all() and (clean["srga_low"] == 0).all() and (clean["floor"] > 0).all()
    rest = frame[frame["set"] != "clean"]
    assert ((rest["srga_low"] < rest["srga"]) & (rest["srga"] < rest["srga_high"])).all()
    assert (frame["patches"] == 48).all() and (frame["photos"] == 16).all() and np.isfinite(frame["psnr"]).all()
    assert result.score("one", "blur:4").srga.value > result.score("one", "blur:1").srga.value
    for name in ("one", "other"):
        # Only if truth and patches show the same places does a slight blur cost less than a strong one.
        clean_psnr, slight, strong = (result.score(name, text).psnr for text in ("clean", "blur:1", "blur:4"))
        assert clean_psnr > slight > strong
    first, second = result.ranking
    assert first.srga.value <= second.srga.value and first.difference is first.apart is None
    assert second.difference is not None and second.apart == (second.difference.low > 0)
    page = result.save(tmp_path)
    assert page.read_text().count("<img") == 3
    assert (tmp_path / "figures" / "srga.png").is_file() and (tmp_path / "generalization.csv").is_file()
    loaded = GeneralizationResult.load(tmp_path)
    assert loaded.to_frame().equals(frame) and loaded.ranking == result.ranking and loaded.networks == result.networks


@pytest.mark.slow
def test_the_files_have_the_documented_columns(result: GeneralizationResult, tmp_path: Path) -> None:
    result.save(tmp_path)
    columns = (
        "network set patches layer scale floor error srga srga_low srga_high kl sigma shape photos distinguishable psnr"
    )
    assert list(pd.read_csv(tmp_path / "generalization.csv").columns) == columns.split()
    data = json.loads((tmp_path / "generalization.json").read_text())
    keys = "scores srga_and_psnr reference networks settings notes skipped manifest ranking"
    assert list(data) == keys.split()
    assert list(data["scores"][0]) == [*columns.split(), "histogram"]
    ranking = "place network srga srga_low srga_high difference difference_low difference_high apart"
    assert list(data["ranking"][1]) == ranking.split()
    assert data["settings"] == data["manifest"]["settings"] and data["scores"][0]["layer"] == "conv_last:input"


@pytest.mark.slow
def test_the_severity_grows_to_the_right_in_every_panel() -> None:
    texts = ("noise:5", "noise:20", "jpeg:60", "jpeg:20", "jpeg2000:4", "jpeg2000:64", "poisson:300", "poisson:30")
    figure = srga_figure(generalize([small_network("one", 0)], degradations=texts, **SMALL))
    inverted = {panel.get_xlabel(): panel.xaxis_inverted() for panel in figure.axes}
    assert inverted == {
        "noise: sigma of 255": False,
        "JPEG quality": True,
        "level of jpeg2000": False,
        "level of poisson": True,
    }


def test_one_degradation_has_one_text_and_two_files_of_one_name_are_two_networks(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        module = small_network("best", seed=ord(folder)).module
        save_network(
            tmp_path / folder / "best.safetensors", module, {"architecture": "SRResNet", "global_residual": "true"}
        )
    specs = [tmp_path / folder / "best.safetensors" for folder in ("a", "b")]
    found = generalize(
        specs, degradations=["blur:2.0", "blur:2", "noise:20"], reference="blur:2.00", **SMALL
    ).to_frame()
    assert found["set"].tolist() == ["blur:2", "noise:20"] * 2
    assert found["network"].unique().tolist() == [str(spec) for spec in specs]
    assert found["srga"][1] != found["srga"][3]


@pytest.mark.slow
def test_networks_with_a_global_residual_are_ranked_with_a_warning(result: GeneralizationResult) -> None:
    # It is not known whether these networks have one.
    assert not any("global residual" in note for note in result.notes)
    residual = dataclasses.replace(small_network("other", 1), global_residual=True)
    found = generalize([small_network("one", 0), residual], degradations=["noise:20"], **SMALL)
    assert any("global residual" in note for note in found.notes)


def test_patches_of_any_image_lie_where_the_truth_does(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate([(131, 262), (200, 135)]):
        coarse = Image.fromarray(random.integers(256, size=(height // 16, width // 16, 3)).astype(np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(tmp_path / f"{number}.png")
    settings = GeneralizationSettings(("one",), (str(tmp_path),), ("blur:1",), patches=7, patch=64, components=1)
    images = DecodedImages(3)
    with PatchCutter(plan_sets(settings, 4, 3, images), images) as cutter:
        cut = cutter.load("clean")
    small, large = cut.patches, cut.truth
    assert large is not None and len(small) == len(large) == 7
    averages = large.reshape(7, 16, 4, 16, 4, 3).mean((2, 4))
    assert np.abs(averages - small).mean() < 0.02


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often each image is decoded."""
    counts: Counter[str] = Counter()

    def read_and_count(file: ImageFile, channels: int) -> LoadedImage:
        counts[file.name] += 1
        return read_image(file, channels)

    monkeypatch.setattr(decoded_images_module, "read_image", read_and_count)
    return counts


@pytest.mark.slow
def test_a_suite_decodes_every_image_once(decoded: Counter[str], tmp_path: Path) -> None:
    images = photos(tmp_path / "images", 3)
    generalize(
        small_network("one", 0), images, suite="pies", patches=24, patch=64, components=5, resamples=5, layer="body.1"
    )
    assert set(decoded.values()) == {1} and len(decoded) == 3


@pytest.mark.slow
def test_images_that_do_not_fit_into_memory_are_decoded_twice(decoded: Counter[str], tmp_path: Path) -> None:
    settings = GeneralizationSettings(
        ("one",), (str(photos(tmp_path / "images", 3)),), read_suite("pies"), patches=24, patch=64, components=5
    )
    cut = {}
    for max_bytes in (0, 1 << 30):
        decoded.clear()
        images = DecodedImages(3, max_bytes)
        with PatchCutter(plan_sets(settings, 4, 3, images), images) as cutter:
            cutter.cut(settings.degradations)
            assert set(decoded.values()) == {1 if max_bytes else 2}
            cut[max_bytes] = {name: cutter.load(name).patches for name in settings.degradations}
    for name, patches in cut[0].items():
        np.testing.assert_array_equal(patches, cut[1 << 30][name])


@pytest.mark.parametrize(
    "kind", ["grey 1 bit", "grey 8 bits", "RGB 8 bits", "RGBA", "grey 12 bits", "RGB 16 bits", "floats"]
)
def test_images_kept_in_memory_have_the_pixels_of_their_files(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "image.tif"
    if kind == "grey 1 bit":
        Image.fromarray(random.integers(2, size=(9, 7)).astype(bool)).save(path)
    elif kind in ("grey 8 bits", "RGB 8 bits", "RGBA"):
        channels = {"grey 8 bits": (), "RGB 8 bits": (3,), "RGBA": (4,)}[kind]
        Image.fromarray(random.integers(256, size=(9, 7, *channels)).astype(np.uint8)).save(path)
    else:
        values = {
            "grey 12 bits": (16 * random.integers(4096, size=(9, 7))).astype(np.uint16),
            "RGB 16 bits": random.integers(65536, size=(9, 7, 3)).astype(np.uint16),
            "floats": random.random((9, 7, 3), dtype=np.float32),
        }[kind]
        tifffile.imwrite(path, values, photometric="rgb" if values.ndim == 3 else "minisblack")
    file = ImageFile(path, path.name, "image")
    images = DecodedImages(3)
    for _ in range(2):
        read, expected = images.read(file), read_image(file, 3)
        np.testing.assert_array_equal(read.pixels, expected.pixels)
        assert read.bits == expected.bits and read.pixels.dtype == np.float32


class Killed(Exception):
    pass


class KillAfter:
    """Progress that ends the run when a job starts."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def start(self, task: str, total: int) -> None:
        self.jobs -= "noise:20" in task
        if self.jobs < 0:
            raise Killed

    def advance(self, count: int = 1) -> None:
        pass


@pytest.mark.slow
def test_an_interrupted_run_is_resumed(tmp_path: Path, result: GeneralizationResult) -> None:
    out, networks = tmp_path / "out", [small_network("one", 0), small_network("other", 1)]
    with pytest.raises(Killed):
        generalize(networks, degradations=SETS, out=out, progress=KillAfter(1), **SMALL)
    kept = {path: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    assert len(kept) == 7
    with pytest.raises(InputError):
        generalize(networks, degradations=SETS, out=out, **SMALL)
    with pytest.raises(Killed):
        # Only the last job is left.
        generalize(networks, degradations=SETS, out=out, resume=True, progress=KillAfter(0), **SMALL)
    assert {path: path.stat().st_mtime_ns for path in (out / "parts").iterdir()} == kept
    again = generalize(networks, degradations=SETS, out=out, resume=True, **SMALL)
    assert again.to_frame().equals(result.to_frame()) and not (out / "parts").exists()
    written = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    loaded = generalize(networks, degradations=SETS, out=out, resume=True, **SMALL)
    assert loaded.to_frame().equals(result.to_frame())
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == written


@pytest.mark.slow
def test_the_figures_of_a_run_are_none_of_its_images(tmp_path: Path) -> None:
    images = photos(tmp_path / "images", 4)
    options = SMALL | {"images": images, "degradations": ["blur:2"], "out": images / "scores", "patches": 24}
    before = generalize(small_network("one", 0), **options)
    (images / "scores" / "generalization.csv").unlink()
    again = generalize(small_network("one", 0), resume=True, **options)
    assert again.to_frame().equals(before.to_frame()) and again.notes == before.notes


@pytest.mark.slow
def test_given_sets_are_scored_as_they_are(tmp_path: Path) -> None:
    for file in find_images([bundled_photos()]):
        pixels = parse_degradation("blur:4").apply(read_image(file).pixels, 0, 4)
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(tmp_path / f"{Path(file.name).stem}.png")
    found = generalize(small_network("one", 0), degradations=["blur:4"], sets={"mine": tmp_path}, **SMALL)
    given, degraded = found.score("one", "mine"), found.score("one", "blur:4")
    assert given.srga.value == pytest.approx(degraded.srga.value, abs=1e-6) and np.isnan(given.psnr)


@pytest.mark.slow
def test_a_set_that_cannot_be_scored_costs_its_row(tmp_path: Path, result: GeneralizationResult) -> None:
    for index in range(12):
        Image.new("RGB", (32, 32), (90, 120, 60)).save(tmp_path / f"{index}.png")
    networks = [small_network("one", 0), small_network("other", 1)]
    found = generalize(networks, degradations=SETS, sets={"flat": tmp_path}, **SMALL)
    score = found.score("one", "flat")
    assert score.error and np.isnan(score.srga.value) and np.isnan(score.psnr)
    assert found.ranking == result.ranking
    page = found.save(tmp_path / "out")
    assert score.error in page.read_text() and any(score.error in note for note in found.notes)
    row = next(
        row for row in json.loads((tmp_path / "out" / "generalization.json").read_text())["scores"] if row["error"]
    )
    empty = ("srga", "srga_low", "srga_high", "kl", "sigma", "shape", "photos", "distinguishable", "psnr", "histogram")
    assert all(row[key] is None for key in empty)
    assert GeneralizationResult.load(tmp_path / "out").to_frame().equals(found.to_frame())


def degraded_photos(folder: Path, text: str, count: int = 8) -> Path:
    """The first bundled photographs, degraded and shrunk by 4, as `ddrscope degrade` writes them."""
    folder.mkdir()
    for file in find_images([bundled_photos()])[:count]:
        pixels = parse_degradation(text).apply(read_image(file).pixels, 0, 4)
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(folder / Path(file.name).with_suffix(".png").name)
    return folder


def photos(folder: Path, count: int = 8) -> Path:
    folder.mkdir()
    for file in find_images([bundled_photos()])[:count]:
        (folder / file.name).write_bytes(Path(file.path).read_bytes())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("how", ["missing", "broken", "too small", "narrower"])
def test_sets_are_compared_on_the_images_that_all_of_them_have(tmp_path: Path, how: str) -> None:
    """The same image left out of all sets by hand gives the expected scores."""
    images, blurred = photos(tmp_path / "images"), degraded_photos(tmp_path / "blurred", "blur:2")
    lost = sorted(blurred.iterdir())[3]
    settings = SMALL | {"patches": 64}
    network = small_network("one", 0)
    if how == "missing":
        lost.unlink()
    elif how == "broken":
        lost.write_bytes(b"no image")
    else:
        Image.open(lost).crop((0, 0, 10, 10) if how == "too small" else (0, 0, 40, 64)).save(lost)
    found = generalize([network], str(images), ["blur:2"], {"same": blurred}, **settings)
    lost.unlink(missing_ok=True)
    (images / lost.name).unlink()
    expected = generalize([network], str(images), ["blur:2"], {"same": blurred}, **settings)
    for name in ("blur:2", "same"):
        assert found.score("one", name).srga.value == pytest.approx(expected.score("one", name).srga.value, abs=1e-6)
        assert found.score("one", name).photos == expected.score("one", name).photos
    same, blurred_here = found.score("one", "same"), found.score("one", "blur:2")
    assert same.srga.value == pytest.approx(blurred_here.srga.value, abs=1e-6)
    (note,) = [note for note in found.notes if lost.stem in note]
    assert "same" in note and "clean images" in note
    assert not any(lost.stem in note for note in expected.notes)
    assert lost.stem in found.save(tmp_path / "out").read_text()


def test_sets_of_two_cameras_are_compared_on_the_images_of_both(tmp_path: Path) -> None:
    one, other = degraded_photos(tmp_path / "one", "blur:2"), degraded_photos(tmp_path / "other", "noise:20")
    lost = sorted(one.iterdir())[0]
    lost.unlink()
    for folder in (one, other):
        for path in folder.iterdir():
            path.rename(folder / f"street-{path.name}")
    found = generalize([small_network("one", 0)], sets={"one": one, "other": other}, **SMALL | {"patches": 40})
    assert found.score("one", "one").photos == found.score("one", "other").photos
    assert any(lost.stem in note and "one, other" in note for note in found.notes)
    assert any("other images than those of the reference" in note for note in found.notes)


def test_sets_of_the_same_images_with_too_few_in_common_are_refused(tmp_path: Path) -> None:
    images, blurred = photos(tmp_path / "images", 4), degraded_photos(tmp_path / "blurred", "blur:2", 4)
    for lost in sorted(blurred.iterdir())[:2]:
        lost.unlink()
    with pytest.raises(InputError, match="all of them have") as refused:
        generalize(
            [small_network("one", 0)],
            str(images),
            ["blur:4"],
            {"same": blurred},
            **SMALL | {"components": 40, "patches": 60},
        )
    assert str(blurred) in str(refused.value)


def test_ranks_on_some_of_the_sets(result: GeneralizationResult) -> None:
    (only,) = result.rank(["noise:20"], ["other"])
    assert only.srga.value == result.score("other", "noise:20").srga.value
    means = {
        name: (result.score(name, "blur:1").srga.value + result.score(name, "blur:4").srga.value) / 2
        for name in ("one", "other")
    }
    ranking = result.rank(["blur:1", "blur:4"])
    assert {row.network: row.srga.value for row in ranking} == pytest.approx(means)


class Vector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.flat = nn.Conv2d(3, 3, 1), nn.Flatten()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(self.scale(x), scale_factor=4) + self.flat(x).mean()


class Labels(nn.Sequential):
    """No images, but logits, out of a layer that is image-shaped."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
        )


def test_a_network_that_makes_no_images_is_scored_without_psnr() -> None:
    torch.manual_seed(0)
    found = generalize(Network("labels", Labels(), 1, 3, "?"), degradations=["blur:4"], layer="1", **SMALL).to_frame()
    assert found["psnr"].isna().all() and found["srga"][1] > 0


def constant() -> Network:
    network = small_network("constant", 0)
    for parameter in network.module.parameters():
        nn.init.zeros_(parameter)
    return network


@pytest.mark.parametrize(
    ("make", "options", "hint"),
    [
        (lambda: [], {}, "`networks` is empty"),
        (lambda: small_network("one", 0), {"patches": 20}, "at least 21"),
        (lambda: small_network("one", 0), {"reference": "blur:9"}, "none of the sets"),
        (lambda: [small_network("one", 0), small_network("other", 0, scale=2)], {}, "differ in scale"),
        (lambda: Network("vector", Vector(), 4, 3, "?"), {"layer": "flat"}, "not image-shaped"),
        (lambda: Network("vector", Vector(), 4, 3, "?"), {}, "give `layer`"),
        (lambda: [small_network("one", 0), small_network("one", 1)], {}, "two networks are called one"),
        (lambda: small_network("one", 0), {"cluster": "local"}, "by name or path"),
        (constant, {}, "do not vary"),
        (lambda: small_network("one", 0), {"patch": 66}, "give 64"),
        (lambda: small_network("one", 0), {"patch": 0}, "give 8 or more"),
        (lambda: small_network("one", 0), {"components": 0}, "give 1 or more"),
        (lambda: small_network("one", 0), {"resamples": 0}, "give 1 or more"),
        (lambda: small_network("one", 0), {"precision": "bfloat"}, "auto, float32, bfloat16"),
        (lambda: small_network("one", 0), {"patch": 512}, "too small for a patch of 512"),
        (lambda: small_network("one", 0), {"degradations": ()}, "nothing to score"),
        (lambda: small_network("one", 0), {"degradations": ("clean",)}, "nothing to score"),
        (lambda: small_network("one", 0), {"sets": {"blur:4": "."}}, "two sets are called"),
        (lambda: small_network("one", 0), {"sets": {"": "."}}, "a name in `sets` is empty"),
        (lambda: small_network("one", 0), {"degradations": ("noise:5+blur:2",)}, "write blur:2"),
        (lambda: small_network("one", 0), {"degradations": ("bluur:2",)}, "blur"),
    ],
)
def test_bad_input_names_the_remedy(make, options: dict, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        generalize(make(), **({"degradations": SETS} | SMALL | options))


def test_patches_are_distributed_evenly() -> None:
    settings = GeneralizationSettings(("one",), degradations=("blur:1",), patches=800, patch=64)
    clean = plan_sets(settings, 4, 3, DecodedImages(3)).clean
    assert clean is not None and max(clean.quotas) - min(clean.quotas) <= 1


def test_ranking_tells_which_networks_are_not_distinguishable() -> None:
    noise = np.random.default_rng(0).normal(size=500)
    resamples = {"a": 3 + noise, "b": 3.5 + noise, "c": 3.51 + np.random.default_rng(1).normal(size=500)}
    rows = rank({"a": 3.0, "b": 3.5, "c": 3.51}, resamples)
    assert [row.network for row in rows] == ["a", "b", "c"] and [row.apart for row in rows] == [None, True, False]


def test_the_correlation_with_psnr_needs_three_sets() -> None:
    nan = float("nan")
    assert psnr_correlation([1, 2, 3, 4], [30, 20, 10, nan]).spearman == -1.0
    assert psnr_correlation([1, 2, 3, 4], [30, 20, 10, nan]).sets == 3
    assert np.isnan(psnr_correlation([1, 2], [3.0, nan]).spearman)


def test_suites(tmp_path: Path) -> None:
    pies = read_suite("pies")
    assert len(pies) == 41 and pies[0] == "clean" and "blur:4+noise:20" in pies
    mine = tmp_path / "mine.toml"
    mine.write_text('sets = ["clean", "blur:2.0"]')
    assert read_suite(str(mine)) == ["clean", "blur:2"]
    assert read_suite(mine) == ["clean", "blur:2"]
    for text in ("sets = 3", "other = []", "sets = [", 'sets = ["bluur:2"]'):
        mine.write_text(text)
        with pytest.raises(InputError):
            read_suite(str(mine))
    with pytest.raises(InputError, match="pies"):
        read_suite("nothing")
