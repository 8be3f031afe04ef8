"""Distortions made with other people's software: OpenCV, scikit-image, ImageMagick, ffmpeg and encoders of Debian.

Needs opencv-contrib-python-headless, and Debian's imagemagick, ffmpeg, libjpeg-turbo-progs, webp, libavif-bin and
libjxl-tools.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import color, morphology, util

Bytes = NDArray[np.uint8]


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


def encoder(command: str, extension: str, decoder: str = "") -> Callable[[Bytes], Bytes]:
    """An encoder that reads PNG and writes a file, and what decodes it to PNG; empty: OpenCV does."""

    def run(image: Bytes) -> Bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, middle, result = (str(Path(folder) / name) for name in ("in.png", f"middle{extension}", "out.png"))
            cv2.imwrite(source, image[..., ::-1])
            for step in filter(None, (command, decoder)):
                words = [{"IN": source, "MIDDLE": middle, "OUT": result}.get(word, word) for word in step.split()]
                subprocess.run(words, capture_output=True, check=True)
            return decoded(Path(result if decoder else middle).read_bytes())

    return run


def video(settings: str, extension: str) -> Callable[[Bytes], Bytes]:
    """One frame, coded by ffmpeg."""
    command = f"ffmpeg -loglevel error -i IN -pix_fmt yuv420p {settings} MIDDLE"
    return encoder(command, extension, "ffmpeg -loglevel error -i MIDDLE -frames:v 1 -pix_fmt rgb24 OUT")


def enlarged(percent: int, method: str) -> Callable[[Bytes], Bytes]:
    """The middle of an image, enlarged to its size."""

    def run(image: Bytes) -> Bytes:
        height, width = image.shape[:2]
        part = f"{round(width * 100 / percent)}x{round(height * 100 / percent)}+0+0"
        return magick(f"-gravity center -crop {part} +repage -filter {method} -resize {width}x{height}!")(image)

    return run


def recompressed(first: int, change: str, second: int) -> Callable[[Bytes], Bytes]:
    """JPEG twice, with a change between: what files on the web have met."""
    return lambda image: cjpeg(second)(magick(change)(cjpeg(first)(image)))


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
    return lambda image: np.asarray(cv2.addWeighted(image, 1, image, 0, offset), np.uint8)


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


# By type: descriptions and functions. The types of KADID-10k and clean.
SUITE: dict[str, list[tuple[str, Callable[[Bytes], Bytes]]]] = {
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
# The types beside them.
EVERYDAY: dict[str, list[tuple[str, Callable[[Bytes], Bytes]]]] = {
    "webp": [(f"cwebp -q {q}", encoder(f"cwebp -quiet -q {q} IN -o MIDDLE", ".webp")) for q in (30, 10)],
    "avif": [
        (
            f"avifenc quantizer {q}",
            encoder(f"avifenc --min {q} --max {q} -s 8 IN MIDDLE", ".avif", "avifdec MIDDLE OUT"),
        )
        for q in (40, 52)
    ],
    "jpeg_xl": [(f"cjxl -d {d}", encoder(f"cjxl -d {d} IN MIDDLE", ".jxl", "djxl MIDDLE OUT")) for d in (6, 12)],
    "video": [(f"ffmpeg libx264 crf {c}", video(f"-c:v libx264 -crf {c}", ".mp4")) for c in (32, 40)]
    + [
        (f"ffmpeg libx265 crf {c}", video(f"-c:v libx265 -x265-params log-level=none -crf {c}", ".mp4"))
        for c in (34, 42)
    ]
    + [(f"ffmpeg libvpx-vp9 crf {c}", video(f"-c:v libvpx-vp9 -crf {c} -b:v 0", ".webm")) for c in (45, 55)],
    "enlarged": [
        (f"ImageMagick -filter {m} -resize {p}%", enlarged(p, m)) for p, m in ((200, "Lanczos"), (300, "Catrom"))
    ],
}
# Compressed twice; the type is that of the last step.
RECOMPRESSED: dict[str, list[tuple[str, Callable[[Bytes], Bytes]]]] = {
    "jpeg": [
        (f"cjpeg {first}, {words}, cjpeg {second}", recompressed(first, change, second))
        for change, words in (
            ("-roll +3+5", "shifted by 3 and 5 pixels"), ("-resize 90% -resize 111.1112%", "shrunk and enlarged by a tenth"),
        )
        for first, second in ((35, 75), (75, 35), (60, 60), (50, 90))
    ]
}  # fmt: skip
