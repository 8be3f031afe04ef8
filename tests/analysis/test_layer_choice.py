"""Layers and last HR layers that are chosen for one network among several."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.analysis import AnalysisResult, analyze
from ddrscope.errors import InputError
from ddrscope.networks import Network, as_network

SETTINGS = {"limit": 4, "crop": 32, "tsne_seeds": 1, "degradations": ["clean", "blur:4"], "views": "pooled"}


class WithShift(nn.Module):
    """Ends in a fixed 1x1 convolution of the image, as the networks of the EDSR family do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.exit, self.add_mean = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 3, 3, 1, 1), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(self.head(x), scale_factor=2)
        output: Tensor = self.add_mean(self.exit(x))
        return output


class AtLr(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 12, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.last(self.first(x)), 2)


def networks() -> list[Network]:
    return [as_network(WithShift(), "shift"), as_network(AtLr(), "lr")]


def layers(result: AnalysisResult) -> dict[str, list[str]]:
    return {entry.name: [layer.layer for layer in entry.layers] for entry in result.networks}


def test_the_verdict_is_on_the_last_layer_of_features() -> None:
    result = analyze(networks(), layers=(), **SETTINGS)
    assert layers(result) == {"shift": ["exit:input"], "lr": ["last:input"]}
    found = {entry.name: (entry.summary.last_hr_layer, entry.summary.last_hr_layer_size) for entry in result.networks}
    assert found == {"shift": ("exit:input", "HR"), "lr": ("last:input", "LR")}
    sentences = {verdict.network: verdict.sentence for verdict in result.verdicts}
    assert "exit:input, of HR size" in sentences["shift"] and "last:input, of LR size" in sentences["lr"]


@pytest.mark.slow
def test_layers_of_one_network() -> None:
    result = analyze(networks(), layers=("shift=head", "lr=first"), **SETTINGS)
    assert layers(result) == {"shift": ["head", "exit:input"], "lr": ["first", "last:input"]}
    # A network that is not named keeps its default layers.
    default = layers(analyze(networks(), **SETTINGS))["lr"]
    assert layers(analyze(networks(), layers="shift=head", **SETTINGS))["lr"] == default


@pytest.mark.slow
def test_the_last_hr_layer_that_is_given() -> None:
    result = analyze(networks(), layers=(), output_layers={"shift": "add_mean:input"}, **SETTINGS)
    assert layers(result) == {"shift": ["add_mean:input"], "lr": ["last:input"]}
    assert "add_mean:input" in next(verdict.sentence for verdict in result.verdicts if verdict.network == "shift")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "head"}, r"^lr, layer 'head'"),
        ({"layers": "shift=first"}, r"^shift, layer 'first'"),
        ({"layers": "other=head"}, r"`layers` names other, which is none of the networks: shift, lr"),
        ({"output_layers": {"other": "exit:input"}}, r"`output_layers` names other"),
        ({"output_layers": {"shift": "exit2:input"}}, r"^shift, layer 'exit2:input'.*nearest names: exit"),
    ],
)
def test_a_layer_that_one_network_lacks_names_the_network(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        analyze(networks(), **{"layers": (), **options}, **SETTINGS)
