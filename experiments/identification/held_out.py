"""Evaluate an identifier on held-out photographs: types, groups, calibration, and physical estimates.

    python -m experiments.identification.held_out TEST OUT.json [--identifier FILE] [--descriptor ddr] [--photos N]

TEST holds ``set14`` and ``bsd100``; the bundled photographs are added. No network and no identifier saw any of them. Images
are regions of 240 pixels with each distortion at each level (*suite*: the 24 of KADID-10k; *everyday*: the others), with one
physical damage at a random strength (*physical*), and with changes that no identifier knows (*unknown*). Intervals are 95 %
jackknife over photographs.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrscope.degradations import parse_degradation
from ddrscope.degradations.distortions import DISTORTIONS, EVERYDAY_DISTORTIONS, LEVELS
from ddrscope.identification import ImageIdentifier, Predictions, load_identifier
from ddrscope.identification.chains import Chain
from ddrscope.identification.evaluation import Evaluation, sample_estimate, unseen_auroc
from ddrscope.identification.labelled_images import DistortionSampler, LabelledImage
from ddrscope.identification.tiles import MAX_TILES, TILE, cut_tiles, place_tiles
from ddrscope.identification.truth import apply_chain
from ddrscope.images import bundled_photos, find_images
from ddrscope.io.files import write_json
from ddrscope.results.vocabulary import ESTIMATES
from experiments.identification.unknown_changes import CHANGES

SIDE, SEED = 240, 1
# Saturation 0 leaves no colour, and an image without colour is exempt from types of saturation.
EXEMPT = "hsv_saturation:0"
# Images of each photograph for each physical estimate, and what makes them.
PER_ESTIMATE = 4
MAKERS = {
    "blur_sigma": "blur:{}", "noise_sigma": "noise:{}", "jpeg_quality": "jpeg:{:.0f}", "native_scale": "resample:{},{}",
}  # fmt: skip
RANGES = {"blur_sigma": (0.7, 6), "noise_sigma": (3, 60), "jpeg_quality": (10, 95), "native_scale": (1.5, 4)}
CLEAN_SHARE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--identifier", type=Path)
    parser.add_argument("--descriptor", default="compact")
    parser.add_argument("--photos", type=int, help="use so many photographs only")
    arguments = parser.parse_args()
    identifier = load_identifier(arguments.identifier, descriptor=arguments.descriptor)
    photos = test_photographs(arguments.test)[: arguments.photos]
    results: dict[str, Any] = {"about": {"photographs": len(photos), "side": SIDE}}
    known = {name: identifier.groups[name] for name in identifier.names[1:]}
    novelty = None
    for title, distortions in (("suite", DISTORTIONS), ("everyday", EVERYDAY_DISTORTIONS)):
        if not {each.name for each in distortions} <= set(known):
            continue
        samples = [
            sample
            for sample in DistortionSampler(photos, SIDE, distortions, SEED).every_level()
            if sample.text != EXEMPT
        ]
        results[title], predictions = judge(identifier, samples, known)
        novelty = predictions.novelty if novelty is None else novelty
        show(title, results[title])
    if "blur_sigma" in estimates_of(identifier):
        results["physical"] = physical(identifier, photos)
        show("physical", results["physical"])
    unknown = predict(identifier, (sample.load() for sample in changed(photos)))
    kinds = np.array([sample.text for sample in changed(photos)])
    assert novelty is not None
    results["unknown"] = {
        name: unseen_auroc(novelty, unknown.novelty[kinds == name]) for name in dict.fromkeys(kinds.tolist())
    }
    print("AUROC of novelty", results["unknown"], flush=True)
    write_json(arguments.out, results)


def test_photographs(test: Path) -> list[str | Path]:
    """Set14, BSD100 and the first crop of each bundled photograph."""
    bundled = {file.photo: file.path for file in reversed(find_images([bundled_photos()]))}
    # Shuffled, so that a part of them is a fair one.
    files: list[str | Path] = [
        *bundled.values(),
        *(file.path for file in find_images([test / "set14", test / "bsd100"])),
    ]
    return [files[index] for index in np.random.default_rng(0).permutation(len(files))]


def describe(
    identifier: ImageIdentifier, images: Iterator[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The descriptors of all tiles of images, and the number of the image of each."""
    rows, members = [], []
    for number, pixels in enumerate(images):
        tiles = cut_tiles(pixels, place_tiles(pixels.shape[0], pixels.shape[1], TILE, MAX_TILES))
        rows.append(identifier.descriptor.describe(tiles))
        members.append(np.full(len(tiles), number))
    return np.concatenate(rows), np.concatenate(members)


def predict(identifier: ImageIdentifier, images: Iterator[NDArray[np.float32]]) -> Predictions:
    """Predictions for images, with all their tiles."""
    return identifier.identifier.predict_all(*describe(identifier, images))


