from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.stats import sem
from scipy.stats import t as student_t

from commands import call_command
from ddrscope.degradations import parse_degradation
from ddrscope.degradations.distortions import DISTORTIONS
from ddrscope.errors import InputError, RunConflictError
from ddrscope.identification import (
    Descriptor,
    DistortionIdentifier,
    ImageIdentifier,
    Predictions,
    bundled_identifier,
    load_identifier,
    save_identifier,
)
from ddrscope.identification.evaluation import Evaluation, jackknife, unseen_auroc
from ddrscope.identification.fit import fit_identifier
from ddrscope.identification.head import HeadSettings
from ddrscope.identification.labelled_images import DistortionSampler, LabelledImage
from ddrscope.identification.tile_descriptors import describe_images, fit_to_images
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.networks import SRResNet, load_network, save_network
from ddrscope.progress import NullProgress

FEW = tuple(d for d in DISTORTIONS if d.name in ("gaussian_blur", "white_noise", "impulse_noise"))
GROUPS = {distortion.name: distortion.group for distortion in FEW}
QUICK = HeadSettings(width=64, dropout=0.1, epochs=15, batch=32)
# A tenth of the rows: as many steps.
LONGER = HeadSettings(width=64, dropout=0.1, epochs=150, batch=32)
TYPES = ("one", "two", "three")


def table(images: int, seed: int = 0, tiles: int = 3) -> dict[str, np.ndarray]:
    """Made descriptors: a direction for each type, as long as its level, in noise; the fourth kind has two types."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(9).normal(size=(20, 4)))[0].T * 1.5
    kind = random.integers(0, 5, images)
    graded = np.zeros((images, 3))
    for row, number in enumerate(kind):
        for index in (0, 2) if number == 4 else (number - 1,) if number else ():
            graded[row, index] = random.integers(1, 6)
    rows = np.repeat(graded @ directions[:3], tiles, axis=0)
    index = np.repeat(np.arange(images), tiles)
    noisy = rows + random.normal(size=rows.shape) * 0.4
    return {
        "descriptors": noisy,
        "levels": graded[index],
        "images": index,
        "photos": index % 8,
        "foreign": directions[3],
    }


@pytest.fixture(scope="module")
def fitted() -> DistortionIdentifier:
    known = table(600)
    identifier = DistortionIdentifier(TYPES, components=12, clean_share=0.2, head=QUICK)
    return identifier.fit(known["descriptors"], known["levels"], known["images"], known["photos"])


def test_types_levels_and_probabilities_are_found(fitted: DistortionIdentifier) -> None:
    new = table(300, seed=1)
    found = fitted.predict_all(new["descriptors"], new["images"])
    levels = new["levels"][::3]
    present = np.column_stack([levels.sum(1) == 0, levels > 0])
    assert ((found.probabilities > 0.5) == present).mean() > 0.97
    assert np.abs(found.probabilities.mean(0) - present.mean(0)).max() < 0.08
    where = levels > 0
    low, middle, high = np.moveaxis(found.levels[where], -1, 0)
    assert np.corrcoef(middle, levels[where])[0, 1] > 0.9 and (low <= middle).all() and (middle <= high).all()
    assert 0.7 < ((low <= levels[where]) & (levels[where] <= high)).mean() < 0.95


def test_more_is_called_clean_where_more_is_expected(fitted: DistortionIdentifier) -> None:
    new = table(300, seed=1)
    shares = []
    for expected in (0.05, 0.2, 0.8):
        fitted.clean_share = expected
        shares.append(fitted.predict_proba(new["descriptors"], new["images"])[:, 0].mean())
    fitted.clean_share = 0.2
    assert shares[0] < shares[1] < shares[2]


def test_foreign_images_are_novel(fitted: DistortionIdentifier) -> None:
    new = table(300, seed=2)
    known = fitted.predict_all(new["descriptors"], new["images"]).novelty
    assert 0.01 < (known > 0.95).mean() < 0.12
    foreign = fitted.predict_all(new["descriptors"] + 4 * new["foreign"], new["images"]).novelty
    assert unseen_auroc(known, foreign) > 0.95


def test_shuffled_labels_teach_nothing() -> None:
    known = table(600)
    order = np.random.default_rng(3).permutation(600)
    shuffled = known["levels"][::3][order][known["images"]]
    identifier = DistortionIdentifier(TYPES, components=12, clean_share=0.2, head=QUICK)
    identifier.fit(known["descriptors"], shuffled, known["images"], known["photos"])
    new = table(300, seed=1)
    levels = new["levels"][::3]
    said = identifier.predict_proba(new["descriptors"], new["images"])[:, 1:]
    assert np.abs(said - (levels > 0).mean(0)).mean() < 0.12


def test_an_image_is_identified_alone_as_among_others(fitted: DistortionIdentifier) -> None:
    new = table(40, seed=4)
    together = fitted.predict_all(new["descriptors"], new["images"])
    for image in (0, 17, 39):
        rows = new["images"] == image
        alone = fitted.predict_all(new["descriptors"][rows], new["images"][rows])
        assert np.allclose(alone.probabilities[0], together.probabilities[image], atol=1e-5)
        assert np.allclose(alone.levels[0], together.levels[image], atol=1e-4)
        assert np.allclose(alone.novelty[0], together.novelty[image], atol=1e-4)


def test_too_few_photographs_and_strange_descriptors_are_refused(fitted: DistortionIdentifier) -> None:
    known = table(60)
    with pytest.raises(InputError, match="too few to hold out"):
        DistortionIdentifier(TYPES).fit(known["descriptors"], known["levels"], known["images"], known["photos"] % 2)
    with pytest.raises(InputError, match="do not fit"):
        fitted.predict_all(np.zeros((2, 7)))


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An identifier of three distortions, fitted to a few crops by a small network, in a file beside the network's."""
    folder = tmp_path_factory.mktemp("identifier")
    torch.manual_seed(0)
    save_network(
        folder / "small.safetensors",
        SRResNet(channels=16, blocks=2),
        {"architecture": "SRResNet", "global_residual": "true"},
    )
    network = load_network(str(folder / "small.safetensors"))
    descriptor = Descriptor(network, {"body.1": ("moments",)}, "float32")
    files = {file.photo: file.path for file in find_images([bundled_photos()])}
    images = list(DistortionSampler(sorted(files.values())[:8], 96, FEW).every_level())
    (folder / "parts").mkdir()
    tiles = describe_images(images, descriptor.describe, folder / "parts")
    again = describe_images(images, lambda _: pytest.fail("shards are there"), folder / "parts")
    assert np.array_equal(tiles.descriptors, again.descriptors) and np.array_equal(tiles.images, again.images)
    unfitted = DistortionIdentifier(tuple(GROUPS), parts=descriptor.widths(), components=40, head=LONGER)
    identifier = fit_to_images(unfitted, images, tiles)
    predictions = identifier.predict_all(tiles.descriptors, tiles.images)
    assert Evaluation(images, predictions, GROUPS).measures()["group_accuracy"].value > 0.7
    fitted = ImageIdentifier(descriptor, identifier, GROUPS, {"photographs": sorted(files)[:8]})
    return save_identifier(folder / "few.safetensors", fitted)


