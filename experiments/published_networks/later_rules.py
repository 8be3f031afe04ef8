"""The rules by which C1, C4, C5 and one hypothesis are judged on published networks. Written on 2026-11-28, before these runs.

Degradation shares of the last HR layer were known for all networks here (C2 of the same experiment); nothing else was. "Above" means that
the whole 95 % interval lies above the other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddrscope.metrics.estimate import Estimate
from ddrscope.results.study import Case

# C4 and C5 are judged on the networks of the first two lines, whose features should cluster by degradation. The networks without
# residual are shown beside them.
WITH_RESIDUAL = (
    "2024-11 QuickSRNetLarge",
    "2022-11 AALN",
    "2024-01 PFDN_Lite",
    "2022-28 NASNetBN",
    "PAN",
    "2024-22 GFMN",
)
ADVERSARIAL = ("PCARN-M", "SRGAN dyckia")
WITHOUT_RESIDUAL = ("PCARN-M-L1", "2022-00 RFDN", "IMDN", "2024-38 SPAN30")
DOZEN = (*WITH_RESIDUAL, *ADVERSARIAL, *WITHOUT_RESIDUAL)
# Photographs of BSD100, the first in the order of their names, for the many levels of C4; for C5 and the second intervention. (At first
# 50 and all 100. Reduced since the machine was busy, before any result of C4 and C5 was looked at.)
PATH_PHOTOS, DEPTH_PHOTOS = 25, 50
# A network shows C4 if the interval of Spearman's correlation lies above CLEAR_ORDER of `ddrscope.study.rules` for blur, noise and JPEG,
# and C5 as `ddrscope.study.rules.depth_case` says. A claim holds if at least so many of the networks show it.
MOST, FEW = 0.75, 0.25

# C1 on photographs of ten classes. Classifiers, networks whose features should cluster by degradation, and others that are shown beside.
CLASSIFIERS = ("SqueezeNet 1.0", "EfficientNet-Lite0")
SUPER_RESOLUTION = ("2024-11 QuickSRNetLarge", "2022-11 AALN", "PAN", "PCARN-M")
SHOWN_BESIDE = ("PCARN-M-L1", "2022-00 RFDN")

# The hypothesis about the exceptions of C2: the last features are a sum, and the summand that comes straight from the first convolution
# carries the image. It hides the degradation in the flattened view where the share is below 1 % in spite of a residual. Intervention: this
# summand is subtracted, and what remains is measured. Predictions: with a residual and below 1 %, the flattened share rises to at least
# REVEALED, above that of the sum; in IFADNet, which has no residual and 55 %, it does not fall.
HIDDEN = ("2022-23 MDAN", "2024-16 LightRLFN", "2024-22 GFMN")
NOT_FALLING = ("2024-33 IFADNet",)
# No prediction: a network whose share is high in spite of such a summand, and two that have neither residual nor share.
OTHERS = ("2022-11 AALN", "2022-00 RFDN", "2024-00 RLFN_Prune")
REVEALED = 0.10

# A second hypothesis, written on the same day after the first had failed: subtracting the summand changed nothing in the three networks,
# and 40 to 93 % of their flattened variance is interaction. So their features may carry the noise itself, position by position, whose
# pattern differs from photograph to photograph. Intervention: one pattern of noise in all photographs. Prediction: in the three networks
# the flattened share rises to at least REVEALED, above that with patterns of their own. No prediction for the others.
SAME_NOISE_BESIDE = (
    "2022-42 RLCSR",
    "2024-33 IFADNet",
    "2024-11 QuickSRNetLarge",
    "2022-00 RFDN",
    "2024-00 RLFN_Prune",
)


@dataclass(frozen=True)
class ClassShares:
    """Shares at the last layer of a network on photographs of several classes: of the degradation, and of the class."""

    degradation: Estimate
    of_class: Estimate


def classes_or_degradations(shares: dict[str, ClassShares], pixels: dict[str, ClassShares]) -> list[Case]:
    """Judge C1 on classes.

    A classifier shows it if its class share is above its degradation share and above the class share of the pixels; an SR network if
    its degradation share is above its class share and above the degradation share of the pixels.

    Args:
        shares: Of every classifier and SR network, by name.
        pixels: Of the pixels that enter each of them.
    """
    cases = []
    for name in (*CLASSIFIERS, *SUPER_RESOLUTION):
        own = shares[name]
        if name in CLASSIFIERS:
            expected, holds = (
                "class",
                own.of_class.is_above(own.degradation) and own.of_class.is_above(pixels[name].of_class),
            )
        else:
            above = own.degradation.is_above(own.of_class) and own.degradation.is_above(pixels[name].degradation)
            expected, holds = "degradation", above
        numbers = f"class {own.of_class.percent()}, degradation {own.degradation.percent()}"
        cases.append(Case(f"{name}: by {expected}", holds, numbers))
    return cases


def most_show_it(shown: Iterable[bool]) -> str:
    """The verdict on a claim from whether each network shows it."""
    answers = list(shown)
    part = sum(answers) / len(answers)
    if part >= MOST:
        return "holds"
    return "does not hold" if part <= FEW else "not decided"


def image_hides_degradation(shares: dict[str, tuple[Estimate, Estimate]]) -> list[Case]:
    """Judge the hypothesis; it holds if all predictions do.

    Args:
        shares: The flattened degradation share of the sum, and without the summand, by name of the network.
    """
    cases = noise_hides_degradation(shares)
    for name in NOT_FALLING:
        whole, rest = shares[name]
        cases.append(Case(f"{name}: does not fall", not whole.is_above(rest), _change(whole, rest)))
    return cases


def noise_hides_degradation(shares: dict[str, tuple[Estimate, Estimate]]) -> list[Case]:
    """Judge the second hypothesis; it holds if all predictions do.

    Args:
        shares: The flattened degradation share with patterns of their own, and with one pattern, by name of the network.
    """
    cases = []
    for name in HIDDEN:
        before, after = shares[name]
        holds = after.value >= REVEALED and after.is_above(before)
        cases.append(Case(f"{name}: rises", holds, _change(before, after)))
    return cases


def _change(before: Estimate, after: Estimate) -> str:
    return f"{before.percent()}, after the intervention {after.percent()}"
