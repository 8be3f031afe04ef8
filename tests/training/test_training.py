from __future__ import annotations

import csv
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from skimage.metrics import structural_similarity
from torch.nn import functional

import ddrscope
from ddrscope.cli.train import HELP
from ddrscope.degradations import parse_degradation, parse_random_pipeline, shrink
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos
from ddrscope.io.locks import FolderLock
from ddrscope.metrics.image_quality import psnr_y, ssim_y
from ddrscope.networks import load_network
from ddrscope.networks.architectures.discriminator import PatchDiscriminator
from ddrscope.training import RECIPES, Evaluator, PhotoPairs, Training, as_toml, make_recipe, parse_changes
from ddrscope.training.losses import discriminator_loss, generator_loss, r1_penalty
from ddrscope.training.perceptual import ShiftTolerantLpips, perceptual_network

TINY = [
    "channels=4", "blocks=1", "batch=2", "patch=8", "precision=float32", "pixel.steps=6", "pixel.warmup_steps=2",
    "adversarial.steps=6", "adversarial.warmup_steps=2", "adversarial.perceptual=none", "adversarial.discriminator_channels=4",
]  # fmt: skip


def tiny(*changes: str):
    return make_recipe("compact", parse_changes([*TINY, *changes]))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(bundled_photos().glob("*__1.png"))[:3]:
        Image.open(path).crop((0, 0, 128, 96)).save(folder / path.name)
    return folder