def test_an_identifier_is_read_back(on_disk: Path, tmp_path: Path) -> None:
    one = load_identifier(on_disk, precision="float32")
    pixels = read_image(bundled_photos() / "camera__1.png").pixels
    finding = one.identify(parse_degradation("noise:25").apply(pixels))
    assert finding.group == "noise" and 1 <= finding.level.low <= finding.level.value <= finding.level.high <= 5
    assert set(finding.probabilities) == {"clean", *GROUPS}
    with pytest.raises(InputError, match="at least 16"):
        one.identify(pixels[:5, :5])
    foreign = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    with pytest.raises(InputError, match="holds no identifier"):
        load_identifier(foreign)
    foreign.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        load_identifier(foreign)


def test_a_type_that_one_photograph_shows_is_left_out_with_it() -> None:
    def sample(photo: str, levels: dict[str, int]) -> LabelledImage:
        return LabelledImage(photo, levels, "", lambda: pytest.fail("no pixels are needed"))

    samples = [sample(photo, {"one": level}) for photo in "abcd" for level in (1, 3, 5)] + [
        sample("e", {"two": level}) for level in (2, 4)
    ]
    levels = np.zeros((len(samples), 2, 3))
    for row, made in enumerate(samples):
        levels[row] = next(iter(made.levels.values()))
    probabilities = np.array([[0.1, "one" in made.levels, "two" in made.levels] for made in samples], dtype=float)
    found = Evaluation(
        samples, Predictions(probabilities, levels, np.zeros(len(samples))), {"one": "blur", "two": "noise"}
    ).measures()
    assert (found["level_spearman"].value, found["level_spearman"].low, found["level_spearman"].high) == (1, 1, 1)


