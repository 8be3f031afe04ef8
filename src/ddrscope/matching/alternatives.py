"""What real images do not show: recipes without something that are as near to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain, Resizing
from ddrscope.degradations.recipe import ROLES
from ddrscope.matching.fitting import Fit, Similarities
from ddrscope.matching.result import Alternative

# A recipe is as good if its discrepancy is no more than this share of that of shrinking alone above the best one.
TOLERANCE = 0.02
# Fewer chains could hardly match anything.
_FEWEST = 20


def find_alternatives(fit: Fit, real: NDArray[np.float64]) -> tuple[Alternative, ...]:
    """Weigh the chains that lack one thing at a time.

    Args:
        fit: The fitted bank.
        real: Features of tiles of real images, (N, D).
    """
    # The first chains too: after two refinements there may be none left that lack what the images have.
    bank = fit.bank.with_more(fit.first)
    count = len(bank.chains)
    similar = Similarities.of(bank, fit.project, real)
    best = similar.distance(np.arange(count))
    # What one chain alone leaves: the scale of distances that matter.
    scale = float(np.median(np.diag(similar.own) - 2 * similar.towards + similar.real))
    found = []
    for name, lacks in KINDS.items():
        kept = np.flatnonzero([lacks(chain) for chain in bank.chains])
        if _FEWEST <= len(kept) < count:
            value = similar.distance(kept)
            found.append(Alternative(name, value, value - best <= TOLERANCE * scale))
    return tuple(found)


def _lacks(place: str, *roles: str) -> Callable[[DegradationChain], bool]:
    def test(chain: DegradationChain) -> bool:
        steps = chain.steps[: chain.shrink] if place == "before" else chain.steps[chain.shrink + 1 :]
        return not any(ROLES["resize" if isinstance(step, Resizing) else step.family] in roles for step in steps)

    return test


def _shrinks_by(*names: str) -> Callable[[DegradationChain], bool]:
    def test(chain: DegradationChain) -> bool:
        step = chain.steps[chain.shrink]
        return isinstance(step, Resizing) and step.interpolation in names

    return test


def _has_family(*names: str) -> Callable[[DegradationChain], bool]:
    return lambda chain: not any(getattr(step, "family", "") in names for step in chain.steps)


KINDS: dict[str, Callable[[DegradationChain], bool]] = {
    "blur": _lacks("before", "blur"),
    "an earlier compression": _lacks("before", "compression"),
    "an intermediate size": _lacks("before", "resize"),
    "a second resizing at LR size": _lacks("after", "resize", "ringing"),
    "noise": _lacks("after", "noise"),
    "noise of a camera": _has_family("camera_noise"),
    "white noise": _has_family("noise"),
    "compression at the end": _lacks("after", "compression"),
    "any shrinking but bicubic": _shrinks_by("bicubic"),
    "blur that differs by direction": _has_family("aniso_blur", "motion_blur"),
    "out-of-focus blur": _has_family("lens_blur"),
}
