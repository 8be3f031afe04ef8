"""Identification of distortions made with external tools, at levels between those of the fit.

    python -m experiments.identification.external_tools HR OUT [--side 384] [--identifier FILE] [--precision float32|bfloat16|auto]

Regions of test photographs (HR/test and the bundled ones) are distorted by OpenCV, scikit-image, ImageMagick (convert-im6), ffmpeg and
libjpeg-turbo's cjpeg. OUT receives the predictions, ``external-SIDE.csv``, and accuracies, ``external-SIDE.json``. Of regions of 240
pixels, the default, two tiles are read as in `experiments.identification.run`; of larger ones as many as in use, and HR/whole replaces
the bundled crops. Needs opencv-contrib-python-headless, and Debian's imagemagick, ffmpeg and libjpeg-turbo-progs.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import joblib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from skimage import color, morphology, util

from ddrscope.degradations.distortions import DISTORTIONS
from ddrscope.features import Precision
from ddrscope.identification import load_identifier
from ddrscope.identification.evaluation import sample_estimate
from ddrscope.identification.labelled_images import DistortionSampler
from ddrscope.identification.tiles import MAX_TILES
from ddrscope.io.files import write_json
from experiments.identification.controls import mean_of
from experiments.identification.run import TEST_SIDE, test_photographs

Bytes = NDArray[np.uint8]
GROUPS = {distortion.name: distortion.group for distortion in DISTORTIONS}


def pipe(command: str, image: Bytes) -> Bytes:
    """The output of a command that reads and writes PNG."""
    png = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    return decoded(subprocess.run(command.split(), input=png, capture_output=True, check=True).stdout)


def decoded(encoded: bytes | NDArray[np.uint8]) -> Bytes:
    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def magick(options: str) -> Callable[[Bytes], Bytes]:
    return partial(pipe, f"convert-im6 png:- {options} png24:-")


def ffmpeg(filters: str) -> Callable[[Bytes], Bytes]:
    return partial(
        pipe, f"ffmpeg -loglevel error -f png_pipe -i - -vf {filters} -f image2pipe -c:v png -pix_fmt rgb24 -"
    )


def encoded(extension: str, *settings: int) -> Callable[[Bytes], Bytes]:
    return lambda image: decoded(cv2.imencode(extension, image[..., ::-1], list(settings))[1])


def cjpeg(quality: int) -> Callable[[Bytes], Bytes]:
    def run(image: Bytes) -> Bytes:
        ppm = cv2.imencode(".ppm", image[..., ::-1])[1].tobytes()
        command = ["cjpeg", "-quality", str(quality)]
        return decoded(subprocess.run(command, input=ppm, capture_output=True, check=True).stdout)

    return run


def mjpeg(scale: int) -> Callable[[Bytes], Bytes]:
    command = f"ffmpeg -loglevel error -f png_pipe -i - -c:v mjpeg -q:v {scale} -pix_fmt yuvj420p -f image2pipe -"
    return partial(pipe, command)


def noisy(mode: str, **settings: float) -> Callable[[Bytes], Bytes]:
    return lambda image: util.img_as_ubyte(util.random_noise(image, mode, rng=int(image.sum()) % 2**31, **settings))


def disk_blurred(radius: int) -> Callable[[Bytes], Bytes]:
    kernel = morphology.disk(radius).astype(np.float32)
    return lambda image: np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def gaussian_blurred(sigma: float) -> Callable[[Bytes], Bytes]:
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def saturated(factor: float) -> Callable[[Bytes], Bytes]:
    def run(image: Bytes) -> Bytes:
        lab = color.rgb2lab(image)
        lab[..., 1:] *= factor
        with warnings.catch_warnings():
            # This distortion produces colors outside of sRGB.
            warnings.simplefilter("ignore", UserWarning)
            return np.rint(color.lab2rgb(lab).clip(0, 1) * 255).astype(np.uint8)

    return run


def shifted(offset: int) -> Callable[[Bytes], Bytes]:
    return lambda image: np.asarray(cv2.add(image, (offset,) * 3 + (0,)), np.uint8)


def blocks(percent: float) -> Callable[[Bytes], Bytes]:
    def run(image: Bytes) -> Bytes:
        random, painted = np.random.default_rng(int(image.sum())), image.copy()
        height, width = image.shape[:2]
        for _ in range(round(percent / 100 * height * width / 32**2)):
            x, y = (int(at) for at in random.integers(0, (width - 32, height - 32)))
            cv2.rectangle(painted, (x, y), (x + 31, y + 31), tuple(map(int, random.integers(0, 256, 3))), -1)
        return painted

    return run


def pixelated(percent: int) -> Callable[[Bytes], Bytes]:
    return lambda image: magick(f"-scale {percent}% -scale {image.shape[1]}x{image.shape[0]}!")(image)


# By type: descriptions and functions.
EXTERNAL: dict[str, list[tuple[str, Callable[[Bytes], Bytes]]]] = {
    "clean": [("none", lambda image: image)],
    "gaussian_blur": [(f"OpenCV GaussianBlur sigma {s}", gaussian_blurred(s)) for s in (0.75, 1.25, 2, 3.5)]
    + [(f"ImageMagick -blur 0x{s}", magick(f"-blur 0x{s}")) for s in (1.25, 2)],
    "lens_blur": [(f"scikit-image disk {r}, OpenCV filter2D", disk_blurred(r)) for r in (3, 5, 7)],
    "motion_blur": [
        (f"ImageMagick -motion-blur 0x{s}+{a}", magick(f"-motion-blur 0x{s}+{a}")) for s, a in ((2, 30), (4, 120))
    ],
    "color_diffusion": [
        (f"ImageMagick Lab -blur 0x{s}", magick(f"-colorspace Lab -channel GB -blur 0x{s} +channel -colorspace sRGB"))
        for s in (6, 12)
    ],
    "color_shift": [(f"ffmpeg rgbashift {p}", ffmpeg(f"rgbashift=gh={p}:gv={p // 2}")) for p in (2, 4)],
    "hsv_saturation": [(f"ImageMagick -modulate 100,{p}", magick(f"-modulate 100,{p}")) for p in (30, 15)],
    "lab_saturation": [(f"scikit-image Lab x {f}", saturated(f)) for f in (2.5, 4.5)],
    "jpeg2000": [
        (f"OpenCV .jp2 ratio {r}", encoded(".jp2", cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000 // r))
        for r in (24, 38, 80)
    ],
    "jpeg": [(f"cjpeg -quality {q}", cjpeg(q)) for q in (40, 15)]
    + [(f"OpenCV .jpg {q}", encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, q)) for q in (30, 12)]
    + [(f"ffmpeg mjpeg -q:v {q}", mjpeg(q)) for q in (15, 28)],
    "white_noise": [(f"scikit-image gaussian sigma {s}", noisy("gaussian", var=(s / 255) ** 2)) for s in (10, 16, 22)],
    "color_noise": [(f"ffmpeg noise=alls={s}", ffmpeg(f"format=yuv444p,noise=alls={s}:allf=t")) for s in (10, 20)],
    "impulse_noise": [(f"scikit-image s&p {a}", noisy("s&p", amount=a)) for a in (0.003, 0.015, 0.025)],
    "multiplicative_noise": [
        (f"scikit-image speckle sigma {s}", noisy("speckle", var=(s / 255) ** 2)) for s in (22, 45)
    ],
    "brighten": [(f"ImageMagick -gamma {g}", magick(f"-gamma {g}")) for g in (1.3, 1.8)],
    "darken": [(f"ImageMagick -gamma {g}", magick(f"-gamma {g}")) for g in (0.75, 0.5)],
    "mean_shift": [(f"OpenCV {o:+d}", shifted(o)) for o in (19, -27)],
    "jitter": [(f"ImageMagick -spread {r}", magick(f"-spread {r}")) for r in (1, 2)],
    "pixelate": [(f"ImageMagick -scale {p}%", pixelated(p)) for p in (65, 40)],
    "quantization": [(f"ImageMagick -posterize {n}", magick(f"+dither -posterize {n}")) for n in (15, 8)],
    "color_block": [(f"OpenCV rectangle, {p} % of the area", blocks(p)) for p in (3.6, 7.1)],
    "sharpen": [(f"ImageMagick -unsharp 0x1+{a}", magick(f"-unsharp 0x1+{a}+0")) for a in (2, 5)],
    "linear_contrast": [
        (f"ImageMagick -sigmoidal-contrast {a}", magick(f"-sigmoidal-contrast {a},50%")) for a in (4, 7)
    ],
    "nonlinear_contrast": [(f"ImageMagick +level {a}%", magick(f"+level {a}%,{100 - a}%")) for a in (15, 35)],
}


def main(hr: Path, out: Path, side: int, identifier: Path | None, precision: Precision) -> None:
    sampler = DistortionSampler(
        test_photographs(hr) if side <= TEST_SIDE else [hr / "test", hr / "whole"], side, seed=2
    )
    jobs = (
        joblib.delayed(identify_photo)(sampler, photo, identifier, precision) for photo in range(len(sampler.files))
    )
    rows: list[dict[str, Any]] = []
    for number, part in enumerate(joblib.Parallel(joblib.cpu_count(), return_as="generator")(jobs), start=1):
        rows += part
        print(f"{number}/{len(sampler.files)} photographs", flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(out / f"external-{side}.csv", index=False)
    groups = GROUPS | {"clean": "clean"}
    correct = {"type": table.predicted == table.type, "group": table.predicted.map(groups) == table.type.map(groups)}
    photos, everything = table.photo.to_numpy(), np.ones(len(table), bool)
    measures = {}
    for name, hits in correct.items():
        share = partial(mean_of, hits.to_numpy().astype(float))
        measures[f"{name}_accuracy"] = dataclasses.asdict(sample_estimate(share, photos, everything))
    write_json(out / f"external-{side}.json", {"measures": measures, "images": len(table), "precision": precision})
    print(table.assign(**correct).groupby(table.type.rename("kind"))[["type", "group"]].mean())
    print({name: f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" for name, value in measures.items()})


def identify_photo(
    sampler: DistortionSampler, photo: int, identifier: Path | None, precision: Precision
) -> list[dict[str, Any]]:
    """The predictions for the images of one photograph."""
    torch.set_num_threads(1)
    loaded, rows = load_identifier(identifier, precision=precision), []
    tiles = 2 if sampler.side <= TEST_SIDE else MAX_TILES
    # Every type and clean are equally frequent.
    loaded.identifier.clean_share = 1 / len(loaded.names)
    for number, (kind, tools) in enumerate(EXTERNAL.items()):
        for index, (tool, distort) in enumerate(tools):
            clean = sampler.sample(photo, (number, index), [])
            distorted = distort(np.rint(clean.load() * 255).astype(np.uint8))
            finding = loaded.identify(np.ascontiguousarray(distorted, np.float32) / np.float32(255), tiles)
            rows.append(
                {
                    "photo": clean.photo,
                    "type": kind,
                    "tool": tool,
                    "predicted": finding.type,
                    "level": finding.level.value,
                }
            )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=TEST_SIDE, help="side of the regions in pixels")
    parser.add_argument("--identifier", type=Path, help="default: the bundled one")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16", "auto"])
    given = parser.parse_args()
    main(given.hr, given.out, given.side, given.identifier, given.precision)
