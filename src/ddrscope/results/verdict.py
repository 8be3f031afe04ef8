"""The verdict on an image in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ddrscope.degradations.distortions import ALL_DISTORTIONS
from ddrscope.metrics.estimate import Estimate
from ddrscope.results.vocabulary import CLEAN, LIKELY


class Finding(Protocol):
    """What a verdict is made of; see `ddrscope.results.identification.Identification`."""

    @property
    def type(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def group_probability(self) -> float: ...
    @property
    def level(self) -> Estimate: ...
    @property
    def unseen(self) -> bool: ...
    @property
    def probabilities(self) -> Mapping[str, float]: ...
    @property
    def estimates(self) -> Mapping[str, Estimate]: ...
    @property
    def answers(self) -> Mapping[str, float]: ...
    @property
    def motion_angle(self) -> float | None: ...
    @property
    def interpolation(self) -> str | None: ...


# What a person would call a type; where there is no entry, its name.
WORDS = {
    "gaussian_blur": "blurred", "lens_blur": "out of focus", "motion_blur": "moved during exposure",
    "white_noise": "noise", "color_noise": "coloured noise", "camera_noise": "camera noise",
    "impulse_noise": "salt-and-pepper noise", "multiplicative_noise": "speckle noise",
    "jpeg": "JPEG artifacts", "jpeg2000": "JPEG 2000 artifacts", "webp": "WebP artifacts", "avif": "AVIF artifacts",
    "jpeg_xl": "JPEG XL artifacts", "video": "video compression", "enlarged": "enlarged", "pixelate": "pixelated",
    "brighten": "too bright", "darken": "too dark", "mean_shift": "brightness shifted", "exposure": "wrong exposure",
    "haze": "haze", "ringing": "ringing at edges", "sharpen": "oversharpened", "linear_contrast": "contrast changed",
    "nonlinear_contrast": "low contrast", "hsv_saturation": "colours faded", "lab_saturation": "colours exaggerated",
    "color_cast": "colour cast", "color_diffusion": "colours bleed", "color_shift": "colours displaced",
    "quantization": "banding", "interlaced": "interlaced", "jitter": "pixels displaced", "patches": "patches displaced",
    "color_block": "blocks of colour",
}  # fmt: skip
GROUP_WORDS = {
    "blur": "blurred", "noise": "noise", "compression": "compression artifacts", "color": "colours changed",
    "brightness": "brightness changed", "spatial": "pixels displaced or scaled",
    "sharpness_contrast": "sharpness or contrast changed",
}  # fmt: skip
_GROUP_OF = {distortion.name: distortion.group for distortion in ALL_DISTORTIONS}
BLURS = ("gaussian_blur", "lens_blur", "motion_blur")
# The quality of an image that was never compressed.
UNCOMPRESSED = 100
NOISES = ("white_noise", "color_noise", "camera_noise", "impulse_noise", "multiplicative_noise")


def verdict(found: Finding) -> str:
    """One line: what is wrong with the image, how strongly, and how sure that is.

    Examples:
        >>> print(ddrscope.load_identifier().identify(pixels))
        out of focus, blur about 2.1 px (1.7 to 2.6); JPEG artifacts, quality about 62 (57 to 68)
    """
    names = [name for name, value in found.probabilities.items() if value >= LIKELY and name != CLEAN]
    names.sort(key=lambda name: -found.probabilities[name])
    phrases = [_phrase(name, found) for name in names]
    if found.type != CLEAN and found.group_probability >= LIKELY and found.group not in map(_GROUP_OF.get, names):
        # No type of the likeliest group is likely alone.
        phrases.insert(0, _group_phrase(found))
    if not phrases and found.type == CLEAN:
        phrases = [f"nothing found (clean, probability {found.probability:.2f})"]
    elif not phrases:
        phrases = [f"nothing certain, perhaps {_phrase(found.type, found)}"]
    if found.unseen:
        phrases.append("unlike anything known")
    return "; ".join(phrases)


def _group_phrase(found: Finding) -> str:
    words = GROUP_WORDS.get(found.group, found.group.replace("_", " "))
    likely = f"{words} (probability {found.group_probability:.2f})"
    if words != WORDS.get(found.type):
        return f"{likely}, most like {_phrase(found.type, found)}"
    measure = _measure(found.type, found)
    return f"{likely}, {measure}" if measure else likely


def _phrase(name: str, found: Finding) -> str:
    words = WORDS.get(name, name.replace("_", " "))
    if found.probabilities[name] < 0.9:
        words += f" (probability {found.probabilities[name]:.2f})"
    measure = _measure(name, found)
    if measure is None and name == found.type and found.level.value:
        measure = f"level {found.level.value:.1f} of 5"
    return f"{words}, {measure}" if measure else words


def _measure(name: str, found: Finding) -> str | None:
    """How strong a distortion is, in its unit; None where that is unlikely to be anything or is not estimated."""
    known = found.estimates
    if not known:
        return None
    if name == "motion_blur":
        return f"{_about(known, 'motion_length')} px at {found.motion_angle:.0f}°"
    if name in BLURS and known["blur_sigma"].value > 0:
        return f"sigma {_about(known, 'blur_sigma')} px"
    if name in NOISES and known["noise_sigma"].value > 0:
        return f"sigma {_about(known, 'noise_sigma')} of 255"
    if name == "jpeg" and known["jpeg_quality"].value < UNCOMPRESSED:
        earlier = f", compressed before at {_about(known, 'first_jpeg_quality')}"
        return f"quality {_about(known, 'jpeg_quality')}" + (
            earlier if found.answers.get("recompressed", 0) > 0.5 else ""
        )
    if name == "enlarged" and known["native_scale"].value > 1:
        return f"{_about(known, 'native_scale')} times ({found.interpolation})"
    if name == "exposure" and known["exposure"].value:
        return f"{known['exposure'].value:+.1f} stops"
    return None


def _about(estimates: Mapping[str, Estimate], name: str) -> str:
    each = estimates[name]
    digits = 0 if "quality" in name or abs(each.value) >= 20 else 1
    return f"about {each.value:.{digits}f} ({each.low:.{digits}f} to {each.high:.{digits}f})"
