"""Checkpoints that no known architecture fits: the message says what they resemble, and its remedies work as printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import ddrscope
from corrupt_files import refusal
from ddrscope.errors import InputError
from ddrscope.networks import IMDN, RLFN, SRResNet, load_weights

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))
"""


def save(module: nn.Module, path: Path, change: Callable[[str], str | None] = lambda name: name) -> Path:
    """Save the weights under other names; those with None are left out."""
    named = {change(name): tensor for name, tensor in module.state_dict().items()}
    torch.save({name: tensor for name, tensor in named.items() if name}, path)
    return path


@pytest.mark.parametrize("place", [(), ("params",), ("state_dict", "module")])
def test_the_printed_function_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    exec(NET, namespace)
    module = namespace["Net"]()
    content = module.state_dict()
    for key in reversed(place):
        content = {key: content} if key != "module" else {f"module.{name}": value for name, value in content.items()}
    torch.save(content, "net.pth")
    code = re.search(r'write "(.*?)" into mine.py', refusal(Path("net.pth")))
    assert code
    (tmp_path / "net_code.py").write_text(NET)
    name = f"mine_{len(place)}"
    (tmp_path / f"{name}.py").write_text(code[1].replace("MODULE", "net_code").replace("CLASS", "Net"))
    network = ddrscope.load_network(f"{name}:build")
    batch = torch.rand(1, 3, 8, 9)
    assert torch.equal(network(batch), module.eval()(batch))
    assert (network.scale, network.last_hr_layer, network.global_residual) == (2, "2:input", False)


def test_no_likeness_is_claimed_where_there_is_none(tmp_path: Path) -> None:
    torch.save({f"encoder.{n}.weight": torch.zeros(3) for n in range(9)}, tmp_path / "net.pth")
    message = refusal(tmp_path / "net.pth")
    assert "9 weights of no known architecture (encoder.0.weight" in message
    assert "nearest" not in message
    for remedy in ("mine:build", "as_network", "docs/how-to/unknown-networks.md"):
        assert remedy in message


def test_the_nearest_architecture_is_named_with_what_differs(tmp_path: Path) -> None:
    def change(name: str) -> str | None:
        return None if ".c5." in name else name.replace(".esa.", ".attention.")

    message = refusal(save(RLFN(blocks=3), tmp_path / "net.pth", change))
    assert "nearest to RLFN" in message
    assert "without block_1.c5.weight" in message
    assert "with block_1.attention." in message
    message = refusal(save(IMDN(), tmp_path / "net.pth", lambda name: name.replace("fea_conv", "head")))
    assert "nearest to IMDN" in message and "without fea_conv.weight" in message and "with head.weight" in message


def test_an_architecture_of_spandrel_is_the_nearest(tmp_path: Path) -> None:
    from spandrel.architectures.SAFMN import SAFMN

    message = refusal(save(SAFMN(dim=8, n_blocks=2), tmp_path / "net.pth", lambda name: name.replace("to_img", "end")))
    assert "nearest to SAFMN" in message


def test_weights_that_nearly_fit_are_summed_up(tmp_path: Path) -> None:
    """MSRResNet with batch normalization, as NASNetBN has it."""
    module = SRResNet(channels=4, blocks=3, scale=4)
    state = module.state_dict()
    for block in range(3):
        state |= {f"body.{block}.bn1.{name}": tensor for name, tensor in nn.BatchNorm2d(4).state_dict().items()}
    torch.save(state, tmp_path / "net.pth")
    message = refusal(tmp_path / "net.pth")
    assert "has the weight names of SRResNet, but does not fit it (with body.0.bn1.weight" in message
    assert "and 12 more" in message and "mine:build" in message
    state = module.state_dict() | {"conv_last.weight": torch.zeros(3, 4, 5, 5), "conv_last.bias": torch.zeros(4)}
    torch.save(state, tmp_path / "net.pth")
    assert "conv_last.weight is 3x4x5x5 instead of 3x4x3x3, 1 others too" in refusal(tmp_path / "net.pth")


def test_weights_are_loaded_into_a_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, other = SRResNet(channels=4, blocks=1, scale=2), SRResNet(channels=4, blocks=1, scale=2)
    torch.save({"params": other.state_dict(), "params_ema": module.state_dict()}, tmp_path / "net.pth")
    loaded = load_weights(SRResNet(channels=4, blocks=1, scale=2), tmp_path / "net.pth")
    assert all(map(torch.equal, loaded.state_dict().values(), module.state_dict().values()))
    assert not loaded.training
    with pytest.raises(InputError, match=r"does not fit SRResNet \(.*body.1.conv1.weight"):
        load_weights(SRResNet(channels=4, blocks=2, scale=2), tmp_path / "net.pth")
