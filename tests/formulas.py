"""Weights and formulas of published networks, written by hand."""

from __future__ import annotations

import zlib
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ddrscope.layers import capture
from ddrscope.networks import Network, load_network

State = dict[str, Tensor]


def images(count: int, height: int, width: int) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def convolution(name: str, outputs: int, inputs: int, side: int, bias: bool = True) -> State:
    """Random weights, always the same for a name."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    weight = torch.randn(outputs, inputs, side, side, generator=generator) / (inputs**0.5 * side)
    biases = {f"{name}.bias": torch.randn(outputs, generator=generator) / 10} if bias else {}
    return {f"{name}.weight": weight} | biases


class Formula:
    """Convolutions with the weights of a state, by name."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __call__(self, x: Tensor, name: str, stride: int = 1, padding: int | None = None, groups: int = 1) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state.get(f"{name}.bias")
        padding = weight.shape[-1] // 2 if padding is None else padding
        return functional.conv2d(x, weight, bias, stride, padding, groups=groups)


def saved(path: Path, state: State) -> Network:
    torch.save(state, path)
    return load_network(path)


def assert_layers(network: Network, batch: Tensor, expected: dict[str, Tensor]) -> None:
    captured = capture(network.module, batch, network.layers)
    assert list(captured) == list(network.layers) == list(expected)
    assert network.last_hr_layer == network.layers[-1]
    torch.testing.assert_close(captured, expected)
