"""False alarms and power of `compare` and `watch`.

    python -m experiments.matching.error_rates PHOTOS OUT.json

PHOTOS has ``train/bsds500`` and ``test/bsd100``, which no identifier was trained on, and ``classes`` (docs/photographs.md).

*Random halves*: pairs of sets of one condition. *Power*: pairs of other photographs, of which the second is more degraded.
*Classes*: pairs of classes of photographs, shrunk by 2: content differs, degradation does not. *Watch*: streams without and
with a change.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.comparison import testing
from ddrscope.comparison.detection import detect
from ddrscope.comparison.measuring import ImageMeasurer
from ddrscope.comparison.testing import differences
from ddrscope.degradations import parse_degradation, resize
from ddrscope.images import ImageFile, find_images, read_image
from ddrscope.io.files import write_json
from ddrscope.results.comparison import SIGNIFICANT, MeasuredImages

# Conditions: what images of a camera that stores JPEGs are like, and one thing more of each.
BASE = "noise:2+jpeg:90"
CHANGES = {
    "blur +0.3 px": "blur:0.8+noise:2+jpeg:90",
    "noise +2": "noise:4+jpeg:90",
    "quality 90 to 80": "noise:2+jpeg:80",
}
# Blur of 0.5 px in both sets, so that a change of 0.3 px is one of sigma 0.5 to 0.8.
BLURRED_BASE = "blur:0.5+noise:2+jpeg:90"
SIZES, TRIALS, HALVES, PERMUTATIONS = (50, 200), 200, 2000, 499
THRESHOLD, STREAMS, LENGTH, REFERENCE = 10_000, 100, 1000, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    testing.PERMUTATIONS = PERMUTATIONS
    measure, rng = ImageMeasurer(), np.random.default_rng(0)
    files = find_images([given.photos / "train" / "bsds500", given.photos / "test" / "bsd100"])
    conditions = {BASE, BLURRED_BASE, *CHANGES.values()}
    values = {text: np.array([measure(_degraded(file, text)) for file in files]) for text in sorted(conditions)}
    result: dict[str, Any] = {"photographs": len(files)}
    result["random halves"] = _halves(values[BASE], rng)
    result["power"] = {
        f"{name}, n = {size}": _power(values[BLURRED_BASE if "blur" in name else BASE], values[text], size, rng)
        for name, text in CHANGES.items()
        for size in SIZES
    }
    result["classes"] = _classes(given.photos / "classes", measure)
    result["watch"] = {"no change": _false_alarms(values[BASE], rng)}
    for name, text in CHANGES.items():
        result["watch"][name] = _delays(values[BLURRED_BASE if "blur" in name else BASE], values[text], rng)
    write_json(given.out, result)
    print(result)


def _degraded(file: ImageFile, text: str) -> NDArray[np.float32]:
    return parse_degradation(text).apply(read_image(file).pixels)


def _set(values: NDArray[np.float64], rows: NDArray[np.int64]) -> MeasuredImages:
    names = tuple(map(str, rows))
    return MeasuredImages(names, names, values[rows])


def _halves(values: NDArray[np.float64], rng: np.random.Generator) -> dict[str, float]:
    small, alarms = 0, 0
    for trial in range(HALVES):
        order = rng.permutation(len(values))[:100]
        found = differences(_set(values, order[:50]), _set(values, order[50:]), trial)
        small += min(each.p_value for each in found) < SIGNIFICANT
        alarms += any(each.differs for each in found)
    return {"pairs": HALVES, "p below 0.05": small / HALVES, "alarms": alarms / HALVES}


def _power(
    before: NDArray[np.float64], after: NDArray[np.float64], size: int, rng: np.random.Generator
) -> dict[str, Any]:
    alarms = 0
    changes = []
    for trial in range(TRIALS):
        order = rng.permutation(len(before))
        found = differences(_set(before, order[:size]), _set(after, order[size : 2 * size]), trial)
        alarms += any(each.differs for each in found)
        changes.append([each.difference.value for each in found])
    return {"alarms": alarms / TRIALS, "mean changes": [round(float(v), 2) for v in np.mean(changes, axis=0)]}


def _classes(folder: Path, measure: ImageMeasurer) -> dict[str, Any]:
    sets = {}
    for path in sorted(each for each in folder.iterdir() if each.is_dir()):
        rows = []
        for file in find_images([path]):
            pixels = read_image(file).pixels
            half = resize(pixels, (pixels.shape[0] // 2, pixels.shape[1] // 2)).clip(0, 1)
            rows.append(measure(np.rint(255 * half).astype(np.float32) / np.float32(255)))
        sets[path.name] = _set(np.array(rows), np.arange(len(rows)))
    pairs = list(itertools.combinations(sets, 2))
    alarms = [pair for pair in pairs if any(each.differs for each in differences(sets[pair[0]], sets[pair[1]]))]
    return {"pairs": len(pairs), "alarms": len(alarms), "which": [list(pair) for pair in alarms]}


def _false_alarms(values: NDArray[np.float64], rng: np.random.Generator) -> dict[str, float]:
    alarms, images = 0, 0
    for seed in range(STREAMS):
        # Drawn with replacement from many photographs: there are no streams of so many others.
        drawn = values[rng.integers(len(values), size=REFERENCE + LENGTH)]
        found = detect(drawn[:REFERENCE], drawn[REFERENCE:], THRESHOLD, seed)
        alarms += found.alarm is not None
        images += len(found.evidence)
    return {"images": images, "alarms per 10,000": 10_000 * alarms / images}


def _delays(before: NDArray[np.float64], after: NDArray[np.float64], rng: np.random.Generator) -> dict[str, float]:
    delays, onsets = [], []
    for seed in range(STREAMS):
        order = rng.permutation(len(before))
        reference, first, second = np.split(order, [REFERENCE, 2 * REFERENCE])
        found = detect(before[reference], np.concatenate([before[first], after[second]]), THRESHOLD, seed)
        if found.alarm and found.alarm.index >= REFERENCE:
            delays.append(found.alarm.index - REFERENCE + 1)
            onsets.append(abs(found.alarm.onset - REFERENCE))
    return {
        "streams": STREAMS,
        "found": len(delays),
        "median delay": float(np.median(delays)),
        "median error of the onset": float(np.median(onsets)),
    }


if __name__ == "__main__":
    main()
