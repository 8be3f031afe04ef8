"""The degradation chains that are thought possible before an image is seen, and variations of a chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ddrscope.degradations import Degradation, parse_degradation
from ddrscope.degradations.chains import DegradationChain, Resizing
from ddrscope.degradations.recipe import varied
from ddrscope.degradations.recipe_steps import role_of
from ddrscope.degradations.resize import Interpolation

Step = Degradation | Resizing
INTERPOLATIONS: tuple[Interpolation, ...] = ("bicubic", "bilinear", "box", "lanczos", "nearest")
_INTERPOLATION_SHARES = (0.4, 0.25, 0.2, 0.12, 0.03)
# How often each kind of step is there.
BLUR, EARLY_JPEG, EARLY_RESIZE, DETOUR, NOISE, RINGING, COMPRESSION = 0.7, 0.1, 0.12, 0.12, 0.6, 0.08, 0.6
# How often noise comes after compression, as when a screen is photographed.
NOISE_LAST = 0.1
# How often a step of a chain is dropped, or drawn anew, when the chain is varied.
_DROPPED, _REDRAWN = 0.06, 0.1


def draw_chain(rng: np.random.Generator, scale: int) -> DegradationChain:
    """Draw a chain.

    Args:
        rng: Of all choices.
        scale: The factor from LR to HR.
    """
    before: list[Step] = []
    if rng.random() < EARLY_JPEG:
        before.append(_step(f"jpeg:{rng.integers(40, 98)}"))
    if rng.random() < BLUR:
        before.append(draw_blur(rng, scale))
    if rng.random() < EARLY_RESIZE:
        before.append(Resizing(float(rng.uniform(max(0.3, 1 / scale), 1.3)), _interpolation(rng)))
    after: list[Step] = []
    if rng.random() < DETOUR:
        after.append(_step(f"resample:{rng.uniform(1.05, 2):.3f},{_interpolation(rng)}"))
    if rng.random() < RINGING:
        after.append(_step(f"ringing:{rng.uniform(1.2, 3):.3f}"))
    noise = [draw_noise(rng)] if rng.random() < NOISE else []
    compression = [draw_compression(rng)] if rng.random() < COMPRESSION else []
    after += compression + noise if rng.random() < NOISE_LAST else noise + compression
    return DegradationChain((*before, Resizing(1 / scale, _interpolation(rng)), *after))


def draw_blur(rng: np.random.Generator, scale: int) -> Degradation:
    """A blur of the HR image, up to 2.5 LR pixels wide."""
    sigma = scale * float(np.exp(rng.uniform(np.log(0.08), np.log(2.5))))
    kind = rng.choice(["blur", "aniso_blur", "lens_blur", "motion_blur"], p=[0.5, 0.2, 0.2, 0.1])
    if kind == "aniso_blur":
        across = max(0.3, sigma * rng.uniform(0.3, 1))
        return _step(f"aniso_blur:{max(0.3, sigma):.3f},{across:.3f},{rng.uniform(0, 180):.0f}")
    if kind == "lens_blur":
        # A disk of this radius is as wide.
        return _step(f"lens_blur:{max(0.5, 2 * sigma):.3f}")
    if kind == "motion_blur":
        return _step(f"motion_blur:{max(1.0, 4 * sigma):.3f}")
    return _step(f"blur:{sigma:.3f}")


def draw_noise(rng: np.random.Generator) -> Degradation:
    """Noise of a sensor or white noise, sigma 0.5 to 30 of 255."""
    sigma = float(np.exp(rng.uniform(np.log(0.5), np.log(30))))
    kind = rng.choice(["noise", "camera_noise", "poisson", "color_noise"], p=[0.4, 0.35, 0.15, 0.1])
    if kind == "camera_noise":
        smoothing = float(rng.choice([0.0, rng.uniform(0.3, 1.2)]))
        return _step(f"camera_noise:{min(1.5 * sigma * (1 + 2 * smoothing), 100):.3f},{smoothing:.2f}")
    if kind == "poisson":
        # The photons at which mid grey has this sigma.
        return _step(f"poisson:{min(max(0.5 * (255 / sigma) ** 2, 1), 100_000):.0f}")
    return _step(f"{kind}:{sigma:.3f}")


def draw_compression(rng: np.random.Generator) -> Degradation:
    """JPEG or WebP."""
    quality = int(rng.integers(20, 99))
    if rng.random() < 0.15:
        return _step(f"webp:{quality}")
    return _step(f"jpeg:{quality},{rng.choice(['420', '420', '422', '444'])}")


def varied_chain(chain: DegradationChain, rng: np.random.Generator, scale: int, variation: float) -> DegradationChain:
    """A chain like another one: numbers vary by this share, and now and then a step is dropped, drawn anew or added."""
    fresh = draw_chain(rng, scale)
    steps: list[Step] = []
    for index, step in enumerate(varied(chain, rng, variation).steps):
        if index == chain.shrink:
            interpolation = _interpolation(rng) if rng.random() < _REDRAWN else step.interpolation  # type: ignore[union-attr]
            steps.append(replace(step, interpolation=interpolation))  # type: ignore[arg-type]
        elif rng.random() >= _DROPPED:
            steps.append(_redrawn(step, rng, scale) if rng.random() < _REDRAWN else step)
    if rng.random() < _REDRAWN:
        # One side of the resizing from another chain: a step that was missing can come in.
        varied_side = DegradationChain(tuple(steps))
        own, other = varied_side.shrink, fresh.shrink
        if rng.random() < 0.5:
            return DegradationChain((*fresh.steps[:other], *varied_side.steps[own:]))
        return DegradationChain((*varied_side.steps[: own + 1], *fresh.steps[other + 1 :]))
    return DegradationChain(tuple(steps))


def _redrawn(step: Step, rng: np.random.Generator, scale: int) -> Step:
    if isinstance(step, Resizing):
        return step
    draw = {"blur": lambda: draw_blur(rng, scale), "noise": lambda: draw_noise(rng)}
    draw["compression"] = lambda: draw_compression(rng)
    role = role_of(step)
    return draw[role]() if role in draw else step


def _step(text: str) -> Degradation:
    (step,) = parse_degradation(text).steps
    return step


def _interpolation(rng: np.random.Generator) -> Interpolation:
    return INTERPOLATIONS[int(rng.choice(len(INTERPOLATIONS), p=_INTERPOLATION_SHARES))]
