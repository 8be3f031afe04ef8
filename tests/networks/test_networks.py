"""Networks: shapes, global residuals, layers, reinitialized copies, names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from ddrscope.errors import InputError
from ddrscope.networks import (
    EDSR,
    PlainSR,
    SRResNet,
    list_networks,
    load_network,
    measure_global_residual,
    network_names,
    reinitialized_copy,
    save_network,
)

PHOTOS = Path(__file__).parents[2] / "src" / "ddrscope" / "data" / "photos"


def small(**changes) -> SRResNet:
    torch.manual_seed(3)
    return SRResNet(**({"channels": 8, "blocks": 4, "scale": 4} | changes)).eval()


def saved(folder: Path, module: nn.Module, **metadata: str) -> Path:
    path = folder / "net.safetensors"
    save_network(path, module, metadata)
    return path


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_srresnet_round_trip(tmp_path, scale, channels):
    module = small(scale=scale, in_channels=channels, out_channels=channels)
    network = load_network(saved(tmp_path, module, global_residual="true"))
    assert (network.scale, network.channels, network.architecture) == (scale, channels, "SRResNet")
    assert (network.global_residual, network.global_residual_source) == (True, "metadata")
    assert network.layers == ("body.0", "body.1", "body.2", "body.3", "conv_last:input")
    assert network.parameters == sum(p.numel() for p in module.parameters())
    batch = torch.rand(2, channels, 7, 9)
    torch.testing.assert_close(network(batch), module(batch).detach(), atol=2e-3, rtol=0)
    assert network(batch).shape == (2, channels, 7 * scale, 9 * scale)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("scale, channels", [(1, 3), (3, 1), (4, 3)])
def test_plain_network_round_trip(tmp_path, residual, scale, channels):
    torch.manual_seed(0)
    shape = {"in_channels": channels, "out_channels": channels, "channels": 8, "blocks": 3, "scale": scale}
    module = PlainSR(**shape, global_residual=residual).eval()
    network = load_network(saved(tmp_path, module, global_residual=str(residual).lower()))
    assert (network.scale, network.channels, network.architecture) == (scale, channels, "PlainSR")
    assert (network.global_residual, network.last_hr_layer) == (residual, "conv_last:input")
    assert network.layers == ("body.0", "body.1", "conv_last:input")
    batch = torch.rand(2, channels, 7, 9)
    # The definition, from torch.nn.functional alone.
    features = batch
    for n in range(3):
        features = functional.relu(functional.conv2d(features, *_convolution(module.body[n].conv), padding=1))
    expected = functional.pixel_shuffle(functional.conv2d(features, *_convolution(module.conv_last), padding=1), scale)
    if residual:
        expected = expected + functional.interpolate(
            batch, size=expected.shape[2:], mode="bilinear", align_corners=False
        )
    torch.testing.assert_close(network(batch), expected.detach(), atol=2e-3, rtol=0)
    twin = reinitialized_copy(network)
    assert all(
        not torch.equal(a, b) for a, b in zip(twin.module.parameters(), network.module.parameters(), strict=True)
    )


def _convolution(layer: nn.Conv2d) -> tuple[torch.Tensor, torch.Tensor | None]:
    return layer.weight, layer.bias


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("option", [True, False])
def test_the_option_overrules_the_metadata(tmp_path, written, option):
    module = small()
    path = saved(tmp_path, module, global_residual=str(written).lower())
    network = load_network(path, global_residual=option)
    assert (network.global_residual, network.global_residual_source) == (option, "option")
    assert bool(network.notes) == (written != option)
    batch = torch.rand(1, 3, 8, 8)
    enlarged = functional.interpolate(batch, scale_factor=4, mode="bilinear", align_corners=False)
    difference = network(batch) - load_network(path, global_residual=False)(batch)
    torch.testing.assert_close(difference, enlarged * option, atol=1e-5, rtol=0)


def test_one_channel_in_three_out_has_no_global_residual(tmp_path):
    network = load_network(saved(tmp_path, small(in_channels=1, out_channels=3, global_residual=False)))
    assert (network.global_residual, network.global_residual_source, network.channels) == (False, "architecture", 1)


@pytest.mark.parametrize("option", [None, False, True])
def test_a_note_says_that_an_option_has_no_effect(tmp_path, option):
    network = load_network(saved(tmp_path, EDSR(channels=8, blocks=1, scale=2)), global_residual=option)
    assert (network.global_residual, network.global_residual_source) == (False, "architecture")
    assert len(network.notes) == (option is True)


@pytest.mark.parametrize("truth", [True, False])
def test_the_residual_is_found_by_measuring(tmp_path, truth):
    """Networks that reconstruct exactly as nearest enlargement does, built by hand, one variant of each."""
    module = SRResNet(in_channels=1, out_channels=1, channels=4, blocks=1, scale=1, global_residual=truth)
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    if not truth:  # the identity, by way of channel 0
        for convolution in (module.conv_first, module.conv_hr, module.conv_last):
            convolution.weight.data[0, 0, 1, 1] = 1.0
    network = load_network(saved(tmp_path, module))
    assert (network.global_residual, network.global_residual_source) == (truth, "measured")
    assert "measured" in network.notes[0]
    batch = torch.rand(1, 1, 6, 6)
    torch.testing.assert_close(network(batch), batch)


def test_measuring_without_a_decision_takes_the_published_variant():
    measured = measure_global_residual(lambda _: nn.Identity(), channels=3, scale=1)
    assert not measured.decided
    assert measured.global_residual
    assert "does not decide" in measured.note()


@pytest.mark.parametrize("name, truth", [("srresnet-wgr", True), ("srresnet-wogr", False)])
def test_bundled_networks(tmp_path, name, truth):
    network = load_network(name)
    assert (network.global_residual, network.global_residual_source, network.scale) == (truth, "metadata", 4)
    assert len(network.layers) >= 9
    without_metadata = load_network(saved(tmp_path, network.module))
    assert (without_metadata.global_residual, without_metadata.global_residual_source) == (truth, "measured")


@pytest.mark.parametrize("photo_name", ["astronaut__2", "coffee__1", "stream__2"])
def test_the_bundled_network_with_global_residual_beats_bicubic(photo_name):
    """On photographs it was not trained on; of the one without, no such claim is made."""
    photo = (
        torch.from_numpy(np.array(Image.open(PHOTOS / f"{photo_name}.png").convert("RGB"))).permute(2, 0, 1)[None] / 255
    )
    photo = photo[..., 64:192, 64:192]
    shrunk = functional.interpolate(photo, scale_factor=0.25, mode="bicubic", antialias=True)
    bicubic = functional.interpolate(shrunk, scale_factor=4, mode="bicubic")
    error = (load_network("srresnet-wgr")(shrunk) - photo).square().mean()
    assert error < (bicubic - photo).square().mean()


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_edsr_in_both_namings(tmp_path, scale):
    torch.manual_seed(0)
    module = EDSR(channels=8, blocks=3, scale=scale).eval()
    batch = torch.rand(1, 3, 6, 7)
    network = load_network(saved(tmp_path, module))
    assert (network.architecture, network.scale, network.global_residual) == ("EDSR", scale, False)
    assert network(batch).shape == (1, 3, 6 * scale, 7 * scale)
    assert network.last_hr_layer == network.layers[-1] == "conv_last:input"

    renamed = {"sub_mean.weight": torch.eye(3)[:, :, None, None], "sub_mean.bias": -255 * module.mean.flatten()}
    for key, tensor in network.module.state_dict().items():
        key = key.replace("conv_first", "head.0").replace("conv_last", "tail.1").replace("upsample", "tail.0")
        key = key.replace("conv_after_body", "body.3").replace("conv1", "body.0").replace("conv2", "body.2")
        renamed[key] = tensor
    torch.save(renamed, tmp_path / "edsr.pt")
    original = load_network(tmp_path / "edsr.pt")
    assert torch.equal(original(batch), network(batch))


def test_edsr_against_the_published_formula():
    torch.manual_seed(1)
    module = EDSR(channels=256, blocks=1, scale=2).eval()
    batch = torch.rand(1, 3, 5, 5)
    with torch.inference_mode():
        state = module.state_dict()

        def convolve(x, name):
            return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

        mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1) * 255
        first = convolve(batch * 255 - mean, "conv_first")
        block = first + 0.1 * convolve(convolve(first, "body.0.conv1").relu(), "body.0.conv2")
        trunk = first + convolve(block, "conv_after_body")
        expected = (convolve(functional.pixel_shuffle(convolve(trunk, "upsample.0"), 2), "conv_last") + mean) / 255
        torch.testing.assert_close(module(batch), expected, atol=1e-5, rtol=1e-5)


class Odd(nn.Module):
    """A table without a rule, a normalization with running statistics, a container with its own reset."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(4000) * 0.1 + 5)
        self.scale_factor = nn.Parameter(torch.tensor(0.5))
        self.convolution = nn.Conv2d(3, 40, 3)
        self.norm = nn.BatchNorm2d(40)
        self.norm.running_mean.fill_(9.0)

    def forward(self, x):
        return self.norm(self.convolution(x))