def test_an_interval_over_photographs_is_that_of_the_mean() -> None:
    random = np.random.default_rng(0)
    photos, values = np.repeat(list("abcdefgh"), 5), random.normal(size=40)
    found = jackknife(lambda chosen: float(values[chosen].mean()), photos, np.ones(40, bool))
    low, high = student_t.interval(0.95, 7, values.mean(), sem(values.reshape(8, 5).mean(1)))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high)) and (found.n, found.photos) == (40, 8)
    # Two photographs bound nothing.
    assert np.isnan(jackknife(lambda chosen: float(values[chosen].mean()), photos, np.isin(photos, ["a", "b"])).low)


class Interrupt(NullProgress):
    """Stops a fit as Ctrl-C does, as soon as it has kept a part of its work."""

    def advance(self, count: int = 1) -> None:
        raise KeyboardInterrupt


def four_photographs(folder: Path) -> Path:
    folder.mkdir()
    for name in ("astronaut", "camera", "coffee", "wine"):
        Image.open(bundled_photos() / f"{name}__1.png").crop((0, 0, 128, 128)).save(folder / f"{name}.png")
    return folder


def test_an_interrupted_fit_is_resumed_with_the_same_regions_only(tmp_path: Path, tiny_network_file: Path) -> None:
    settings: dict[str, Any] = {
        "images": four_photographs(tmp_path / "a"),
        "distortions": FEW[:1],
        "network": tiny_network_file,
        "repeats": 1,
        "pairs": 0,
        "out": tmp_path / "x.safetensors",
    }
    with pytest.raises(KeyboardInterrupt):
        fit_identifier(**settings, progress=Interrupt())
    with pytest.raises(RunConflictError, match="side = 128, not 96"):
        fit_identifier(**settings, side=96, resume=True)
    # The same regions of another photograph.
    wine = tmp_path / "a" / "wine.png"
    Image.open(wine).rotate(180).save(wine)
    with pytest.raises(RunConflictError, match="holds a run with images"):
        fit_identifier(**settings, resume=True)


def test_the_map_shows_the_damaged_half(on_disk: Path) -> None:
    one = load_identifier(on_disk, precision="float32")
    pixels = read_image(bundled_photos() / "camera__1.png").pixels
    wide = np.concatenate([pixels, parse_degradation("noise:30").apply(pixels)], axis=1)
    noise = one.map_distortions(wide).group_likelihoods()["noise"]
    assert noise.shape == wide.shape[:2] and 0 <= noise.min() <= noise.max() <= 1
    assert noise[:, 320:].mean() > noise[:, :192].mean() + 0.3


@pytest.mark.parametrize("height, width", [(150, 256), (200, 203), (40, 300)])
def test_the_map_reaches_every_border(on_disk: Path, height: int, width: int) -> None:
    one = load_identifier(on_disk, precision="float32")
    pixels = parse_degradation("noise:30").apply(np.full((height, width, 3), 0.5, np.float32))
    maps = one.map_distortions(pixels).group_likelihoods()
    assert (np.stack(list(maps.values())).max(axis=0) > 0).all()


