"""Define a degradation, and test whether the features of a network respond to it: python examples/custom_degradation.py"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

import ddrscope
from ddrscope.degradations import Degradation, Range, register


@register
@dataclass(frozen=True)
class Scanlines(Degradation):
    """Every second row is darkened by LEVEL percent."""

    family = "scanlines"
    stage = "after"
    neutral_level = 0
    level: Annotated[float, Range(0, 100, "percent")]

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        darkened = pixels.copy()
        darkened[1::2] *= 1 - self.level / 100
        return darkened


def main() -> None:
    # Once registered it is written like any other; chains such as blur:2+scanlines:20 work too.
    result = ddrscope.analyze(
        "srresnet-wgr",
        degradations=["clean", "scanlines:10", "scanlines:40"],
        layers=[],
        limit=8,
        crop=64,
        tsne_seeds=1,
    )
    for verdict in result.verdicts:
        print(f"[{verdict.view}] {verdict.sentence}")


if __name__ == "__main__":
    main()
