"""Reading checkpoints: every naming, every wrapper, files that are none. Malicious ones are in attacks/."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from corrupt_files import refusal
from ddrscope.networks import SRResNet, load_network, reinitialized_copy, save_network

BATCH = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def module() -> SRResNet:
    torch.manual_seed(3)
    return SRResNet(channels=8, blocks=8, scale=4).eval()


@pytest.fixture(scope="module")
def expected(module):
    with torch.inference_mode():
        return module(BATCH)


def outputs_of(path: Path) -> torch.Tensor:
    return load_network(path, global_residual=True)(BATCH)


def renamed(state: dict, body) -> dict:
    names = {}
    for key, tensor in state.items():
        if key.startswith("body."):
            _, block, rest = key.split(".", 2)
            key = f"{body(int(block))}.{rest}"
        names[key.replace("conv_hr", "HRconv")] = tensor
    return names


NAMINGS = {
    "basicsr": lambda state: state,
    "older": lambda state: renamed(state, lambda n: f"recon_trunk.{n}"),
    "grouped": lambda state: renamed(state, lambda n: f"recon_trunk{n // 2 + 1}.{n % 2}"),
    "reordered": lambda state: dict(reversed(renamed(state, lambda n: f"recon_trunk{n // 2 + 1}.{n % 2}").items())),
}
WRAPPERS = {
    "params_ema": lambda state: {"params": {key: tensor * 0 for key, tensor in state.items()}, "params_ema": state},
    "gan": lambda state: {"generator": state, "discriminator": {"conv.weight": torch.zeros(3, 3)}, "epoch": 3},
    "lightning": lambda state: {
        "epoch": 1, "state_dict": {f"net_g.{key}": tensor for key, tensor in state.items()} | {"loss.weight": torch.ones(2)}
    },
    "parallel": lambda state: {"model": {f"module.netG.{key}": tensor for key, tensor in state.items()}, "iter": 7},
    "half": lambda state: {key: tensor.double() for key, tensor in state.items()},
}  # fmt: skip


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_every_naming(tmp_path, module, expected, naming, suffix):
    path = tmp_path / f"net{suffix}"
    state = NAMINGS[naming](module.state_dict())
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    assert torch.equal(outputs_of(path), expected)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_wrapper(tmp_path, module, expected, wrapper, zipped):
    path = tmp_path / "net.ckpt"
    torch.save(WRAPPERS[wrapper](module.state_dict()), path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(outputs_of(path), expected)


def test_saving_is_half_precision_with_metadata_and_leaves_nothing_else(tmp_path, module, expected):
    path = tmp_path / "net.safetensors"
    save_network(path, module, {"architecture": "SRResNet", "global_residual": "true"})
    assert os.listdir(tmp_path) == ["net.safetensors"]
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    network = load_network(path)
    assert network.global_residual_source == "metadata"
    assert next(network.module.parameters()).dtype == torch.float32
    for name, parameter in module.state_dict().items():
        assert torch.equal(network.module.state_dict()[name], parameter.half().float())


def test_saving_refuses_what_half_precision_cannot_hold(tmp_path):
    module = nn.Conv2d(1, 1, 1)
    nn.init.constant_(module.weight, 1e6)
    with pytest.raises(ValueError, match="not finite"):
        save_network(tmp_path / "net.safetensors", module, {})
    assert os.listdir(tmp_path) == []


def spandrel_modules() -> dict[str, tuple[nn.Module, int]]:
    from spandrel.architectures.ESRGAN import ESRGAN
    from spandrel.architectures.SPAN import SPAN
    from spandrel.architectures.SwinIR import SwinIR

    swinir = SwinIR(
        img_size=16, window_size=8, embed_dim=12, depths=[2, 2], num_heads=[2, 2], mlp_ratio=2, upscale=2,
        upsampler="pixelshuffledirect", resi_connection="1conv",
    )  # fmt: skip
    span = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2)
    return {"SwinIR": (swinir, 2), "ESRGAN": (ESRGAN(num_filters=8, num_blocks=2, scale=4), 4), "SPAN": (span, 2)}


@pytest.mark.parametrize("architecture", ["SwinIR", "ESRGAN", "SPAN"])
def test_spandrel_architectures(tmp_path, architecture):
    torch.manual_seed(0)
    original, scale = spandrel_modules()[architecture]
    original.eval()
    torch.save({"params_ema": original.state_dict()}, tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    assert (network.architecture, network.scale, network.channels) == (architecture, scale, 3)
    batch = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(network(batch), original(batch).clamp(0, 1), atol=1e-5, rtol=1e-4)
    assert network(BATCH).shape == (1, 3, 8 * scale, 9 * scale)
    twin = reinitialized_copy(network, 1)
    assert not torch.equal(twin(batch), network(batch))
    if architecture == "ESRGAN":
        assert network.layers == ("model.1.sub.0", "model.1.sub.1", "model.1", "model.10:input")


def test_networks_that_take_more_than_an_image_are_refused(tmp_path):
    from spandrel.architectures.DRUNet import DRUNet

    torch.save(DRUNet(in_nc=4, out_nc=3, nc=[8, 8, 8, 8], nb=2).state_dict(), tmp_path / "net.pth")
    assert "noise level" in refusal(tmp_path / "net.pth")


def test_a_denoiser_that_takes_only_an_image_is_loaded(tmp_path):
    from spandrel.architectures.DnCNN import DnCNN

    original = DnCNN(in_nc=1, out_nc=1, nc=8, nb=9, act_mode="R", mode="DnCNN")
    torch.save(original.state_dict(), tmp_path / "net.pth")
    network = load_network(tmp_path / "net.pth")
    assert (network.architecture, network.scale, network.channels) == ("DnCNN", 1, 1)
    assert network(BATCH[:, :1].repeat(3, 1, 1, 1)).shape == (3, 1, 8, 9)


@pytest.mark.parametrize(
    "content, expected",
    [
        ({"a": 1, "b": 2}, "no tensors (keys: a, b)"),
        ({"state": {}, "param_groups": [{"lr": 0.1}]}, "optimizer"),
        ([1, 2, 3], "a list"),
        (torch.zeros(3), "a Tensor"),
        ({}, "contains nothing"),
        ({"encoder.weight": torch.zeros(3, 3), "encoder.bias": torch.zeros(3)}, "2 weights of no known architecture"),
        ({f"k{n}": {f"k{n}": {}} for n in range(9)}, "no tensors"),
        ({"x" * 9999: torch.zeros(2)}, "1 weights"),
    ],
)
def test_checkpoints_of_something_else(tmp_path, content, expected):
    torch.save(content, tmp_path / "net.pth")
    assert expected in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize(
    "key, tensor",
    [
        ("conv_first.weight", torch.tensor(1.0)),
        ("conv_first.weight", torch.zeros(0, 3, 3, 3)),
        ("conv_first.weight", torch.zeros(8, 3, 5, 5)),
        ("conv_first.weight", torch.zeros(8, 3, 3, 3, dtype=torch.complex64)),
        ("conv_last.bias", torch.zeros(7)),
        ("upconv2.weight", torch.zeros(8, 8, 3, 3)),
        ("body.first.conv1.weight", torch.zeros(8, 8, 3, 3)),
        ("conv_last.weight", torch.zeros(3, 8, 3, 3).to_sparse()),
    ],
)
def test_wrong_tensors_under_right_names(tmp_path, module, key, tensor):
    torch.save(module.state_dict() | {key: tensor}, tmp_path / "net.pth")
    refusal(tmp_path / "net.pth")


@pytest.mark.parametrize("missing", ["conv_first.bias", "body.3.conv2.weight", "upconv1.weight"])
def test_missing_tensors(tmp_path, module, missing):
    state = {key: tensor for key, tensor in module.state_dict().items() if key != missing}
    torch.save(state, tmp_path / "net.pth")
    assert "SRResNet" in refusal(tmp_path / "net.pth")
