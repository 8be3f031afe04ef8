"""A recipe as the two degradation processes of Real-ESRGAN, which several programs have (Wang et al. 2021).

The first process is blur, resizing, noise and JPEG; the second is blur, resizing to the LR size, noise, and JPEG and a
final sinc filter in random order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ddrscope.degradations.recipe import DegradationRecipe
from ddrscope.degradations.recipe_steps import Place, RecipeStep, Role
from ddrscope.matching.configs.common import WHERE, percent, span
from ddrscope.matching.configs.uses import Intermediate, Use, always_lost, grey_sigma, intermediate, ordered_pairs, uses

# The programs need an increasing range, and a kernel of sigma 0 has no inverse: this one changes nothing.
NO_BLUR = (0.05, 0.06)
# Quality 100 divides by zero in their JPEG.
NO_JPEG = (99.0, 99.5)
# The step of noise from 8-bit values with all 256 levels, from which their Poisson noise starts.
_POISSON_LEVELS = 256
_OTHERWISE_POISSON = 0.95


@dataclass(frozen=True)
class Blur:
    """The first step of a process.

    Attributes:
        probability: That it happens.
        sinc: The share of sinc filters among it.
        kernels: The share of each kind of kernel among the others.
        sigma: The range of sigma in pixels of the image it acts on.
    """

    probability: float = 0.0
    sinc: float = 0.0
    kernels: tuple[tuple[str, float], ...] = (("iso", 1.0),)
    sigma: tuple[float, float] = NO_BLUR


@dataclass(frozen=True)
class Noise:
    """The noise of a process: Gaussian with this probability, otherwise Poisson.

    Attributes:
        gaussian: Probability of Gaussian noise.
        sigma: Its range in 0..255 units.
        poisson_scale: The range of the scale of Poisson noise.
    """

    gaussian: float = 0.0
    sigma: tuple[float, float] = (0.0, 0.0)
    poisson_scale: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Jpeg:
    """JPEG of a process."""

    probability: float = 0.0
    quality: tuple[float, float] = NO_JPEG


@dataclass(frozen=True)
class Process:
    """One of the two degradation processes."""

    blur: Blur
    noise: Noise
    jpeg: Jpeg


@dataclass(frozen=True)
class TwoOrders:
    """A recipe in two processes.

    Attributes:
        first: Acts on the HR image.
        resizing: The resizing of the first process; that of the second one makes the LR size.
        second: Acts on its result.
        final_sinc: Probability of the final sinc filter.
        lost: What is not expressed in any of these programs.
    """

    first: Process
    resizing: Intermediate
    second: Process
    final_sinc: float
    lost: tuple[str, ...]


def two_orders(recipe: DegradationRecipe) -> TwoOrders:
    """Arrange a recipe in two processes.

    Steps before the last resizing go to the first process, those at the LR size to the second one. Blur of the second
    process acts before its resizing, so blur at the LR size is widened to that size.
    """
    lost = always_lost(recipe)
    found, resizing = uses(recipe), intermediate(recipe, ("resample", "pixelate"))
    before = [use for use in found if use.place == "before"]
    after = [use for use in found if use.place == "after"]
    is_late = _is_blurred_late(recipe.steps())
    # Pixels of the LR image, in pixels of the image that the second process starts from.
    widening = recipe.scale * (resizing.median if resizing.probability > 0.5 else 1.0)
    blurs = (_blur(before, 1.0, lost), _blur([use for use in after if use.role == "blur"], widening, lost))
    first, second = (blurs[1], blurs[0]) if is_late else blurs
    lost += [
        f"{use.where} is left out: there is no {use.family} here."
        for use in found
        if use.family in ("demosaic", "impulse") or (use.role == "compression" and use.family != "jpeg")
    ]
    lost += [f"{use.where} counts as an intermediate resizing." for use in found if use.role == "resize"]
    lost += _order_lost(recipe, is_late)
    first_process = Process(first, _noise(before, lost), _jpeg(before, lost))
    second_process = Process(second, _noise(after, lost), _jpeg(after, lost))
    lost += _cutoffs_lost([use for use in found if use.role == "ringing"])
    final_sinc = min(sum((use.probability for use in after if use.role == "ringing"), start=0.0), 1.0)
    return TwoOrders(first_process, resizing, second_process, final_sinc, tuple(lost))


def _is_blurred_late(steps: Sequence[RecipeStep]) -> bool:
    """Whether the blur before the last resizing belongs to the second process.

    That one has a probability for its blur, which some programs lack for the first. It is right if nothing of the first
    process comes after the blur, and if the second process has no blur of its own.
    """
    if any(step.place == "after" and step.role == "blur" for step in steps):
        return False
    before = [step for step in steps if step.place == "before"]
    blurs = [step.position for step in before if step.role in ("blur", "ringing")]
    others = [step.position for step in before if step.role not in ("blur", "ringing")]
    return bool(blurs) and (not others or min(blurs) > max(others))


def _blur(found: Sequence[Use], widening: float, lost: list[str]) -> Blur:
    shares: dict[str, float] = {}
    ranges = []
    for use in found:
        if use.role == "blur" and use.family != "demosaic":
            kernel, low, high = _kernel(use, lost)
            shares[kernel] = shares.get(kernel, 0.0) + use.probability
            ranges.append((low * widening, high * widening))
    sinc = min(sum((use.probability for use in found if use.role == "ringing"), start=0.0), 1.0)
    blurred = min(sum(shares.values()), 1.0 - sinc)
    if not shares or not blurred:
        return Blur(sinc, 1.0 if sinc else 0.0)
    if len(ranges) > 1:
        lost.append(f"All kernels of blur {WHERE[found[0].place]} share one range of sigma.")
    kernels = tuple((kernel, share / sum(shares.values())) for kernel, share in shares.items())
    low = max(min(low for low, _ in ranges), NO_BLUR[0])
    high = max(*(high for _, high in ranges), low + 0.01)
    return Blur(blurred + sinc, sinc / (blurred + sinc), kernels, (low, high))


def _kernel(use: Use, lost: list[str]) -> tuple[str, float, float]:
    """The kind of a kernel and its range of sigma, in pixels of the image it acts on."""
    low, high = use.ends()
    if use.family == "lens_blur":
        # The variance of a disc of radius r along one axis is r^2 / 4.
        lost.append(f"{use.where} is Gaussian blur of the same variance, sigma {span((low / 2, high / 2))}.")
        return "iso", low / 2, high / 2
    if use.family == "motion_blur":
        # The variance of a line of length l is l^2 / 12; both sigmas of a kernel come from one range.
        along = (high - 1) / math.sqrt(12)
        lost.append(f"{use.where} is anisotropic Gaussian blur, sigma {span((0.3, max(along, 0.3)))}.")
        return "aniso", 0.3, along
    if use.family == "aniso_blur":
        lost.append(f"{use.where}: both sigmas come from one range, and the angle from all.")
        across = use.ends("across")
        return "aniso", min(low, across[0]), max(high, across[1])
    return "iso", low, high


def _noise(found: Sequence[Use], lost: list[str]) -> Noise:
    photons = [use for use in found if use.family == "poisson"]
    others = [use for use in found if use.role == "noise" and use.family not in ("poisson", "impulse")]
    gaussian = min(sum(use.probability for use in others), 1.0)
    poisson = min(sum(use.probability for use in photons), 1.0)
    if photons and others and gaussian + poisson < _OTHERWISE_POISSON:
        # There is always one of the two; a third branch without noise exists only if one of them may be zero.
        others, photons, gaussian = [*others, *photons], [], min(gaussian + poisson, 1.0)
    if len(others) > 1:
        lost.append(f"All noise {WHERE[others[0].place]} shares one range of sigma.")
    ranges = []
    for use in others:
        sigma = use.ends() if use.family == "noise" else grey_sigma(use)
        ranges.append(sigma)
        if use.family != "noise":
            lost.append(f"{use.where} is white Gaussian noise as strong on mid grey, sigma {span(sigma)}.")
    sigma = (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else (0.0, 0.0)
    if not photons:
        # Poisson noise of scale 0 changes nothing: it is the branch without noise.
        return Noise(gaussian, sigma)
    # Their noise has the variance scale^2 x / levels, that of `poisson` x / photons.
    few, many = photons[0].ends()
    scales = (math.sqrt(_POISSON_LEVELS / many), math.sqrt(_POISSON_LEVELS / few))
    return Noise(gaussian if others else 1.0 - poisson, sigma, scales)


def _jpeg(found: Sequence[Use], lost: list[str]) -> Jpeg:
    for use in found:
        if use.family == "jpeg":
            full = 1 - use.words["subsampling"].get("420", 0.0)
            if full > 0.005:
                lost.append(f"{use.where}: {percent(full)} of it is not 4:2:0; here all is.")
            low, high = use.ends()
            return Jpeg(use.probability, (low, min(high, NO_JPEG[1])))
    return Jpeg()


def _cutoffs_lost(found: Sequence[Use]) -> list[str]:
    return [
        f"{use.where}: the program draws the cutoff of its sinc filters, Nyquist frequency / cutoff 1 to "
        f"{5 if use.place == 'before' else 3}, not {span(use.ends())}."
        for use in found
    ]


def _order_lost(recipe: DegradationRecipe, is_late: bool) -> list[str]:
    start = 4 if is_late else 0
    ranks: dict[tuple[Place, Role], int] = {
        ("before", "blur"): start, ("before", "ringing"): start, ("before", "resize"): 1, ("before", "noise"): 2,
        ("before", "compression"): 3, ("after", "resize"): 1, ("after", "blur"): 4, ("after", "noise"): 6,
        ("after", "compression"): 7, ("after", "ringing"): 7,
    }  # fmt: skip
    swapped = ordered_pairs(recipe)
    return [
        f"In {percent(weight)} of images {earlier} comes before {later} {WHERE[place]}; here it comes after it."
        for (place, earlier, later), weight in swapped.items()
        if ranks[place, earlier] > ranks[place, later]
    ]
