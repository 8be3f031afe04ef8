"""Random-weights copies of networks that compute or keep kernels beside their parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks import as_network, reinitialized_copy

BATCH = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Enlarging(nn.Module):
    """A convolution and a pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.conv(x), 2)


class Merging(Enlarging):
    """Keeps the sum of two kernels after the first call, in one of several places."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.other = nn.Conv2d(3, 12, 3, padding=1, bias=False)
        self.place = place
        self.merged: Tensor | None = None
        self.held: dict[str, Tensor] = {}
        self.listed: list[Tensor] = []
        # Too small to be a kernel.
        self.mean = torch.full((1, 3, 1, 1), 0.5)

    def forward(self, x: Tensor) -> Tensor:
        held = {"attribute": self.merged, "dictionary": self.held.get("kernel"), "list": next(iter(self.listed), None)}
        kernel = held[self.place] if self.place != "buffer" else getattr(self, "kernel", None)
        if kernel is None:
            kernel = (self.conv.weight + self.other.weight).detach()
            self.held = {"kernel": kernel}
            self.merged, self.listed = (kernel if self.place == "attribute" else None), [kernel]
            if self.place == "buffer":
                self.register_buffer("kernel", kernel)
        return functional.pixel_shuffle(functional.conv2d(x - self.mean, kernel, padding=1), 2)


def old_weight_norm() -> nn.Module:
    module = Enlarging()
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(module.conv)
    return module


def old_spectral_norm() -> nn.Module:
    module = Enlarging()
    nn.utils.spectral_norm(module.conv)
    return module


def new_weight_norm() -> nn.Module:
    module = Enlarging()
    nn.utils.parametrizations.weight_norm(module.conv)
    return module


@pytest.mark.parametrize("build", [old_weight_norm, old_spectral_norm, new_weight_norm])
def test_computed_weights_are_drawn_anew(build: Callable[[], nn.Module]) -> None:
    module = build()
    network = as_network(module, "normalized")
    with torch.no_grad():
        module(BATCH)
    trained = module.conv.weight.detach().clone()
    copied = reinitialized_copy(network)
    copied(BATCH)
    weights = torch.stack([trained.flatten(), copied.module.conv.weight.detach().flatten()])
    assert abs(float(torch.corrcoef(weights)[0, 1])) < 0.3
    assert copied.notes == network.notes


@pytest.mark.parametrize("place", ["attribute", "dictionary", "list", "buffer"])
def test_merged_kernels_are_drawn_anew(place: str) -> None:
    network = as_network(Merging(place), "merging")
    before = network(BATCH)
    copied = reinitialized_copy(network)
    outputs = torch.stack([before.flatten(), copied(BATCH).flatten()])
    assert abs(float(torch.corrcoef(outputs)[0, 1])) < 0.7
    assert not torch.equal(before, copied(BATCH))
    assert any("kernels beside the parameters" in note for note in copied.notes)
    assert torch.equal(copied.module.mean, torch.full((1, 3, 1, 1), 0.5))
    torch.testing.assert_close(network(BATCH), before)


def test_layers_of_default_kinds_follow_their_own_rule() -> None:
    module = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.PReLU(), nn.PixelShuffle(2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)
    copied = reinitialized_copy(as_network(module, "plain")).module
    assert torch.equal(copied[1].weight, torch.ones(12)) and torch.equal(copied[2].weight, torch.tensor([0.25]))
    assert copied[0].weight.abs().max() <= 27**-0.5
