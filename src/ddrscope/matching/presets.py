"""Degradations that other programs train with by default, for comparison with a matched recipe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ddrscope.degradations import Degradation, parse_degradation
from ddrscope.degradations.chains import DegradationChain, Resizing
from ddrscope.degradations.resize import Interpolation

Step = Degradation | Resizing
_RESIZES: tuple[Interpolation, ...] = ("box", "bilinear", "bicubic")


def bicubic(rng: np.random.Generator, scale: int) -> DegradationChain:
    """Shrinking alone, the setting of classical super-resolution."""
    return DegradationChain((Resizing(1 / scale, "bicubic"),))


def real_esrgan(rng: np.random.Generator, scale: int) -> DegradationChain:
    """The published settings of Real-ESRGAN x4plus (Wang et al. 2021), all kernels Gaussian."""
    first = [*_blur(rng, 0.2, 3, 0.1), Resizing(_factor(rng, (0.2, 0.7), (0.15, 1.5)), _choice(rng, _RESIZES))]
    first += [_noise(rng, (1, 30), (0.05, 3)), _jpeg(rng, 30, 95)]
    second: list[Step] = _blur(rng, 0.2, 1.5, 0.1) if rng.random() < 0.8 else []
    second += [Resizing(_factor(rng, (0.3, 0.4), (0.3, 1.2)) / scale, _choice(rng, _RESIZES))]
    second += [_noise(rng, (1, 25), (0.05, 2.5))]
    last: list[Step] = [Resizing(1 / scale, _choice(rng, _RESIZES))]
    last += [_sinc(rng)] if rng.random() < 0.8 else []
    jpeg = _jpeg(rng, 30, 95)
    return DegradationChain((*first, *second, *([*last, jpeg] if rng.random() < 0.5 else [jpeg, *last])))


def bsrgan(rng: np.random.Generator, scale: int) -> DegradationChain:
    """The shuffled degradations of BSRGAN (Zhang et al. 2021), without its camera pipeline."""
    steps: list[Step] = [_bsrgan_blur(rng, scale), _bsrgan_blur(rng, scale)]
    steps += [Resizing(1 / scale, _choice(rng, _RESIZES)), _step(f"noise:{rng.uniform(2, 25):.2f}")]
    if rng.random() < 0.9:
        steps.append(_jpeg(rng, 30, 95))
    order = rng.permutation(len(steps))
    return DegradationChain((*(steps[index] for index in order), _jpeg(rng, 30, 95)))


PRESETS: dict[str, Callable[[np.random.Generator, int], DegradationChain]] = {
    "bicubic": bicubic,
    "Real-ESRGAN": real_esrgan,
    "BSRGAN": bsrgan,
}


def _blur(rng: np.random.Generator, low: float, high: float, sinc: float) -> list[Step]:
    if rng.random() < sinc:
        return [_sinc(rng)]
    sigma, across = (max(0.3, float(rng.uniform(low, high))) for _ in range(2))
    if rng.random() < 0.55:
        return [_step(f"blur:{sigma:.3f}")]
    return [_step(f"aniso_blur:{sigma:.3f},{across:.3f},{rng.uniform(0, 180):.0f}")]


def _sinc(rng: np.random.Generator) -> Step:
    # The cutoff is uniform between a third of the Nyquist frequency and all of it.
    return _step(f"ringing:{1 / rng.uniform(1 / 3, 1):.3f}")


def _factor(rng: np.random.Generator, shares: tuple[float, float], ends: tuple[float, float]) -> float:
    """A factor: enlarged, shrunk or kept, with these shares of the first two."""
    kind = rng.random()
    if kind < shares[0]:
        return float(rng.uniform(1, ends[1]))
    return float(rng.uniform(ends[0], 1)) if kind < sum(shares) else 1.0


def _noise(rng: np.random.Generator, sigmas: tuple[float, float], scales: tuple[float, float]) -> Step:
    if rng.random() < 0.5:
        return _step(f"noise:{rng.uniform(*sigmas):.2f}")
    # Photon noise of 8-bit images, multiplied by a factor.
    return _step(f"poisson:{min(256 / rng.uniform(*scales) ** 2, 100_000):.0f}")


def _bsrgan_blur(rng: np.random.Generator, scale: int) -> Step:
    if rng.random() < 0.5:
        sigma, across = (max(0.3, float(np.sqrt((4 + scale) * rng.random()))) for _ in range(2))
        return _step(f"aniso_blur:{sigma:.3f},{across:.3f},{rng.uniform(0, 180):.0f}")
    return _step(f"blur:{(2 + 0.2 * scale) * rng.random():.3f}")


def _jpeg(rng: np.random.Generator, low: int, high: int) -> Step:
    return _step(f"jpeg:{rng.integers(low, high + 1)}")


def _step(text: str) -> Step:
    (step,) = parse_degradation(text).steps
    return step


def _choice(rng: np.random.Generator, names: tuple[Interpolation, ...]) -> Interpolation:
    return names[int(rng.integers(len(names)))]