def odd() -> Odd:
    return Odd()


def test_a_reinitialized_copy(tmp_path):
    network = load_network(saved(tmp_path, small(), global_residual="true"))
    before = {key: value.clone() for key, value in network.module.state_dict().items()}
    state = torch.get_rng_state()
    twin, same, other = reinitialized_copy(network, 7), reinitialized_copy(network, 7), reinitialized_copy(network, 8)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[key], value) for key, value in network.module.state_dict().items())
    batch = torch.rand(1, 3, 8, 8)
    assert torch.equal(twin(batch), same(batch))
    assert not torch.equal(twin(batch), other(batch))
    assert not torch.equal(twin(batch), network(batch))
    assert twin.sha256 == same.sha256 != other.sha256
    assert (twin.layers, twin.name) == (network.layers, "net (random weights)")


def test_parameters_without_an_initialization_keep_their_distribution():
    network = load_network(f"{__name__}:odd")
    twin = reinitialized_copy(network, 0)
    table, original = twin.module.table, network.module.table
    assert not torch.equal(table, original)
    assert table.mean().item() == pytest.approx(5, abs=0.02)
    assert table.std().item() == pytest.approx(0.1, rel=0.1)
    assert twin.module.scale_factor != network.module.scale_factor
    assert twin.module.norm.running_mean.abs().max() == 0
    bound = 1 / 27**0.5  # PyTorch's default for a convolution of 3 x 3 x 3 inputs
    assert 0.9 * bound < twin.module.convolution.weight.abs().max() <= bound


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    """A module of the user's in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "usernets.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "def twice(): return nn.Sequential(nn.Conv2d(2, 4, 3, 1, 1), nn.PixelShuffle(2))\n"
        "def stated():\n"
        "    module = nn.Identity()\n"
        "    module.scale, module.channels = 3, 1\n"
        "    return module\n"
        "def classifier(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))\n"
        "def bare(): return nn.Linear(3, 3)\n"
        "def wants_two():\n"
        "    class Two(nn.Module):\n"
        "        def __init__(self):\n"
        "            super().__init__()\n"
        "            self.convolution = nn.Conv2d(3, 3, 1)\n"
        "        def forward(self, x, y): return x\n"
        "    return Two()\n"
        "def number(): return 4\n"
        "def broken(): raise RuntimeError('no\\nweights')\n"
    )
    yield
    sys.modules.pop("usernets", None)


@pytest.mark.parametrize(
    "function, scale, channels, last",
    [
        ("twice", 2, 2, "0:input"),
        ("stated", 3, 1, None),
        ("classifier", 1, 3, "3:input"),
    ],
)
def test_a_function_of_the_users(user_module, function, scale, channels, last):
    path = list(sys.path)
    network = load_network(f"usernets:{function}")
    assert (network.scale, network.channels) == (scale, channels)
    assert network.last_hr_layer == last
    assert len(network.sha256) == 64
    assert sys.path == path


@pytest.mark.parametrize("option", [None, False, True])
def test_the_global_residual_of_a_function_can_be_stated(user_module, option):
    """The measurement finds none."""
    network = load_network("usernets:twice", global_residual=option)
    assert network.global_residual is bool(option)
    assert network.global_residual_source == ("measured" if option is None else "option")
    assert any("against the measurement" in note for note in network.notes) == (option is True)


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("usernets:classifyer", "classifier"),
        ("usernets:number", "returned a int"),
        ("usernets:broken", "RuntimeError: no weights"),
        ("usernets:bare", "module.channels"),
        ("usernets:wants_two", "module.scale"),
        ("nosuchmodule:build", "no module 'nosuchmodule'"),
        ("realsr-df2", "realsr-df2k"),
        ("missing.pth", "no such file"),
        ("usernets.py", "module:function"),
    ],
)
def test_bad_specs_get_one_line(user_module, spec, expected):
    with pytest.raises(InputError) as caught:
        load_network(spec)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_list_of_networks():
    listed = {entry.name: entry for entry in list_networks()}
    assert list(listed) == network_names()
    assert {"srresnet-wgr", "srresnet-wogr", "realesrgan-x4plus", "realsr-df2k"} <= listed.keys()
    for entry in listed.values():
        assert entry.about and entry.licence
        assert entry.available == (not entry.needs)
