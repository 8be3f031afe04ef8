"""Hidden recipes: known distributions of degradations that `match` is to find, a third of them by other people's code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations.chains import DegradationChain, parse_chain
from ddrscope.degradations.resize import Interpolation

Pixels = NDArray[np.float32]
SCALE = 4
# Every third recipe is applied by OpenCV, with its own kernels, filters and encoder.
FOREIGN_EVERY = 3
INTERPOLATIONS: tuple[Interpolation, ...] = ("bicubic", "bilinear", "box", "lanczos")
_OPENCV = {
    "bicubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR, "box": cv2.INTER_AREA, "lanczos": cv2.INTER_LANCZOS4,
}  # fmt: skip
_SAMPLING = {"420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444}


@dataclass(frozen=True)
class HiddenRecipe:
    """Ranges from which each image draws.

    Attributes:
        number: Of the recipe.
        foreign: Whether OpenCV applies it.
        blur: Sigma in HR pixels, from and to; None for no blur.
        interpolation: Of the shrinking.
        noise: Kind (``noise`` or ``camera_noise``), from and to; None for none.
        quality: Of JPEG, from and to; None for none.
        subsampling: Of JPEG.
        first_quality: Of a JPEG compression before shrinking; None for none.
        noise_last: Whether noise comes after compression.
    """

    number: int
    foreign: bool
    blur: tuple[float, float] | None
    interpolation: Interpolation
    noise: tuple[str, float, float] | None
    quality: tuple[int, int] | None
    subsampling: str
    first_quality: tuple[int, int] | None
    noise_last: bool

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """The numbers of one image."""
        return {
            "blur": None if self.blur is None else float(rng.uniform(*self.blur)),
            "noise": None if self.noise is None else float(rng.uniform(*self.noise[1:])),
            "quality": None if self.quality is None else int(rng.integers(*self.quality, endpoint=True)),
            "first": None if self.first_quality is None else int(rng.integers(*self.first_quality, endpoint=True)),
        }

    def chain(self, drawn: dict[str, Any]) -> DegradationChain:
        """The same in ddrscope's steps."""
        steps = []
        if drawn["first"] is not None:
            steps.append(f"jpeg:{drawn['first']},{self.subsampling}")
        if drawn["blur"] is not None:
            steps.append(f"blur:{drawn['blur']:.3f}")
        steps.append(f"resize:{1 / SCALE},{self.interpolation}")
        last = [f"{self.noise[0]}:{drawn['noise']:.3f}"] if self.noise else []
        jpeg = [f"jpeg:{drawn['quality']},{self.subsampling}"] if drawn["quality"] is not None else []
        return parse_chain("+".join(steps + (jpeg + last if self.noise_last else last + jpeg)))

    def apply(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Degrade an image."""
        drawn = self.draw(rng)
        if not self.foreign:
            return self.chain(drawn).apply(pixels, rng)
        image = np.rint(pixels * 255).astype(np.uint8)
        if drawn["first"] is not None:
            image = _jpeg(image, drawn["first"], self.subsampling)
        if drawn["blur"] is not None:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), drawn["blur"]), np.uint8)
        size = pixels.shape[1] // SCALE, pixels.shape[0] // SCALE
        image = np.asarray(cv2.resize(image, size, interpolation=_OPENCV[self.interpolation]), np.uint8)
        add: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda each: _noisy(each, drawn["noise"], rng)  # noqa: E731
        for step in ("jpeg", "noise") if self.noise_last else ("noise", "jpeg"):
            if step == "noise" and self.noise:
                image = add(image)
            if step == "jpeg" and drawn["quality"] is not None:
                image = _jpeg(image, drawn["quality"], self.subsampling)
        return image.astype(np.float32) / np.float32(255)


def hidden_recipes(count: int, seed: int) -> list[HiddenRecipe]:
    """Draw recipes; at least one of blur, noise and JPEG is in each."""
    rng, recipes = np.random.default_rng(seed), list[HiddenRecipe]()
    while len(recipes) < count:
        number = len(recipes)
        foreign = number % FOREIGN_EVERY == 0
        start = float(np.exp(rng.uniform(np.log(0.8), np.log(6))))
        blur = (start, start * float(rng.uniform(1.2, 2))) if rng.random() < 0.75 else None
        sigma = float(np.exp(rng.uniform(np.log(1), np.log(15))))
        kind = "noise" if foreign or rng.random() < 0.6 else "camera_noise"
        noise = (kind, sigma, sigma * float(rng.uniform(1.2, 2))) if rng.random() < 0.65 else None
        low = int(rng.integers(30, 85))
        quality = (low, low + int(rng.integers(5, 14))) if rng.random() < 0.65 else None
        first = (50, 80) if rng.random() < 0.15 else None
        interpolation = INTERPOLATIONS[int(rng.integers(len(INTERPOLATIONS)))]
        last = noise is not None and quality is not None and rng.random() < 0.15
        subsampling = str(rng.choice(["420", "444"]))
        if blur or noise or quality:
            recipes.append(HiddenRecipe(number, foreign, blur, interpolation, noise, quality, subsampling, first, last))
    return recipes


def _jpeg(image: NDArray[np.uint8], quality: int, subsampling: str) -> NDArray[np.uint8]:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[subsampling]]
    encoded = cv2.imencode(".jpg", image[..., ::-1], settings)[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def _noisy(image: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.rint(image + rng.normal(0, sigma, image.shape)).clip(0, 255).astype(np.uint8)
