from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ddrscope.errors import InputError
from ddrscope.layers import LayerName, all_layers, capture, default_layers, resolve_layers
from toy_networks import Recurrent, SmallCnn, swinir


@pytest.mark.parametrize("text", ["body.3", "conv_last:input", "cell#2", "cell#12:input", "layers.*", "cell#*"])
def test_layer_text_survives_parsing(text: str) -> None:
    assert str(LayerName.parse(text)) == text


def test_first_call_needs_no_suffix() -> None:
    assert str(LayerName.parse("cell#1:input")) == "cell:input"


def test_globs_stay_within_one_level(cnn: SmallCnn, batch: Tensor) -> None:
    assert resolve_layers(cnn, ["body.*"], batch) == ["body.0", "body.1", "body.2"]
    assert resolve_layers(cnn, ["body.[02].conv?"], batch) == [
        "body.0.conv1",
        "body.0.conv2",
        "body.2.conv1",
        "body.2.conv2",
    ]


def test_resolved_layers_are_in_forward_order(cnn: SmallCnn, batch: Tensor) -> None:
    asked = ["conv_last:input", "body.1", "head", "body.0:input"]
    assert resolve_layers(cnn, asked, batch) == ["head", "body.0:input", "body.1", "conv_last:input"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("bodi.1", "body.1"),
        ("conv_lost:input", "conv_last"),
        ("unused", "does not call it"),
        ("head#2", "not that often"),
        ("tail.*", "no such layer"),
        ("", "no layer name"),
    ],
)
def test_a_layer_that_is_not_there_is_an_input_error(cnn: SmallCnn, batch: Tensor, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        resolve_layers(cnn, [pattern], batch)
    assert "\n" not in str(error.value)


def test_names_of_one_tensor_are_listed_once(cnn: SmallCnn, batch: Tensor) -> None:
    everything = resolve_layers(cnn, ["body", "body.*", "body.*:input", "up:input"], batch)
    assert everything == ["body.0:input", "body.0", "body.1", "body"]
    assert resolve_layers(cnn, ["up:input", "body", "body.*"], batch)[-1] == "up:input"
    # Outermost wins among globs: `body` has fewer levels than `body.2`.
    assert resolve_layers(cnn, ["body.*", "bod?"], batch) == ["body.0", "body.1", "body"]


def test_an_in_place_activation_is_another_layer_than_its_input(cnn: SmallCnn, batch: Tensor) -> None:
    layers = ["body.0.conv1", "body.0.act"]
    assert resolve_layers(cnn, layers, batch) == layers
    features = capture(cnn, batch, layers)
    assert features["body.0.conv1"].min() < 0 <= features["body.0.act"].min()
    torch.testing.assert_close(features["body.0.conv1"].relu(), features["body.0.act"], rtol=0, atol=0)


class Copy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def test_reused_memory_is_not_taken_for_the_same_tensor() -> None:
    image = torch.rand(1, 3, 256, 256)
    chain = nn.Sequential(*[Copy() for _ in range(6)])
    assert len(resolve_layers(chain, ["*"], image)) == 6


def test_an_alias_is_refused_with_the_first_name(batch: Tensor) -> None:
    block = nn.Conv2d(3, 3, 1)
    chain = nn.Sequential(block, block)
    assert resolve_layers(chain, ["0#*"], batch) == ["0", "0#2"]
    with pytest.raises(InputError, match="same module as '0'"):
        resolve_layers(chain, ["1"], batch)


def test_all_layers_lists_what_is_called(cnn: SmallCnn, batch: Tensor) -> None:
    listed = all_layers(cnn, batch)
    assert [layer.name for layer in listed[:5]] == ["head", "norm", "body.0.conv1", "body.0.act", "body.0.conv2"]
    assert ("body.0", "Block", (3, 6, 12, 16), 1) in listed
    assert "unused" not in {layer.name for layer in listed}
    assert ("cell", "Block", (3, 4, 12, 16), 2) in all_layers(Recurrent(), batch * 0.1)


def test_default_layers_are_the_blocks_and_the_last_hr_layer(cnn: SmallCnn, batch: Tensor) -> None:
    found = default_layers(cnn, batch)
    assert found.layers == ["body.0", "body.1", "body.2", "conv_last:input"]
    assert found.last_hr_layer == "conv_last:input"


def test_default_layers_of_a_transformer() -> None:
    found = default_layers(swinir(), torch.rand(1, 3, 16, 16))
    assert found.layers == ["layers.0", "layers.1", "conv_last:input"]


def test_default_layers_of_other_networks(batch: Tensor) -> None:
    upsampler = [nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)]
    to_shuffle = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), *upsampler)
    assert default_layers(to_shuffle, batch).last_hr_layer == "2:input"
    classifier = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    assert default_layers(classifier, batch).last_hr_layer == "3:input"
    assert default_layers(Recurrent(), batch * 0.1) == (["dark:input"], "dark:input")
    with pytest.raises(InputError, match="no convolution"):
        default_layers(nn.Sequential(nn.ReLU()), batch)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


class Light(nn.Module):
    """Two small blocks beside each other, and an upsampler of two parts with more parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.block_1, self.block_2 = Block(), Block()
        self.upsampler = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(4, 16, 3, padding=1), nn.PixelShuffle(2)) for _ in range(2))
        )
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.upsampler(self.block_2(self.block_1(self.first(x)))))


def test_the_parts_of_an_upsampler_are_no_blocks() -> None:
    layers = default_layers(Light(), torch.rand(1, 3, 8, 8))
    assert layers == (["block_1", "block_2", "last:input"], "last:input")