def test_pairs_show_the_same_place(photos: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    small, large, _ = pairs.patches(step=3, seed=1, batch=4, size=16)
    assert small.shape == (4, 3, 16, 16) and large.shape == (4, 3, 64, 64)
    for one, other in zip(small, large, strict=True):
        shrunk = shrink(other.permute(1, 2, 0).numpy(), 4)
        inside = np.s_[2:-2, 2:-2]
        assert np.abs(shrunk[inside] - one.permute(1, 2, 0).numpy()[inside]).mean() < 0.01
    again = pairs.patches(step=3, seed=1, batch=4, size=16)
    other_step = pairs.patches(step=4, seed=1, batch=4, size=16)
    assert torch.equal(small, again.small) and not torch.equal(small, other_step.small)


def test_degraded_patches_are_parts_of_the_degraded_photograph(photos: Path) -> None:
    """The margin is wide enough: a patch cut out and blurred is what one would cut out of the whole photograph, blurred."""
    pairs = PhotoPairs(photos, 4)
    blur = [parse_random_pipeline("blur:4")]
    small, large, pipelines = pairs.patches(0, 1, 6, 12, blur)
    assert [pipeline.text for pipeline in pipelines] == ["blur:4"] * 6
    whole = [parse_degradation("blur:4").apply(image / np.float32(255), 0, 4) for image in pairs.large]
    for patch in small.permute(0, 2, 3, 1).numpy():
        upright = [np.rot90(patch[:, ::flip], turns) for flip in (1, -1) for turns in range(4)]
        windows = [
            np.lib.stride_tricks.sliding_window_view(image, (12, 12, 3)).reshape(-1, 12, 12, 3) for image in whole
        ]
        nearest = min(np.abs(places - one).max(axis=(1, 2, 3)).min() for places in windows for one in upright)
        assert nearest < 1.5 / 255
    clean = pairs.patches(0, 1, 6, 12)
    assert torch.equal(large[0], clean.large[0]) and (clean.small[0] - small[0]).abs().mean() > 0.005
    assert torch.equal(pairs.patches(0, 1, 6, 12, blur)[0], small)


@pytest.mark.slow
def test_a_recipe_trains_on_levels_drawn_between_two_ends(photos: Path, tmp_path: Path) -> None:
    recipe = tiny('degradations=["noise:10..20", "jpeg:20..30"]', "adversarial.steps=0")
    pairs = PhotoPairs(photos, 4)
    training = Training(recipe, pairs, pairs, tmp_path / "run")
    training.run(lambda _: None)
    (written,) = (tmp_path / "run").glob("recipe.toml")
    assert make_recipe(str(written)) == recipe
    with safe_open(training.pixel.weights, "np") as weights:
        assert "trained on noise:10..20 and jpeg:20..30" in weights.metadata()["description"]
    # Evaluated on degraded images, on which bicubic enlargement is worse.
    degraded, clean = (
        [quality.psnr_bicubic for quality in evaluator.validate(training.pixel.result, 24, False)]
        for evaluator in (training.evaluator, Evaluator(pairs))
    )
    assert np.mean(degraded) < np.mean(clean) - 1


@pytest.mark.parametrize(
    "degradation, message",
    [
        ("blur:4..0", "is reversed"),
        ("blurr:0..4", "did you mean blur"),
        ("noise:0..20+blur:0..4", "acts after shrinking"),
        ("blur:0..99", "out of range"),
    ],
)
def test_impossible_degradations_are_refused(degradation: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny(f'degradations=["{degradation}"]')


def test_photographs_smaller_than_the_patch_are_refused(photos: Path) -> None:
    with pytest.raises(InputError, match="smaller than the training patch of 160"):
        PhotoPairs(photos, 4, smallest=40)


def checkpoints(out: Path) -> dict[str, torch.Tensor]:
    """Every tensor of both stages' checkpoints."""
    found = {}
    for stage in ("pixel", "adversarial"):
        state = torch.load(out / stage / "checkpoint.pt", weights_only=True)
        for part in ("network", "average", *(["discriminator"] if stage == "adversarial" else [])):
            found |= {f"{stage}.{part}.{key}": value for key, value in state[part].items()}
        for index, moments in state["optimizer"]["state"].items():
            found |= {f"{stage}.optimizer.{index}.{key}": value for key, value in moments.items()}
    return found


def read_log(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def assert_bit_equal(one: Path, other: Path) -> None:
    left, right = checkpoints(one), checkpoints(other)
    assert left.keys() == right.keys() and len(left) > 50
    assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.slow
@pytest.mark.parametrize("loss, regularization", [("vanilla", "spectral_norm"), ("relativistic", "r1")])
def test_a_training_broken_off_and_resumed_ends_bit_equal(
    photos: Path, tmp_path: Path, loss: str, regularization: str
) -> None:
    torch.set_num_threads(1)
    pairs = PhotoPairs(photos, 4)
    losses = [f"adversarial.loss={loss}", f"adversarial.regularization={regularization}", "adversarial.perceptual=alex"]
    recipe = tiny(*losses, "validate_every=3")
    Training(recipe, pairs, pairs, tmp_path / "whole").run(lambda _: None, checkpoint_every=1)

    for stage in ("pixel", "adversarial"):

        def break_off(progress, stage=stage) -> None:
            if (progress.stage, progress.step) == (stage, 4):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Training(recipe, pairs, pairs, tmp_path / "broken").run(break_off, checkpoint_every=2)
    resumed = Training(recipe, pairs, pairs, tmp_path / "broken")
    assert [stage.step for stage in resumed.stages] == [6, 2]
    resumed.run(lambda _: None, checkpoint_every=2)
    assert_bit_equal(tmp_path / "whole", tmp_path / "broken")
    for stage in ("pixel", "adversarial"):
        logs = [read_log(tmp_path / run / stage / "log.csv") for run in ("whole", "broken")]
        assert [row["step"] for row in logs[1]] == ["3", "6"]
        timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in log] for log in logs]
        assert timeless[0] == timeless[1]
        assert sorted(p.name for p in (tmp_path / "broken" / stage / "previews").iterdir()) == [
            "step-000003.png",
            "step-000006.png",
        ]
    weights = load_file(tmp_path / "broken" / "adversarial" / "weights.safetensors")
    assert weights["conv_first.weight"].dtype == torch.float16
    assert load_network(tmp_path / "broken" / "adversarial" / "weights.safetensors").global_residual


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_goes_on_in_the_precision_it_was_begun_in(photos: Path, tmp_path: Path, precision: str) -> None:
    pairs = PhotoPairs(photos, 4)
    Training(tiny(f"precision={precision}", "adversarial.steps=0"), pairs, pairs, tmp_path).run(lambda _: None)
    resumed = Training(tiny("precision=auto", "adversarial.steps=0"), pairs, pairs, tmp_path)
    assert (resumed.recipe.precision, resumed.pixel.step) == (precision, 6)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["srresnet", "plain"])
