"""Other programs beside `ddrscope identify`, on the same images: which are blurred, and the quality of JPEG files.

    python -m experiments.identification.other_programs HR OUT.json [--jpegs DIR ...] [--scnn scnn.pkl] [--photos N]

*Blur*: whole photographs that trained nothing (bundled, HR/set14, HR/bsd100), clean, blurred, and damaged otherwise; the
area under the ROC curve by which each program's score separates the blurred ones, and what its own flag does. Programs:
cleanvision, the variance of the Laplacian (OpenCV; flag below 100, as tutorials say), and S-CNN (Zhang et al. 2020), whose
classes have no published names: a class counts as blur if most training photographs that fall into it are blurred.

*Quality*: what is read from the pixels of JPEG files in the folders beside what the files' own tables say.

Needs cleanvision, opencv-contrib-python-headless and the weights pretrained_scnn/scnn.pkl of zwx8981/DBCNN-PyTorch.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from cleanvision import Imagelab
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from ddrscope.degradations import parse_degradation
from ddrscope.identification import ImageIdentifier, load_identifier
from ddrscope.identification.evaluation import sample_estimate
from ddrscope.images import find_images, read_image
from ddrscope.images.file_facts import read_file_facts
from ddrscope.io.files import write_json
from experiments.identification.controls import mean_of
from experiments.identification.held_out import test_photographs
from experiments.identification.s_cnn import SCNN_SIDE, blur_classes, load_scnn

BLURRED = ("blur:1", "blur:2", "blur:4", "lens_blur:2", "lens_blur:4", "motion_blur:8")
OTHERS = ("clean", "noise:15", "jpeg:20", "haze:50", "darken:0.4")
# As soft as a blur: how often it is flagged is told, but it counts for neither side.
SOFT = ("resample:2",)
LAPLACIAN_FLAG = 100.0
BLUR_FLAG = 0.5
Pixels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--jpegs", nargs="*", type=Path, default=[], help="folders of JPEG files")
    parser.add_argument("--scnn", type=Path)
    parser.add_argument("--photos", type=int, help="use so many photographs only")
    given = parser.parse_args()
    identifier = load_identifier()
    images, photos, blurred, texts = _images(given.hr, given.photos)
    scores = {
        "ddrscope": np.array([blur_probability(identifier, image) for image in images]),
        "Laplacian": np.array([-laplacian(image) for image in images]),
    }
    flags = {"ddrscope": scores["ddrscope"] >= BLUR_FLAG, "Laplacian": -scores["Laplacian"] < LAPLACIAN_FLAG}
    scores["cleanvision"], flags["cleanvision"] = cleanvision(images)
    if given.scnn:
        network = load_scnn(given.scnn)
        classes = blur_classes(network, find_images([given.hr / "train"]), BLURRED, OTHERS)
        scores["S-CNN"] = np.array([float(network(_middle(image))[classes].sum()) for image in images])
        flags["S-CNN"] = scores["S-CNN"] >= BLUR_FLAG
    result: dict[str, Any] = {"photographs": len(set(photos.tolist())), "blur": {}}
    for name, score in scores.items():
        result["blur"][name] = _separation(score, flags[name], blurred, photos, texts)
    if given.jpegs:
        result["quality"] = qualities(identifier, given.jpegs)
    write_json(given.out, result)
    print(result)


def _images(hr: Path, limit: int | None) -> tuple[list[Pixels], NDArray[np.str_], NDArray[np.bool_], NDArray[np.str_]]:
    images, photos, texts = [], [], []
    for path in test_photographs(hr)[:limit]:
        clean = read_image(Path(path)).pixels
        for text in (*BLURRED, *OTHERS, *SOFT):
            images.append(np.rint(parse_degradation(text).apply(clean) * 255).astype(np.uint8))
            photos.append(Path(path).stem)
            texts.append(text)
    names = np.array(texts)
    return images, np.array(photos), np.isin(names, BLURRED), names


def blur_probability(identifier: ImageIdentifier, image: Pixels) -> float:
    """The summed probability of the types of blur."""
    found = identifier.identify(image.astype(np.float32) / np.float32(255))
    return sum(value for name, value in found.probabilities.items() if identifier.groups.get(name) == "blur")


def laplacian(image: Pixels) -> float:
    """The variance of the Laplacian of the grey values."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def cleanvision(images: list[Pixels]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores, larger for blur, and flags."""
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(images):
            Image.fromarray(image).save(Path(folder) / f"{number:06d}.png")
        lab = Imagelab(data_path=folder, verbose=False)
        lab.find_issues({"blurry": {}}, n_jobs=1, verbose=False)
        table = lab.issues.sort_index()
    return 1 - table["blurry_score"].to_numpy(float), table["is_blurry_issue"].to_numpy(bool)


def _middle(image: Pixels) -> torch.Tensor:
    """The middle of an image at the side that S-CNN needs; smaller images are mirrored."""
    lacking = [max(0, SCNN_SIDE - side) for side in image.shape[:2]]
    padded = np.pad(image, [*((0, each) for each in lacking), (0, 0)], mode="symmetric")
    top, left = ((side - SCNN_SIDE) // 2 for side in padded.shape[:2])
    return torch.from_numpy(padded[top : top + SCNN_SIDE, left : left + SCNN_SIDE].astype(np.float32) / 255)


def _separation(
    score: NDArray[np.float64],
    flag: NDArray[np.bool_],
    blurred: NDArray[np.bool_],
    photos: NDArray[np.str_],
    texts: NDArray[np.str_],
) -> dict[str, Any]:
    """The area under the ROC curve, and the share that is flagged of each kind of image."""
    judged = ~np.isin(texts, SOFT)

    def area(mask: NDArray[np.bool_]) -> float:
        return float(roc_auc_score(blurred[mask], score[mask]))

    shares: dict[str, Callable[[NDArray[np.bool_]], float]] = {"flagged": partial(mean_of, flag.astype(float))}
    return {
        "area": dataclasses.asdict(sample_estimate(area, photos, judged)),
        "flagged": {
            text: dataclasses.asdict(sample_estimate(shares["flagged"], photos, texts == text))
            for text in (*BLURRED, *OTHERS, *SOFT)
        },
    }


def qualities(identifier: ImageIdentifier, folders: list[Path]) -> dict[str, Any]:
    """The quality read from pixels beside the one in the file's tables, for JPEG files."""
    rows = []
    for file in find_images(folders):
        facts = read_file_facts(Path(file.path))
        if facts is None or facts.format != "jpeg" or facts.jpeg_quality is None:
            continue
        estimate = identifier.identify(read_image(file).pixels).estimates["jpeg_quality"]
        rows.append((file.name, facts.jpeg_quality, estimate.value, estimate.low, estimate.high))
    known, values, low, high = (np.array([row[i] for row in rows]) for i in range(1, 5))
    error = np.abs(values - known)
    names = np.array([row[0] for row in rows])
    every = np.ones(len(rows), bool)

    def share(hits: NDArray[np.bool_]) -> dict[str, Any]:
        return dataclasses.asdict(sample_estimate(partial(mean_of, hits.astype(float)), names, every))

    return {
        "median error": float(np.median(error)),
        "within 5": share(error <= 5),
        "interval holds it": share((low <= known) & (known <= high)),
        "files": [[name, *(round(float(number), 1) for number in numbers)] for name, *numbers in rows],
    }


if __name__ == "__main__":
    main()