def judge(
    identifier: ImageIdentifier, samples: list[LabelledImage], known: dict[str, str]
) -> tuple[dict[str, Any], Predictions]:
    """Measures at equal shares of all classes and, of clean images, at the stated prior."""
    even, stated = 1 / (1 + len({name for sample in samples for name in sample.levels})), CLEAN_SHARE
    result: dict[str, Any] = {"images": len(samples)}
    described = describe(identifier, (sample.load() for sample in samples))
    for prior in (stated, even):
        identifier.identifier.clean_share = prior
        if prior == stated:
            predictions = identifier.identifier.predict_all(*described)
            evaluation = Evaluation(samples, predictions, known)
            clean = evaluation.predicted == 0
            for level in range(LEVELS + 1):
                chosen = evaluation.levels == level
                result[f"called clean, level {level}"] = _share(clean, evaluation.photos, chosen)
            strong = evaluation.levels >= 3
            result["called clean, levels 3 to 5"] = _share(clean, evaluation.photos, strong)
            result["calibration_error, stated prior"] = dataclasses.asdict(evaluation.measures()["calibration_error"])
            continue
        evaluation = Evaluation(samples, identifier.identifier.predict_all(*described), known)
        result |= {name: dataclasses.asdict(value) for name, value in evaluation.measures().items()}
        for name in dict.fromkeys(known.values()):
            chosen = (evaluation.groups[evaluation.truth] == name) & (evaluation.levels >= 3)
            if chosen.any():
                hits = evaluation.groups[evaluation.predicted] == name
                result[f"group {name}, levels 3 to 5"] = _share(hits, evaluation.photos, chosen)
        result["confusion"] = confused(evaluation)
    identifier.identifier.clean_share = stated
    return result, predictions


def confused(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """For each type at levels 3 to 5, the share of its images and of what they are taken for, where it is above 3 %."""
    table: dict[str, dict[str, float]] = {}
    for index, name in enumerate(evaluation.names):
        chosen = (evaluation.truth == index) & ((evaluation.levels >= 3) | (index == 0))
        if chosen.any():
            counts = np.bincount(evaluation.predicted[chosen], minlength=len(evaluation.names)) / chosen.sum()
            table[str(name)] = {
                str(evaluation.names[i]): round(float(counts[i]), 3) for i in np.argsort(-counts) if counts[i] > 0.03
            }
    return table


def _share(hits: NDArray[np.bool_], photos: NDArray[np.str_], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    return dataclasses.asdict(sample_estimate(lambda mask: float(hits[mask].mean()), photos, chosen))


def estimates_of(identifier: ImageIdentifier) -> tuple[str, ...]:
    """What an identifier estimates."""
    blank = np.zeros((TILE, TILE, 3), np.float32)
    return tuple(identifier.identify(blank).estimates)


def physical(identifier: ImageIdentifier, photos: list[str | Path]) -> dict[str, Any]:
    """Relative errors and coverage of estimates where there is one damage of known strength."""
    sampler = DistortionSampler(photos, SIDE, DISTORTIONS, SEED)
    result: dict[str, Any] = {}
    for name, (low, high) in RANGES.items():
        truths, names, images = [], [], []
        for index, file in enumerate(sampler.files):
            random = np.random.default_rng([SEED, index, ESTIMATES.index(name)])
            for number in range(PER_ESTIMATE):
                strength = float(np.exp(random.uniform(np.log(low), np.log(high))))
                text = MAKERS[name].format(round(strength, 4), random.choice(["bilinear", "bicubic", "lanczos"]))
                clean = sampler.sample(index, (number, 5, ESTIMATES.index(name)), []).load()
                degraded, truth = apply_chain(Chain(after=parse_degradation(text)), clean, random)
                images.append(degraded.astype(np.float32) / np.float32(255))
                truths.append(truth.values[name])
                names.append(file.photo)
        details = predict(identifier, iter(images)).details
        assert details is not None
        low_end, middle, high_end = details.estimates[:, ESTIMATES.index(name)].T
        truth_values, photo_names = np.array(truths), np.array(names)
        error = np.abs(middle - truth_values)
        relative = error / truth_values
        inside = (low_end <= truth_values) & (truth_values <= high_end)
        everything = np.ones(len(error), bool)
        result[name] = {
            "median error": _median(error, photo_names),
            "median relative error": _median(relative, photo_names),
            "within 10 %": _share(relative <= 0.1, photo_names, everything),
            "coverage": _share(inside, photo_names, everything),
        }
    return result


def _median(values: NDArray[np.float64], photos: NDArray[np.str_]) -> dict[str, Any]:
    everything = np.ones(len(values), bool)
    return dataclasses.asdict(sample_estimate(lambda mask: float(np.median(values[mask])), photos, everything))


def changed(photos: list[str | Path]) -> list[LabelledImage]:
    """Regions of photographs with changes that no identifier knows."""
    sampler = DistortionSampler(photos, SIDE, DISTORTIONS, SEED)
    samples = []
    for index in range(len(sampler.files)):
        for number, (name, change) in enumerate(CHANGES.items()):
            clean = sampler.sample(index, (number, 9), [])
            samples.append(
                LabelledImage(clean.photo, {}, name, lambda clean=clean, change=change: change(clean.load()))  # type: ignore[misc]
            )
    return samples


def show(title: str, result: dict[str, Any]) -> None:
    for name, value in result.items():
        if isinstance(value, dict) and "value" in value:
            print(f"{title}: {name} {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] n={value['n']}")
        elif name not in ("images", "confusion"):
            show(f"{title}, {name}", value)
        else:
            print(f"{title}: {name} {value}")
    print(flush=True)


if __name__ == "__main__":
    main()
