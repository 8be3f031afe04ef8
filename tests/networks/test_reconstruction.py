"""The choice among variants of a network by what they reconstruct."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks.reconstruction import Variant, choose_variant


class Enlarged(nn.Module):
    def __init__(self, scale: int, mode: str, factor: float = 1.0) -> None:
        super().__init__()
        self.scale, self.mode, self.factor = scale, mode, factor

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=self.scale, mode=self.mode) * self.factor


def chosen(variants: dict[str, tuple[int, str, float]]) -> tuple[str, str]:
    built = {name: Variant(lambda given=given: Enlarged(*given), given[0]) for name, given in variants.items()}
    return choose_variant("Kind", built, {}, channels=3)


def test_the_variant_that_reconstructs_is_chosen_in_any_order() -> None:
    good, bad = {"good": (2, "bicubic", 1.0)}, {"bad": (2, "bicubic", 0.5)}
    for variants in (good | bad, bad | good):
        name, note = chosen(variants)
        assert name == "good"
        assert "good" in note and "bad" in note


def test_errors_at_several_scales_are_relative_to_bilinear_enlargement() -> None:
    name, note = chosen({"x2": (2, "bilinear", 1.0), "x4": (4, "bilinear", 1.0)})
    assert note.count("1.00") == 2
    assert name == "x2"


def test_of_those_that_are_about_as_good_the_first_is_assumed() -> None:
    one, two, bad = (2, "bilinear", 1.0), (2, "bilinear", 0.999), (2, "bilinear", 0.5)
    name, note = chosen({"bad": bad, "one": one, "two": two})
    assert name == "one"
    assert "assumed one" in note


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_variant_without_numbers_is_not_chosen(factor: float) -> None:
    assert chosen({"broken": (2, "bilinear", factor), "whole": (2, "bilinear", 1.0)})[0] == "whole"
    assert chosen({"broken": (2, "bilinear", factor), "also": (2, "bilinear", factor)})[0] == "broken"


def test_a_trial_run_never_makes_an_enormous_image() -> None:
    with pytest.raises(ValueError, match="1000000"):
        chosen({"huge": (1_000_000, "nearest", 1.0), "usual": (2, "nearest", 1.0)})


def test_larger_modules_than_the_weights_are_not_built() -> None:
    variant = Variant(lambda: nn.Linear(1 << 20, 1 << 20), 2)
    with pytest.raises(ValueError, match="larger than the file"):
        choose_variant("Kind", {"one": variant, "two": variant}, {"weight": torch.zeros(2)}, 3)
