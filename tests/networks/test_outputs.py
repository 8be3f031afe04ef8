"""What networks of others give: several tensors, NaN, infinity, another range of pixels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from commands import call_command
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images
from ddrscope.networks import Network, SRResNet, load_network
from ddrscope.training import Evaluator, PhotoPairs
from ddrscope.upscaling import enlarge, upscale
from ddrscope.upscaling.checks import check_network
from toy_networks import Wrapped

BATCH = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(5))
# Networks as their authors write them: the image is not alone, nor always the first.
SEVERAL = """
import torch
from torch import nn

class Several(nn.Module):
    def __init__(self, give):
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail, self.give = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1), give

    def forward(self, x):
        features = torch.relu(self.head(x))
        return self.give(nn.functional.pixel_shuffle(self.tail(features), 2), features)

def image(): return Several(lambda image, features: image)
def first(): return Several(lambda image, features: (image, features))
def last(): return Several(lambda image, features: [features, {"mask": features[:, :1], "sr": image}])
def coarse(): return Several(lambda image, features: (image[..., ::4, ::4], image))
def nothing(): return Several(lambda image, features: "done")
def half(): return image().half()
def needs(): return scaled(Several(lambda image, features: image @ features))
def scaled(module): module.scale, module.channels = 2, 3; return module
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with an image and a module of networks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(SEVERAL)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    yield tmp_path
    sys.modules.pop("nets", None)


@pytest.mark.parametrize("name", ["first", "last", "coarse"])
def test_of_several_outputs_the_image_is_enlarged(folder: Path, name: str) -> None:
    for network in ("image", name):
        done = call_command("upscale", "a.png", "--network", f"nets:{network}", "--no-identify", "--out", network)
        assert done.returncode == 0, done.stderr
    assert (folder / name / "a.png").read_bytes() == (folder / "image" / "a.png").read_bytes()
    with Image.open(folder / name / "a.png") as image:
        assert image.size == (96, 80)
    assert "tensors" in done.stderr


def test_a_function_of_half_precision_is_run_in_float32(folder: Path) -> None:
    """Its weights are those of the other to 11 bits."""
    results = []
    for name in ("image", "half"):
        done = call_command("upscale", "a.png", "--network", f"nets:{name}", "--no-identify", "--out", name)
        assert done.returncode == 0, done.stderr
        results.append(np.asarray(Image.open(folder / name / "a.png")).astype(int))
    assert np.abs(results[0] - results[1]).max() <= 1


def test_a_function_that_fails_is_named(folder: Path) -> None:
    done = call_command("upscale", "a.png", "--network", "nets:needs", "--no-identify", "--out", "out")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "nets:needs" in done.stderr and "64 x 64" in done.stderr


@pytest.mark.slow
def test_several_outputs_in_the_other_commands(folder: Path) -> None:
    layers = [
        json.loads(call_command("models", "layers", f"nets:{name}", "--json").stdout)["default"]
        for name in ("image", "last")
    ]
    assert layers[0] == layers[1]
    out = folder / "scores"
    words = [
        "--degrade",
        "clean",
        "--degrade",
        "blur:2",
        "--patch",
        64,
        "--patches",
        120,
        "--components",
        10,
        "--out",
        out,
    ]
    done = call_command("generalize", "nets:last", *words, "--layer", "tail:input", "--images", many(folder))
    assert done.returncode == 0, done.stderr
    scores = json.loads((out / "generalization.json").read_text())["scores"]
    assert all(score["psnr"] > 0 for score in scores)


def many(folder: Path) -> Path:
    random = np.random.default_rng(1)
    (folder / "many").mkdir()
    for number in range(8):
        Image.fromarray(random.integers(0, 256, (300, 320, 3), np.uint8)).save(folder / "many" / f"photo{number}.png")
    return folder / "many"


@pytest.mark.parametrize(
    "words", [["upscale", "a.png", "--no-identify", "--out", "out", "--network"], ["models", "layers"]]
)
def test_an_output_without_a_tensor_is_refused_in_one_line(folder: Path, words: list[str]) -> None:
    done = call_command(*words, "nets:nothing")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "nets:nothing" in done.stderr and "str" in done.stderr


@dataclass
class Both:
    features: torch.Tensor
    image: torch.Tensor


def test_an_output_with_names(cnn: nn.Module) -> None:
    def call(inner: nn.Module, x: torch.Tensor) -> Any:
        return Both(x[:, :2], inner(x))

    network = Network("both", Wrapped(cnn, call), 2, 3, "Both")
    assert torch.equal(network(BATCH), Network("alone", cnn, 2, 3, "Alone")(BATCH))


class Broken(nn.Module):
    """Enlarges by 2, and gives ``value`` wherever the input is brighter than 0.9."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x.masked_fill(x > 0.9, self.value), scale_factor=2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scale", [1, 2])
def test_an_output_that_is_not_finite_costs_its_image(tmp_path: Path, value: float, scale: int) -> None:
    for name, bright in (("dark", []), ("spot", [(100, 80)])):
        image = Image.new("RGB", (150, 100), (90, 20, 200))
        for place in bright:
            image.putpixel(place, (255, 255, 255))
        image.save(tmp_path / f"{name}.png")
    network = Network("broken", Broken(value), 2, 3, "Broken")
    out = tmp_path / "out"
    dark, spot = upscale(tmp_path, out, network=network, scale=scale, tile=64, overlap=8, identify=False).images
    assert dark.error is None and dark.width == 150 * scale
    assert spot.out is None and not (out / "spot.png").exists()
    for part in (str(tmp_path / "spot.png"), "broken", "rows 64 to 99", "columns 64 to 127"):
        assert part in str(spot.error)


def test_a_file_with_weights_that_are_not_finite(folder: Path) -> None:
    state = SRResNet(channels=4, blocks=2, scale=2).state_dict()
    state["body.1.conv1.weight"][0, 0, 0, 0] = torch.nan
    torch.save(state, folder / "net.pth")
    done = call_command(
        "upscale", "a.png", "--network", "net.pth", "--no-identify", "--out", "out", "--global-residual"
    )
    assert done.returncode == 2 and "body.1.conv1.weight" in done.stderr and "a.png" in done.stderr
    assert not (folder / "out" / "a.png").exists() and "Warning" not in done.stderr


def test_infinity_behind_the_clamping_of_spandrel(tmp_path: Path) -> None:
    from spandrel.architectures.SPAN import SPAN

    original = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    state = original.state_dict()
    next(tensor for key, tensor in state.items() if key.endswith("upsampler.0.bias")).fill_(torch.inf)
    torch.save(state, tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    with pytest.raises(InputError, match="infinite"):
        enlarge(network, np.full((32, 32, 3), 0.5, np.float32))


def test_a_training_that_diverged_is_stopped_before_its_pixels_are_written() -> None:
    evaluator = Evaluator(PhotoPairs(find_images([bundled_photos()])[0].path, 2))
    module = SRResNet(channels=4, blocks=1, scale=2)
    assert evaluator.previews(module, 16)[0][1].shape == (32, 32, 3)
    module.conv_last.bias.data.fill_(torch.nan)
    for step in (evaluator.previews, evaluator.validate):
        with pytest.raises(InputError, match="learning rate"):
            step(module, 16)


def test_pixels_in_0_to_255_are_refused_not_clipped(cnn: nn.Module) -> None:
    check_network(Network("sound", cnn, 2, 3, "Sound"))
    network = Network("loud", Wrapped(nn.Upsample(scale_factor=2), lambda inner, x: 255 * inner(x)), 2, 3, "Loud")
    with pytest.raises(InputError, match="loud.*255"):
        check_network(network)