def test_weights_alone_go_on_from_their_step(photos: Path, tmp_path: Path, architecture: str) -> None:
    """As on another machine, where the large checkpoints with their optimizers were not brought."""
    pairs = PhotoPairs(photos, 4)
    recipe = tiny(f"architecture={architecture}", "ema_decay=0.5", "adversarial.learning_rate=0.01")

    def break_off(progress) -> None:
        if (progress.stage, progress.step) == ("adversarial", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(recipe, pairs, pairs, tmp_path).run(break_off, checkpoint_every=2)
    kept = load_file(tmp_path / "adversarial" / "weights.safetensors")
    for stage in ("pixel", "adversarial"):
        (tmp_path / stage / "checkpoint.pt").unlink()

    resumed = Training(recipe, pairs, pairs, tmp_path)
    assert [stage.step for stage in resumed.stages] == [6, 2]
    state = resumed.stages[1].result.state_dict()
    assert all(torch.equal(state[key], value.float()) for key, value in kept.items())
    resumed.run(lambda _: None)
    weights = tmp_path / "adversarial" / "weights.safetensors"
    with safe_open(weights, framework="pt") as file:
        assert file.metadata()["steps"] == "6"
    assert not torch.equal(load_file(weights)["conv_last.weight"], kept["conv_last.weight"])

    with pytest.raises(InputError, match="channels"):
        Training(tiny(f"architecture={architecture}", "ema_decay=0.5", "channels=8"), pairs, pairs, tmp_path)


@pytest.mark.slow
def test_validation_photographs_may_differ_in_size(photos: Path, tmp_path: Path) -> None:
    for number, size in enumerate(((64, 48), (96, 64))):
        Image.open(sorted(photos.iterdir())[number]).crop((0, 0, *size)).save(tmp_path / f"{number}.png")
    Training(tiny("adversarial.steps=0"), PhotoPairs(photos, 4), PhotoPairs([tmp_path], 4), tmp_path / "out").run(
        lambda _: None
    )
    (preview,) = (tmp_path / "out" / "pixel" / "previews").iterdir()
    with Image.open(preview) as image:
        assert image.width >= 3 * 96


@pytest.mark.slow
def test_a_training_starts_from_given_weights(photos: Path, tmp_path: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    Training(tiny("adversarial.steps=0"), pairs, pairs, tmp_path / "first").run(lambda _: None)
    weights = tmp_path / "first" / "pixel" / "weights.safetensors"
    started = Training(tiny(f"start={weights}"), pairs, pairs, tmp_path / "second")
    state = started.pixel.network.state_dict()
    assert started.pixel.step == 0 and all(
        torch.equal(state[key], value.float()) for key, value in load_file(weights).items()
    )
    with pytest.raises(InputError, match=r"start = .*weights\.safetensors.*channels"):
        Training(tiny(f"start={weights}", "channels=8"), pairs, pairs, tmp_path / "third")


def command(photos: Path, out: Path, *changes: str) -> list[str]:
    folders = ["--images", str(photos), "--val", str(photos), "--out", str(out), "--threads", "1"]
    return [sys.executable, "-m", "ddrscope", "train", "compact", *TINY, *changes, *folders]


@pytest.mark.slow
def test_killed_three_times_and_resumed_ends_bit_equal(photos: Path, tmp_path: Path) -> None:
    """With kill -9, at random, checkpoints every 250 steps: what was done since the last is done again, nothing else changes."""
    longer = ["pixel.steps=600", "adversarial.steps=600"]
    subprocess.run(command(photos, tmp_path / "whole", *longer), check=True, capture_output=True)
    wait = random.Random(0)
    killed = 0
    for stage in ("pixel", "adversarial", "adversarial"):
        process = subprocess.Popen(
            command(photos, tmp_path / "killed", *longer), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and not (tmp_path / "killed" / stage).exists():
            time.sleep(0.02)
        time.sleep(wait.uniform(0, 1.5))
        process.kill()
        killed += process.wait() == -9
    assert killed == 3
    subprocess.run(command(photos, tmp_path / "killed", *longer), check=True, capture_output=True)
    assert_bit_equal(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_two_processes_learn_what_one_does(photos: Path, tmp_path: Path) -> None:
    """Through accelerate with gloo: the batch is shared, so only the order of summation differs."""
    # Not the relativistic loss: the last bias drops out of it, and its slope is rounding alone.
    changes = ["batch=4", "adversarial.regularization=r1", "adversarial.loss=vanilla"]
    subprocess.run(command(photos, tmp_path / "one", *changes), check=True, capture_output=True)
    _, _, *words = command(photos, tmp_path / "two", *changes)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *launcher, *words], capture_output=True, text=True, env=alone, timeout=300)
    assert done.returncode == 0, done.stderr
    one, two = checkpoints(tmp_path / "one"), checkpoints(tmp_path / "two")
    for key in one:
        assert torch.allclose(one[key].float(), two[key].float(), rtol=1e-3, atol=1e-5), key
    assert any(not torch.equal(one[key], two[key]) for key in one), "the second process did not take part"
    refused = subprocess.run(
        [sys.executable, *launcher, *words, "batch=3"], capture_output=True, text=True, timeout=300
    )
    assert refused.returncode and "cannot be divided between 2 processes" in refused.stderr


@pytest.mark.slow
def test_a_full_disk_leaves_the_checkpoint_intact(photos: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the system refuses the write in the same place."""
    pairs = PhotoPairs(photos, 4)

    def break_off(progress) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(tiny(), pairs, pairs, tmp_path).run(break_off, checkpoint_every=4)
    kept = (tmp_path / "pixel" / "checkpoint.pt").read_bytes()

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(command(photos, tmp_path), capture_output=True, text=True, preexec_fn=small_disk)
    assert done.returncode == 1
    assert (
        "File too large" in done.stderr
        and "last checkpoint is intact" in done.stderr
        and "free some space" in done.stderr
    )
    assert (tmp_path / "pixel" / "checkpoint.pt").read_bytes() == kept
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_another_recipe_is_refused_but_another_second_stage_is_not(photos: Path, tmp_path: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    Training(tiny(), pairs, pairs, tmp_path).run(lambda _: None)
    with pytest.raises(InputError, match="begun with blocks = 1, not 2"):
        Training(tiny("blocks=2"), pairs, pairs, tmp_path)
    with pytest.raises(InputError, match="adversarial/checkpoint.pt was begun with adversarial"):
        Training(tiny("adversarial.adversarial_weight=0.5"), pairs, pairs, tmp_path)
    assert Training(tiny("adversarial.steps=0"), pairs, pairs, tmp_path).pixel.step == 6
    (tmp_path / "pixel" / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="not a checkpoint of a training"):
        Training(tiny(), pairs, pairs, tmp_path)


@pytest.mark.slow
def test_other_photographs_are_refused_by_name_and_a_folder_in_use_too(photos: Path, tmp_path: Path) -> None:
    recipe, pairs = tiny("adversarial.steps=0"), PhotoPairs(photos, 4)
    training = Training(recipe, pairs, pairs, tmp_path / "out")
    with FolderLock(tmp_path / "out"), pytest.raises(InputError, match="out is in use"):
        training.run(lambda _: None)
    training.run(lambda _: None)
    moved = shutil.copytree(photos, tmp_path / "moved")
    Training(recipe, PhotoPairs(moved, 4), pairs, tmp_path / "out").run(lambda _: None)
    first = sorted(moved.iterdir())[0]
    Image.open(first).rotate(180).save(first)
    with pytest.raises(InputError, match=f"photographs: {first.name}"):
        Training(recipe, PhotoPairs(moved, 4), pairs, tmp_path / "out")
    first.unlink()
    with pytest.raises(InputError, match=f"photographs that include {first.name}"):
        Training(recipe, PhotoPairs(moved, 4), pairs, tmp_path / "out")


@pytest.mark.slow
def test_a_training_learns(photos: Path, tmp_path: Path) -> None:
    recipe = tiny("pixel.steps=60", "pixel.warmup_steps=5", "ema_decay=0.9", "adversarial.steps=0")
    pairs = PhotoPairs(photos, 4)
    training = Training(recipe, pairs, pairs, tmp_path)
    before = np.mean([row.psnr for row in training.pixel.test(pairs)])
    training.run(lambda _: None, keep={"pixel": [0, 60]})
    after = np.mean([row.psnr for row in training.pixel.test(pairs)])
    assert after > before + 1
    assert len(json.loads((tmp_path / "pixel" / "quality.json").read_text())) == len(pairs.names)
    first, last = (
        load_file(tmp_path / "pixel" / "snapshots" / f"step-0000{step}.safetensors") for step in ("00", "60")
    )
    assert not torch.equal(first["conv_last.weight"], last["conv_last.weight"])


@pytest.mark.slow
def test_the_result_in_python(photos: Path, tmp_path: Path) -> None:
    options = {"changes": parse_changes(TINY), "test": photos, "keep_every": 3, "device": "cpu", "threads": 1}
    result = ddrscope.train("compact", photos, photos, tmp_path, **options)
    assert [stage.name for stage in result.stages] == ["pixel", "adversarial"] and result.is_main_process
    assert result.weights == str(tmp_path / "adversarial" / "weights.safetensors")
    assert ddrscope.load_network(result.weights).scale == 4
    table, log = result.to_frame(), result.log()
    assert len(table) == 2 * 3 and set(table["stage"]) == {"pixel", "adversarial"} and table["psnr"].notna().all()
    assert list(log["step"]) == [6, 6] and "stage" in log
    assert sorted(path.stem for path in (tmp_path / "pixel" / "snapshots").iterdir()) == [
        "step-000000", "step-000003", "step-000006",
    ]  # fmt: skip
    assert ddrscope.train(result.recipe, photos, photos, tmp_path, test=photos, threads=1).stages == result.stages


@pytest.mark.slow
def test_the_discriminator_learns_to_distinguish_generated_from_real(photos: Path, tmp_path: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    recipe = tiny(
        "adversarial.steps=60",
        "adversarial.discriminator_learning_rate=0.002",
        "adversarial.loss=vanilla",
        "validate_every=20",
    )
    Training(recipe, pairs, pairs, tmp_path).run(lambda _: None)
    rows = read_log(tmp_path / "adversarial" / "log.csv")
    assert float(rows[-1]["discriminator_loss"]) < 1.0 < 2 * np.log(2)
    assert float(rows[-1]["real"]) > 0.6 > 0.4 > float(rows[-1]["made"])


@pytest.mark.slow
def test_bfloat16_stays_near_float32(photos: Path, tmp_path: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    losses = []
    for precision in ("float32", "bfloat16"):
        seen: list[float] = []
        Training(tiny(f"precision={precision}"), pairs, pairs, tmp_path / precision).run(
            lambda p, seen=seen: seen.append(p.loss)
        )
        losses.append(seen)
    assert np.allclose(*losses, rtol=0.05) and losses[0] != losses[1]


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_adversarial_losses_are_cross_entropies(real: list[float], generated: list[float]) -> None:
    one, other = torch.tensor(real), torch.tensor(generated)

    def entropy(logits: torch.Tensor, target: float) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    assert torch.isclose(discriminator_loss("vanilla", one, other), entropy(one, 1) + entropy(other, 0), atol=1e-5)
    assert torch.isclose(generator_loss("vanilla", one, other), entropy(other, 1), atol=1e-5)
    pairs = min(len(real), len(generated))
    one, other = one[:pairs], other[:pairs]
    assert torch.isclose(discriminator_loss("relativistic", one, other), entropy(one - other, 1), atol=1e-5)
    assert torch.isclose(generator_loss("relativistic", one, other), entropy(other - one, 1), atol=1e-5)


def test_r1_of_a_linear_discriminator_is_its_squared_weight() -> None:
    convolution = torch.nn.Conv2d(3, 1, 1)
    images = torch.rand(4, 3, 5, 5, requires_grad=True)
    penalty = r1_penalty(convolution(images), images)
    assert penalty.item() == pytest.approx(convolution.weight.square().sum().item() / 25, rel=1e-5)
    penalty.backward()
    assert torch.allclose(convolution.weight.grad, 2 * convolution.weight / 25)


def test_spectral_norm_bounds_every_convolution() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(4).train()
    for _ in range(30):
        assert discriminator(torch.rand(2, 3, 32, 32)).shape == (2, 1, 4, 4)
    layers = [m for m in discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(layers) == 6
    assert all(torch.linalg.matrix_norm(m.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05) for m in layers)


@pytest.mark.slow
def test_perceptual_distances_are_those_of_the_original() -> None:
    """Reference: stlpips-pytorch 0.0.2's own code, run once on the same images."""
    names = ["aitzgorri__1", "aitzgorri__2", "astronaut__1"]
    pixels = [np.asarray(Image.open(bundled_photos() / f"{name}.png").convert("RGB")) for name in names]
    one = torch.stack([torch.from_numpy(p[:96, :128] / np.float32(255)).permute(2, 0, 1) for p in pixels])
    other = (one + 0.1 * torch.randn(one.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    for backbone, expected in (("alex", [0.5625, 0.6513, 0.6381]), ("vgg", [0.6920, 0.6623, 0.6832])):
        network = ShiftTolerantLpips(backbone)
        assert network(one, other).tolist() == pytest.approx(expected, abs=1e-4)
        assert network(one, one).tolist() == [0, 0, 0]


@pytest.mark.slow
def test_vgg19_is_read_where_torch_keeps_its_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import vgg19

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="vgg19-dcbb9e9d.pth"):
        perceptual_network("vgg19")
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(vgg19(weights=None).state_dict(), tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth")
    network, image = perceptual_network("vgg19"), torch.rand(2, 3, 32, 32)
    assert network(image, image).tolist() == [0, 0] and network(image, 1 - image).min() > 0


def test_recipes_from_files_and_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "pilot"\nseed = 3\n[pixel]\nsteps = 5\n')
    recipe = make_recipe(str(path), parse_changes(["pixel.learning_rate=1e-3", "adversarial.loss=vanilla"]))
    assert (recipe.channels, recipe.seed, recipe.pixel.steps) == (RECIPES["pilot"].channels, 3, 5)
    assert (recipe.pixel.learning_rate, recipe.adversarial.loss) == (1e-3, "vanilla")
    path.write_text(as_toml(recipe))
    assert make_recipe(str(path)) == recipe
    for name, given_recipe in RECIPES.items():
        path.write_text(as_toml(given_recipe))
        assert make_recipe(str(path)) == make_recipe(name)


@pytest.mark.parametrize(
    "change, message",
    [
        ("pixel.stpes=3", "no key 'pixel.stpes' .did you mean 'steps'"),
        ("chanels=3", "no key 'chanels' .did you mean 'channels'"),
        ("channels=many", "channels = 'many'"),
        ("scale=7", "scale = 7: input should be 1, 2, 3 or 4"),
        ("adversarial.loss=hinge", "'vanilla' or 'relativistic'"),
        ("pixel=3", "pixel = 3"),
        ("patch=2", "patch = 2"),
    ],
)
def test_wrong_recipes_are_explained(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_recipe("compact", parse_changes([change]))


def test_unreadable_recipes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'compact'"):
        make_recipe("compct")
    with pytest.raises(InputError, match="cannot be read"):
        make_recipe(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("channels = = 3")
    with pytest.raises(InputError, match="cannot be read"):
        make_recipe(str(tmp_path / "bad.toml"))
    with pytest.raises(InputError, match="KEY=VALUE"):
        parse_changes(["channels"])


def test_psnr_of_a_known_difference() -> None:
    one = np.zeros((8, 8, 3), np.float32)
    # A grey step of 1/255 moves Y by 219/255.
    other = one + np.float32(1 / 255)
    assert psnr_y(one, other, 0) == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-3)
    other[0] = 1
    assert psnr_y(one, other, 1) == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-3)


def test_ssim_is_scikit_images_on_luma() -> None:
    one = np.random.default_rng(0).random((40, 40, 3))
    other = np.clip(one + 0.1, 0, 1)
    y = [np.array([65.481, 128.553, 24.966]) @ np.moveaxis(p, 2, 0).reshape(3, -1) + 16 for p in (one, other)]
    expected = structural_similarity(
        *(plane.reshape(40, 40) for plane in y),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim_y(one, other, 0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_the_evaluator_prefers_the_network_to_bicubic(photos: Path) -> None:
    pairs = PhotoPairs(photos, 4)
    rows = Evaluator(pairs).evaluate(load_network("srresnet-wgr").module, pairs)
    assert all(row.lpips < row.lpips_bicubic and row.psnr > row.psnr_bicubic for row in rows)


def test_the_help_of_the_command_lists_all_recipes() -> None:
    assert all(re.search(rf"\b{name}\b", HELP) for name in RECIPES)
