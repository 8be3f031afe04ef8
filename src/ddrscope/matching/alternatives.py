"""What real images do not show: recipes with and without something that are as near to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain, Resizing
from ddrscope.degradations.recipe_steps import role_of
from ddrscope.matching.fitting import Fit, Similarities
from ddrscope.matching.result import Alternative

# A recipe is as good if its distance is above the best one's by no more than this share of that of a single chain.
TOLERANCE = 0.02
# Of fewer chains no recipe is made.
_FEWEST = 20


def find_alternatives(fit: Fit, real: NDArray[np.float64]) -> tuple[float, tuple[Alternative, ...]]:
    """Weigh the chains that have, and those that lack, one thing at a time.

    Args:
        fit: The fitted bank.
        real: Features of tiles of real images, (N, D).

    Returns:
        The distance of the best recipe, and what happens without and with each thing.
    """
    # The first chains too: after the refinements there may be none left that lack what the images have.
    bank = fit.bank.with_more(fit.first)
    similar = Similarities.of(bank, fit.project, real)
    best = similar.distance(np.arange(len(bank.chains)))
    # The median distance of a single chain tells which differences matter.
    scale = float(np.median(np.diag(similar.own) - 2 * similar.towards + similar.real))
    found = []
    for name, has in KINDS.items():
        having = np.array([has(chain) for chain in bank.chains])
        without, given = (
            similar.distance(np.flatnonzero(kept)) if kept.sum() >= _FEWEST else None for kept in (~having, having)
        )
        if without is not None and given is not None:
            as_good = [value - best <= TOLERANCE * scale for value in (without, given)]
            found.append(Alternative(name, without, given, *as_good))
    return best, tuple(found)


def _has_role(place: str, *roles: str) -> Callable[[DegradationChain], bool]:
    def test(chain: DegradationChain) -> bool:
        steps = chain.steps[: chain.shrink] if place == "before" else chain.steps[chain.shrink + 1 :]
        return any(role_of(step) in roles for step in steps)

    return test


def _shrinks_otherwise(chain: DegradationChain) -> bool:
    step = chain.steps[chain.shrink]
    return isinstance(step, Resizing) and step.interpolation != "bicubic"


def _has_family(*names: str) -> Callable[[DegradationChain], bool]:
    return lambda chain: any(getattr(step, "family", "") in names for step in chain.steps)


KINDS: dict[str, Callable[[DegradationChain], bool]] = {
    "blur": _has_role("before", "blur"),
    "an earlier compression": _has_role("before", "compression"),
    "an intermediate size": _has_role("before", "resize"),
    "ringing, or a detour over another size": _has_role("after", "resize", "ringing"),
    "noise": _has_role("after", "noise"),
    "noise of a camera": _has_family("camera_noise"),
    "white noise": _has_family("noise"),
    "compression at the end": _has_role("after", "compression"),
    "shrinking other than bicubic": _shrinks_otherwise,
    "blur that differs by direction": _has_family("aniso_blur", "motion_blur"),
    "out-of-focus blur": _has_family("lens_blur"),
}
