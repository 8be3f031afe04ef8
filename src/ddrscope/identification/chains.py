"""Random histories of images: degradations in a plausible order, with everything that is known about the result."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import Pipeline, parse_degradation
from ddrscope.degradations.distortions import ALL_DISTORTIONS, Distortion

# Groups in the order in which images usually meet them: scene, lens, sensor, development, storage.
ORDER = ("spatial", "blur", "noise", "brightness", "color", "sharpness_contrast", "compression")
# Shares of clean tiles, of tiles with one distortion, with two, with the history of a shared photograph, and of one that
# comes straight from a camera.
SHARES = {"clean": 0.15, "one": 0.37, "two": 0.15, "history": 0.11, "camera": 0.22}
# Of photographs that are soft from the interpolation of a camera's mosaic, which is no distortion.
SOFT_SHARE = 0.4
# Of tiles whose photograph is made grey or sepia first, which is no distortion.
GREY_SHARE, TONED_SHARE = 0.1, 0.03
# How often a distortion comes at its usual place, if there are two.
IN_ORDER_SHARE = 0.75
# Levels of a distortion are drawn up to this; of blur and noise, which have no upper end, now and then up to the second.
MAX_LEVEL, MAX_OPEN_LEVEL, OPEN_SHARE = 5.4, 12.0, 0.15
OPEN_GROUPS = ("blur", "noise")
# From this level on a distortion is present; below it there is no telling, for the eye neither.
VISIBLE_FROM = {"jpeg": 0.25, "webp": 0.4, "white_noise": 0.35, "camera_noise": 0.6, "gaussian_blur": 0.8}
DEFAULT_VISIBLE_FROM = 0.6
BLURS = ("gaussian_blur", "lens_blur", "motion_blur")
# What light does to the whole image; shrinking does not change it.
LIGHT = ("exposure", "haze", "color_cast")


@dataclass(frozen=True)
class Chain:
    """The history of an image.

    Attributes:
        before: What happens to the image at its first size.
        shrink: By which factor it is then shrunk; 1: it is not.
        after: What happens to it then.
        levels: The level of each distortion that is present; NaN where one cannot tell whether it is present.
        grey: Whether the photograph is made ``grey`` or ``sepia`` first; empty: neither.
    """

    before: Pipeline = field(default_factory=Pipeline)
    shrink: float = 1.0
    after: Pipeline = field(default_factory=Pipeline)
    levels: dict[str, float] = field(default_factory=dict)
    grey: str = ""

    @property
    def text(self) -> str:
        """The history in words, as ``blur:1 > 1/2 > jpeg:60``."""
        return " > ".join([self.grey or "color", self.before.text, f"1/{self.shrink:.3g}", self.after.text])


class ChainSampler:
    """Draws histories.

    Args:
        distortions: Of which they are made. Default: all that the identifier knows.
    """

    def __init__(self, distortions: tuple[Distortion, ...] = ALL_DISTORTIONS) -> None:
        self.distortions = distortions
        self.by_name = {distortion.name: distortion for distortion in distortions}

    def sample(self, random: np.random.Generator) -> Chain:
        """Draw a history."""
        kind = random.choice(list(SHARES), p=list(SHARES.values()))
        tone = random.choice(["grey", "sepia", ""], p=[GREY_SHARE, TONED_SHARE, 1 - GREY_SHARE - TONED_SHARE])
        # Without colour there is nothing that a distortion of colours could change.
        usable = [each for each in self.distortions if not tone or each.group != "color"]
        soft = [] if tone or random.random() > SOFT_SHARE else [f"demosaic:{random.uniform(20, 100):.0f}"]
        if kind == "clean":
            return Chain(_pipeline(soft), grey=str(tone))
        if kind == "history":
            return self._history(str(tone), soft, random)
        if kind == "camera":
            return self._camera(str(tone), random)
        chosen = [usable[int(random.integers(len(usable)))]]
        if kind == "two":
            others = [each for each in usable if each.group != chosen[0].group]
            chosen.append(others[int(random.integers(len(others)))])
            if random.random() < IN_ORDER_SHARE:
                chosen.sort(key=lambda each: ORDER.index(each.group))
        levels = {each.name: _draw_level(each, random) for each in chosen}
        texts = [each.at(levels[each.name], random) for each in chosen]
        levels = {name: _visible(name, level) for name, level in levels.items()}
        if any("hsv_saturation:0" == text for text in texts):
            levels["hsv_saturation"] = np.nan
        return Chain(_pipeline(soft), 1.0, _pipeline(texts), levels, str(tone))

    def _history(self, tone: str, soft: list[str], random: np.random.Generator) -> Chain:
        """A photograph taken, stored, shrunk or enlarged, and stored again, as those that are shared."""
        before = [*soft]
        after: list[str] = []
        levels: dict[str, float] = {}
        shrink = float(random.choice([1.0, 1.0, random.uniform(1.05, 3)]))
        if random.random() < 0.4:
            self._add(before, levels, str(random.choice(BLURS)), 3, random)
        if random.random() < 0.4:
            self._add(before, levels, str(random.choice(["camera_noise", "white_noise"])), 3, random)
        if random.random() < 0.6:
            quality = int(random.integers(25, 96))
            before.append(_jpeg(quality, random))
            levels["jpeg"] = np.nan
        if shrink > 1:
            # How much of it is left depends on the photograph.
            levels = dict.fromkeys(levels, np.nan)
        if random.random() < 0.25:
            self._add(after, levels, "enlarged", 5, random)
            levels |= {name: np.nan for name in levels if name in ("gaussian_blur", "lens_blur", "jpeg")}
        if random.random() < 0.7:
            quality = int(random.integers(25, 96))
            after.append(_jpeg(quality, random))
            levels["jpeg"] = _visible("jpeg", _jpeg_level(quality))
        elif random.random() < 0.5:
            self._add(after, levels, str(random.choice(["webp", "avif", "video"])), 4, random)
        return Chain(_pipeline(before), shrink, _pipeline(after), levels, tone)

    def _camera(self, tone: str, random: np.random.Generator) -> Chain:
        """A photograph as a camera takes and stores it: light, optics, sensor, development, file."""
        before: list[str] = []
        after: list[str] = []
        levels: dict[str, float] = {}
        if random.random() < 0.4:
            self._add(before, levels, str(random.choice(BLURS)), 8, random)
        if random.random() < 0.25:
            light = ["exposure", "haze"] if tone else ["exposure", "haze", "color_cast"]
            self._add(before, levels, str(random.choice(light)), 5, random)
        if not tone and random.random() < 0.8:
            before.append(f"demosaic:{random.uniform(20, 100):.0f}")
            # A slight blur cannot be told from the softness of the mosaic.
            levels = {name: np.nan if name in BLURS and level < 2 else level for name, level in levels.items()}
        if random.random() < 0.5:
            self._add(before, levels, "camera_noise", 4, random)
            before[-1] = _with_drawn_chroma(before[-1], random)
        shrink = float(random.choice([1.0, 1.0, 1.0, random.uniform(1.05, 2)]))
        if shrink > 1:
            levels = {name: level if name in LIGHT else np.nan for name, level in levels.items()}
        if random.random() < 0.3:
            # As cameras do: too little to be a distortion.
            after.append(f"sharpen:{random.uniform(0.1, 0.5):.2f}")
        if random.random() < 0.7:
            quality = int(random.integers(60, 100))
            after.append(_jpeg(quality, random))
            levels["jpeg"] = _visible("jpeg", _jpeg_level(quality))
        return Chain(_pipeline(before), shrink, _pipeline(after), levels, tone)

    def _add(
        self, steps: list[str], levels: dict[str, float], name: str, highest: float, random: np.random.Generator
    ) -> None:
        level = float(random.uniform(0.3, highest))
        steps.append(self.by_name[name].at(level, random))
        levels[name] = _visible(name, level)


def _with_drawn_chroma(text: str, random: np.random.Generator) -> str:
    """Noise of a camera whose colour is mostly coarse, as after noise reduction and chroma subsampling."""
    (step,) = parse_degradation(text).steps
    coarse = float(random.choice([0.0, random.uniform(0.7, 4)], p=[0.25, 0.75]))
    return replace(step, chroma_smoothing=round(coarse, 2)).text  # type: ignore[call-arg]


def _pipeline(texts: list[str]) -> Pipeline:
    return parse_degradation("+".join(texts) or "clean")


def _draw_level(distortion: Distortion, random: np.random.Generator) -> float:
    if distortion.group in OPEN_GROUPS and random.random() < OPEN_SHARE:
        return float(random.uniform(MAX_LEVEL, MAX_OPEN_LEVEL))
    return float(random.uniform(0.1, MAX_LEVEL))


def _visible(name: str, level: float) -> float:
    return level if level >= VISIBLE_FROM.get(name, DEFAULT_VISIBLE_FROM) else np.nan


def _jpeg(quality: int, random: np.random.Generator) -> str:
    return f"jpeg:{quality},{random.choice(['420', '420', '422', '444'])}"


def _jpeg_level(quality: int) -> float:
    """The level of a quality: the levels of `jpeg` between which it lies."""
    return float(np.interp(-quality, [-100, -43, -36, -24, -7, -4], [0, 1, 2, 3, 4, 5]))


def as_row(levels: dict[str, float], names: tuple[str, ...]) -> NDArray[np.float32]:
    """Levels in the order of ``names``, 0 where a distortion is absent."""
    return np.array([levels.get(name, 0.0) for name in names], dtype=np.float32)
