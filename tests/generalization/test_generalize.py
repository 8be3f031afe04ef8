"""`ddrscope generalize` as a whole: real networks, real images, what is written, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ddrscope.degradations import parse_degradation
from ddrscope.errors import InputError
from ddrscope.generalization import (
    GeneralizationResult,
    GeneralizationRun,
    GeneralizationSettings,
    generalize,
    read_suite,
)
from ddrscope.generalization.patches import cut_degraded, find_source
from ddrscope.generalization.ranking import rank, rank_correlation
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.images.crops import share_out
from ddrscope.networks import Network, save_network
from ddrscope.networks.architectures.srresnet import SRResNet
from ddrscope.viz import srga_figure

SMALL = {"patches": 48, "patch": 64, "components": 20, "resamples": 200}
SETS = ("blur:1", "blur:4", "noise:20")


def small_network(name: str, seed: int, scale: int = 4) -> Network:
    torch.manual_seed(seed)
    module = SRResNet(channels=8, blocks=2, scale=scale)
    return Network(name, module, scale, 3, "SRResNet", last_hr_layer="conv_last:input", sha256=name)


@pytest.fixture(scope="module")
def result() -> GeneralizationResult:
    return generalize([small_network("one", 0), small_network("other", 1)], degradations=SETS, **SMALL)


def test_scores_intervals_and_ranking(result: GeneralizationResult, tmp_path: Path) -> None:
    frame = result.to_frame()
    assert set(frame["set"]) == {"clean", *SETS} and len(frame) == 8
    clean = frame[frame["set"] == "clean"]
    assert (clean["srga"] == 0).all() and (clean["srga_low"] == 0).all() and (clean["floor"] > 0).all()
    rest = frame[frame["set"] != "clean"]
    assert ((rest["srga_low"] < rest["srga"]) & (rest["srga"] < rest["srga_high"])).all()
    assert (frame["patches"] == 48).all() and (frame["photos"] == 16).all() and np.isfinite(frame["psnr"]).all()
    assert result.score("one", "blur:4")["srga"] > result.score("one", "blur:1")["srga"]
    for name in ("one", "other"):
        # Truth and patches show the same places: only then does a slight blur cost less than a strong one.
        assert (
            result.score(name, "clean")["psnr"]
            > result.score(name, "blur:1")["psnr"]
            > result.score(name, "blur:4")["psnr"]
        )
    first, second = result.data["ranking"]
    assert first["srga"] <= second["srga"] and second["apart"] in (True, False)
    page = result.save(tmp_path)
    assert page.read_text().count("<img") == 3 and "stands beside image-quality measures" in page.read_text()
    assert (tmp_path / "figures" / "srga.png").is_file() and (tmp_path / "generalization.csv").is_file()
    assert GeneralizationResult.load(tmp_path).to_frame().equals(frame)
    assert json.loads((tmp_path / "generalization.json").read_text())["scores"][0]["layer"] == "conv_last:input"


def test_scores_are_drawn_against_levels_that_grow_worse_to_the_right() -> None:
    texts = ("noise:5", "noise:20", "jpeg:60", "jpeg:20", "jpeg2000:4", "jpeg2000:64", "poisson:300", "poisson:30")
    figure = srga_figure(generalize([small_network("one", 0)], degradations=texts, **SMALL))
    turned = {panel.get_xlabel(): panel.xaxis_inverted() for panel in figure.axes}
    assert turned == {
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


def test_networks_with_a_global_residual_are_ranked_with_a_warning(result: GeneralizationResult) -> None:
    assert not any("global residual" in note for note in result.data["notes"])  # Of these networks it is not known.
    found = generalize(["srresnet-wgr", "srresnet-wogr"], degradations=["noise:20"], **SMALL)
    assert any("writes what it removes" in note for note in found.data["notes"])


def test_patches_of_any_image_lie_where_the_truth_does(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, (height, width) in enumerate([(131, 262), (200, 135)]):
        coarse = Image.fromarray(random.integers(256, size=(height // 16, width // 16, 3)).astype(np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(tmp_path / f"{number}.png")
    source = find_source([str(tmp_path)], 16, 4, 3, 7)
    small = cut_degraded(source, parse_degradation("clean"), 16, 4, 3, 0)
    large = cut_degraded(source, parse_degradation("clean"), 64, 1, 3, 0)
    assert len(small.patches) == len(large.patches) == 7
    averages = large.patches.reshape(7, 16, 4, 16, 4, 3).mean((2, 4))
    assert np.abs(averages - small.patches).mean() < 0.02


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, result: GeneralizationResult) -> None:
    networks = {one.name: one for one in (small_network("one", 0), small_network("other", 1))}
    settings = GeneralizationSettings(tuple(networks), degradations=SETS, **SMALL)
    GeneralizationRun(settings, tmp_path, named=networks).run()
    kept = sorted(tmp_path.glob("*.npz"))
    times = {path: path.stat().st_mtime_ns for path in kept}
    kept[0].unlink()
    again = GeneralizationRun(settings, tmp_path, named=networks).run()
    assert [path for path in kept if path.stat().st_mtime_ns != times[path]] == [kept[0]]
    assert again.to_frame()["srga"].tolist() == result.to_frame()["srga"].tolist()


def test_given_sets_are_scored_as_they_are(tmp_path: Path) -> None:
    for file in find_images([bundled_photos()]):
        pixels = parse_degradation("blur:4").apply(read_image(file).pixels, 0, 4)
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(tmp_path / f"{Path(file.name).stem}.png")
    found = generalize(small_network("one", 0), degradations=["blur:4"], sets={"mine": tmp_path}, **SMALL)
    mine, made = found.score("one", "mine"), found.score("one", "blur:4")
    assert mine["srga"] == pytest.approx(made["srga"], abs=1e-6) and mine["psnr"] is None


def test_a_set_that_cannot_be_scored_costs_its_row(tmp_path: Path, result: GeneralizationResult) -> None:
    for index in range(12):
        Image.new("RGB", (32, 32), (90, 120, 60)).save(tmp_path / f"{index}.png")
    networks = [small_network("one", 0), small_network("other", 1)]
    found = generalize(networks, degradations=SETS, sets={"flat": tmp_path}, **SMALL)
    row = found.score("one", "flat")
    assert "do not vary" in row["error"] and row["srga"] is None and row["psnr"] is None
    assert [one["srga"] for one in found.data["ranking"]] == [one["srga"] for one in result.data["ranking"]]
    page = found.save(tmp_path / "out")
    assert "do not vary" in page.read_text() and "NaN" not in (tmp_path / "out" / "generalization.json").read_text()
    assert any("leaves the set out" in note for note in found.data["notes"])


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
        assert found.score("one", name)["srga"] == pytest.approx(expected.score("one", name)["srga"], abs=1e-6)
        assert found.score("one", name)["photos"] == expected.score("one", name)["photos"]
    assert found.score("one", "same")["srga"] == pytest.approx(found.score("one", "blur:2")["srga"], abs=1e-6)
    (note,) = [note for note in found.data["notes"] if "left out" in note]
    assert lost.stem in note and "same" in note and "clean images" in note
    assert not any("left out" in note for note in expected.data["notes"])
    assert lost.stem in found.save(tmp_path / "out").read_text()


def test_sets_of_two_cameras_are_compared_on_the_images_of_both(tmp_path: Path) -> None:
    one, other = degraded_photos(tmp_path / "one", "blur:2"), degraded_photos(tmp_path / "other", "noise:20")
    lost = sorted(one.iterdir())[0]
    lost.unlink()
    for folder in (one, other):
        for path in folder.iterdir():
            path.rename(folder / f"street-{path.name}")
    found = generalize([small_network("one", 0)], sets={"one": one, "other": other}, **SMALL | {"patches": 40})
    assert found.score("one", "one")["photos"] == found.score("one", "other")["photos"]
    notes = found.data["notes"]
    assert any(lost.stem in note and "one, other" in note for note in notes)
    assert any("other images than those of the reference" in note for note in notes)


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
    assert only["srga"] == result.score("other", "noise:20")["srga"]
    first, second = result.rank(["blur:1", "blur:4"])
    means = {
        name: (result.score(name, "blur:1")["srga"] + result.score(name, "blur:4")["srga"]) / 2
        for name in ("one", "other")
    }
    assert {row["network"]: row["srga"] for row in (first, second)} == pytest.approx(means)


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
        (lambda: small_network("one", 0), {"patches": 20}, "at least 21"),
        (lambda: small_network("one", 0), {"reference": "blur:9"}, "none of the sets"),
        (lambda: [small_network("one", 0), small_network("other", 0, scale=2)], {}, "differ in scale"),
        (lambda: Network("vector", Vector(), 4, 3, "?"), {"layer": "flat"}, "not image-shaped"),
        (lambda: Network("vector", Vector(), 4, 3, "?"), {}, "--layer"),
        (constant, {}, "do not vary"),
        (lambda: small_network("one", 0), {"patch": 66}, "give 64"),
        (lambda: small_network("one", 0), {"patch": 0}, "give 8 or more"),
        (lambda: small_network("one", 0), {"components": 0}, "give 1 or more"),
        (lambda: small_network("one", 0), {"resamples": 0}, "give 1 or more"),
        (lambda: small_network("one", 0), {"precision": "bfloat"}, "auto, float32, bfloat16"),
        (lambda: small_network("one", 0), {"patch": 512}, "no room for a patch of 512"),
        (lambda: small_network("one", 0), {"degradations": ()}, "nothing to score"),
        (lambda: small_network("one", 0), {"degradations": ("clean",)}, "nothing to score"),
        (lambda: small_network("one", 0), {"sets": {"blur:4": "."}}, "two sets are called"),
        (lambda: small_network("one", 0), {"degradations": ("noise:5+blur:2",)}, "write blur:2"),
        (lambda: small_network("one", 0), {"degradations": ("bluur:2",)}, "blur"),
    ],
)
def test_bad_input_names_the_remedy(make, options: dict, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        generalize(make(), **({"degradations": SETS} | SMALL | options))


def test_patches_are_shared_out_equally() -> None:
    assert share_out([100, 3, 100, 0], 43) == [20, 3, 20, 0]
    assert share_out([100, 3, 50], 63) == [30, 3, 30]
    assert share_out([2, 3], 10) == [2, 3]
    assert sum(share_out([5, 9, 1, 30, 2], 31)) == 31
    source = find_source([str(bundled_photos())], 16, 4, 3, 800)
    assert max(source.quotas) - min(source.quotas) <= 1


def test_ranking_says_what_cannot_be_told_apart() -> None:
    noise = np.random.default_rng(0).normal(size=500)
    draws = {"a": 3 + noise, "b": 3.5 + noise, "c": 3.51 + np.random.default_rng(1).normal(size=500)}
    rows = rank(draws, {"a": 3.0, "b": 3.5, "c": 3.51})
    assert [row["network"] for row in rows] == ["a", "b", "c"] and [row["apart"] for row in rows] == [None, True, False]
    assert rank_correlation([1, 2, 3], [30, 20, 10]) == (-1.0, 3)
    assert np.isnan(rank_correlation([1, 2], [3.0, None])[0])


def test_suites(tmp_path: Path) -> None:
    pies = read_suite("pies")
    assert len(pies) == 41 and pies[0] == "clean" and "blur:4+noise:20" in pies
    mine = tmp_path / "mine.toml"
    mine.write_text('sets = ["clean", "blur:2.0"]')
    assert read_suite(str(mine)) == ["clean", "blur:2"]
    for text in ("sets = 3", "other = []", "sets = [", 'sets = ["bluur:2"]'):
        mine.write_text(text)
        with pytest.raises(InputError):
            read_suite(str(mine))
    with pytest.raises(InputError, match="bundled are pies"):
        read_suite("nothing")