def test_a_folder_of_everything(on_disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    clean = Image.open(bundled_photos() / "astronaut__1.png")
    clean.save(folder / "fine.png")
    clean.save(folder / "fine.jpg")
    clean.convert("CMYK").save(folder / "print.jpg")
    clean.save(folder / "moving.webp", save_all=True, append_images=[clean.rotate(90)])
    clean.crop((0, 0, 5, 5)).save(folder / "tiny.png")
    clean.crop((0, 0, 200, 40)).save(folder / "strip.png")
    (folder / "broken.png").write_bytes((folder / "fine.png").read_bytes()[:900])
    (folder / "empty.jpg").touch()
    out, maps = tmp_path / "x.parquet", tmp_path / "maps"
    done = call_command(
        "identify", folder, "--out", out, "--heatmap", maps, "--identifier", on_disk, "--json", "--precision", "float32"
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out).set_index("path")
    assert len(rows) == 8 and not out.with_name("x.parquet.parts").exists()
    assert list(rows.columns[:9]) == "type group probability level level_low level_high novelty unseen error".split()
    assert set(rows.columns[9:]) == {f"p_{name}" for name in ("clean", *GROUPS)}
    bad = {Path(path).name: error for path, error in rows.error.items() if pd.notna(error)}
    assert bad.keys() == {"broken.png", "empty.jpg", "tiny.png"} and "5 x 5 pixels" in bad["tiny.png"]
    assert json.loads(done.stdout)["errors"] == 3 and "empty" in done.stderr
    good = rows[rows.error.isna()]
    best = good[[f"p_{name}" for name in ("clean", *GROUPS)]].astype(float).idxmax(axis=1).str.removeprefix("p_")
    assert (best == good.type).all() and ((good.level > 0) == (good.type != "clean")).all()
    assert {path.name for path in maps.iterdir()} == {
        "fine.png.png",
        "fine.jpg.png",
        "print.jpg.png",
        "moving.webp.png",
        "strip.png.png",
    }
    for ending in ("csv", "jsonl"):
        assert (
            call_command(
                "identify", folder, "--out", tmp_path / f"x.{ending}", "--identifier", on_disk, "--precision", "float32"
            ).returncode
            == 0
        )
    table = pd.read_csv(tmp_path / "x.csv").set_index("path")
    lines = pd.read_json(tmp_path / "x.jsonl", lines=True).set_index("path")
    for other in (table, lines):
        assert other.loc[good.index, "type"].tolist() == good.type.tolist()
        assert np.allclose(other.loc[good.index, "probability"], good.probability.astype(float), atol=1e-4)


@pytest.mark.parametrize(
    "words, reason",
    [
        (["x.png", "--out", "x.xlsx"], "tables are written as .parquet, .csv, .jsonl"),
        (["x.png", "--tiles", "0"], "give a number from 1 on, or all"),
        (["x.png", "--precision", "float16"], "--precision float16 is unknown: choose auto, float32, bfloat16"),
        (["nowhere"], "no such file or folder"),
    ],
)
def test_wrong_words(on_disk: Path, words: list[str], reason: str) -> None:
    done = call_command("identify", *words, "--identifier", on_disk)
    assert done.returncode == 2 and reason in done.stderr and "Traceback" not in done.stderr


# Found on photographs the identifier was not fitted to; the benchmark has the full image (docs/identification.md).
STRONG = {
    "noise:18": "noise",
    "impulse:2": "noise",
    "jpeg:7": "compression",
    "jitter:1.25": "spatial",
    "sharpen:6": "sharpness_contrast",
}


def test_an_incomplete_identifier_is_refused(tmp_path: Path) -> None:
    with safe_open(bundled_identifier(), framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys() if key != "bases.0"}  # noqa: SIM118  (no mapping)
        metadata = file.metadata()
    save_file(tensors, tmp_path / "x.safetensors", metadata)
    with pytest.raises(InputError, match=r"incomplete.*bases\.0"):
        load_identifier(tmp_path / "x.safetensors")


def test_the_bundled_identifier_names_strong_damage() -> None:
    one = load_identifier(precision="float32")
    assert len(one.names) == 25 and set(one.groups.values()) == {distortion.group for distortion in DISTORTIONS}
    bundled = {file.photo for file in find_images([bundled_photos()])}
    assert not bundled & set(one.about["photographs"])
    right = []
    for name in ("camera__1", "coffee__1", "stream__1", "astronaut__2"):
        pixels = read_image(bundled_photos() / f"{name}.png").pixels[:160, :160]
        for text, group in STRONG.items():
            finding = one.identify(parse_degradation(text).apply(pixels), tiles=1)
            right.append(finding.group == group)
            assert 0 <= finding.novelty <= 1 and finding.probability == max(finding.probabilities.values())
    assert np.mean(right) >= 0.7


def test_fitting_from_the_command_line_and_again(tmp_path: Path, tiny_network_file: Path) -> None:
    for file in find_images([bundled_photos()])[:8]:
        for kind, text in (("clean", "clean"), ("worn", "noise:25")):
            target = tmp_path / "scans" / kind / f"{Path(file.name).stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            pixels = parse_degradation(text).apply(read_image(file).pixels[:136, :136])
            Image.fromarray((pixels * 255).round().astype(np.uint8)).save(target)
    out = tmp_path / "worn.safetensors"
    words = ["fit-identifier", "--labelled", tmp_path / "scans", "--network", tiny_network_file, "--out", out]
    assert call_command(*words).returncode == 0
    assert load_identifier(out).names == ("clean", "worn")
    written = out.read_bytes()
    assert call_command(*words).returncode == 2
    again = call_command(*words, "--resume")
    assert again.returncode == 0 and "nothing to do" in again.stderr
    for change, reason in (
        ("--clean-share=0.25", "clean_share = 0.5, not 0.25"),
        ("--network=srresnet-wgr", f"network = {tiny_network_file.stem}"),
    ):
        other = call_command(*words, change, "--resume")
        assert other.returncode == 2 and reason in other.stderr
    changed = tmp_path / "scans" / "worn" / target.name
    for change in (lambda: Image.new("RGB", (136, 136)).save(changed), changed.unlink):
        change()
        other = call_command(*words, "--resume")
        assert other.returncode == 2 and target.name in other.stderr
    assert out.read_bytes() == written
