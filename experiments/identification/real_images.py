"""Draw predictions of the identifier for images with real degradations, right and wrong ones.

    python -m experiments.identification.real_images UNPACKED OUT FIGURE.png [IDENTIFIER]

UNPACKED holds the packages that `make photos` unpacked. The images of OpenCV, scikit-image and scikit-learn are as recorded; the others
are made from photographs of scikit-image with real encoders and tools (ffmpeg, ImageMagick, cwebp). OUT receives the images. Needs
Debian's imagemagick, ffmpeg and webp.
"""

# ruff: noqa: E501  (commands as they are typed)

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import skimage
import sklearn
from matplotlib.figure import Figure

from ddrscope.identification import load_identifier
from ddrscope.images import bundled_photos, read_image

SKIMAGE, SKLEARN = Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images"
# In UNPACKED.
OPENCV = Path("usr/share/doc/opencv-doc/examples/data")
# Recorded images: file and known degradation.
RECORDED = {
    OPENCV / "licenseplate_motion.jpg": "moved during exposure",
    OPENCV / "text_motion.jpg": "moved during exposure",
    OPENCV / "text_defocus.jpg": "out of focus",
    SKIMAGE / "clock_motion.png": "moved during exposure",
    SKIMAGE / "text.png": "photograph of print, out of focus",
    SKIMAGE / "page.png": "scan, uneven light",
    SKIMAGE / "moon.png": "soft, low contrast",
    SKIMAGE / "hubble_deep_field.jpg": "telescope, JPEG",
    SKIMAGE / "retina.jpg": "fundus camera, JPEG",
    SKIMAGE / "motorcycle_left.png": "camera, nothing known",
    SKLEARN / "china.jpg": "camera JPEG, nothing known",
    SKLEARN / "flower.jpg": "camera JPEG, nothing known",
}
FFMPEG = "ffmpeg -y -loglevel error"
# Images made with tools: name, description, photograph and commands. {in} is the photograph, {out} the stem of the outputs.
PROCESSED = {
    "mjpeg.png": ("MJPEG frame, -q:v 31", "coffee", [f"{FFMPEG} -loop 1 -i {{in}} -frames:v 3 -c:v mjpeg -q:v 31 {{out}}.avi",
                  f"{FFMPEG} -i {{out}}.avi -frames:v 1 {{out}}.png"]),
    "h264.png": ("H.264, crf 42, tenth frame of a pan", "astronaut",
                 [f"{FFMPEG} -loop 1 -i {{in}} -frames:v 12 -vf scale=512:512,crop=384:384:n*4:n*2 -c:v libx264 -crf 42 -pix_fmt yuv420p {{out}}.mp4",
                  f"{FFMPEG} -i {{out}}.mp4 -vf select=eq(n\\,9) -frames:v 1 {{out}}.png"]),
    "mpeg2.png": ("MPEG-2, -q:v 28", "chelsea", [f"{FFMPEG} -loop 1 -i {{in}} -frames:v 3 -vf scale=448:288 -c:v mpeg2video -q:v 28 -r 25 {{out}}.mpg",
                  f"{FFMPEG} -i {{out}}.mpg -frames:v 1 {{out}}.png"]),
    "webp.webp": ("WebP -q 5, saved twice", "rocket", ["cwebp -quiet -q 5 {in} -o {out}.1.webp", "cwebp -quiet -q 5 {out}.1.webp -o {out}.webp"]),
    "resaved.jpg": ("JPEG 60 saved five times, shifted between", "coffee",
                    ["convert-im6 {in} -quality 60 {out}.jpg"] + ["convert-im6 {out}.jpg -shave 3x3 -quality 60 {out}.jpg"] * 4),
    "print.png": ("thumbnail printed in dots and scanned", "astronaut",
                  ["convert-im6 {in} -resize 50% -ordered-dither h4x4a -resize 200% -blur 0x0.7 -brightness-contrast 6x-12 {out}.png"]),
    "thumbnail.png": ("thumbnail of a quarter, enlarged", "chelsea", ["convert-im6 {in} -resize 25% -filter Triangle -resize 400% {out}.png"]),
    "denoised.png": ("noise 25 taken out by hqdn3d", "rocket", [f"{FFMPEG} -i {{in}} -vf noise=alls=25:allf=t,hqdn3d=12 -frames:v 1 {{out}}.png"]),
    "night.png": ("dark, lifted, photon noise", "coffee",
                  ["convert-im6 {in} -evaluate multiply 0.12 -attenuate 0.6 +noise Poisson -evaluate multiply 6 {out}.png"]),
    "halo.png": ("oversharpened", "chelsea", ["convert-im6 {in} -unsharp 0x2+4+0 {out}.png"]),
}  # fmt: skip


def collect(unpacked: Path, folder: Path) -> dict[Path, str]:
    """The images with their known degradations."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {}
    for path, known in RECORDED.items():
        images[Path(shutil.copy(unpacked / path, folder))] = f"{known} ({path.name})"
    for name, (known, source, commands) in PROCESSED.items():
        (origin,) = [path for path in SKIMAGE.glob(f"{source}.*") if path.suffix in (".png", ".jpg")]
        stem = folder / Path(name).stem
        for command in commands:
            # Split before the names are inserted: a name may contain spaces.
            words = [word.replace("{in}", str(origin)).replace("{out}", str(stem)) for word in command.split()]
            subprocess.run(words, check=True)
        images[folder / name] = known
    images[bundled_photos() / "picosdeeuropa__1.png"] = "clean, as bundled"
    images[bundled_photos() / "friends__1.png"] = "clean, as bundled"
    return images


def main(unpacked: Path, folder: Path, sheet: Path, identifier: Path | None) -> None:
    loaded = load_identifier(identifier)
    columns = 6
    images = collect(unpacked, folder)
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(2.55 * columns, 3.15 * rows), layout="constrained")
    for panel in (panels := figure.subplots(rows, columns)).flat:
        panel.axis("off")
    for panel, (path, known) in zip(panels.flat, images.items(), strict=False):
        pixels = read_image(path).pixels
        finding = loaded.identify(pixels)
        likely = sorted(finding.probabilities.items(), key=lambda item: -item[1])[:3]
        predicted = ", ".join(f"{name.replace('_', ' ')} {probability:.2f}" for name, probability in likely)
        predicted += f" (level {finding.level.value:.0f})" if finding.level.value else ""
        predicted += "; unseen" if finding.unseen else ""
        panel.imshow(pixels.clip(0, 1))
        panel.set_title(textwrap.fill(known, 34), fontsize=8)
        panel.text(
            0.5,
            -0.03,
            textwrap.fill(predicted, 36),
            transform=panel.transAxes,
            ha="center",
            va="top",
            fontsize=7.5,
        )
        print(f"| {path.name} | {known} | {predicted} |")
    figure.suptitle("Above: known degradation. Below: the three most probable types", fontsize=10)
    figure.savefig(sheet, dpi=110)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    unpacked, folder, figure, *rest = map(Path, sys.argv[1:])
    main(unpacked, folder, figure, rest[0] if rest else None)
