"""What `upscale` and `degrade` keep of a file: depth, colour profile, EXIF, resolution, and a unique name."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
import torch
from PIL import Image, ImageCms

from commands import call_command
from ddrscope.degradations import parse_degradation
from ddrscope.images import find_images, read_image, read_source_image, result_names, write_image
from ddrscope.networks import SRResNet, save_network

RANDOM = np.random.default_rng(5)
EIGHT = RANDOM.integers(0, 256, (24, 32, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (24, 32, 3), dtype=np.uint16)
FLOATS = RANDOM.random((24, 32, 3), dtype=np.float32)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    save_network(path, SRResNet(channels=4, blocks=1), {"global_residual": "true"})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of every depth with profile, EXIF and 300 dots per inch, as far as the format holds them."""
    place = tmp_path_factory.mktemp("images")
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    for name in ("eight.png", "eight.jpg", "eight.tif"):
        Image.fromarray(EIGHT).save(place / name, icc_profile=PROFILE, exif=exif, dpi=(300, 300))
    Image.fromarray(EIGHT).save(place / "web.webp", icc_profile=PROFILE, exif=exif)
    tags = {
        "iccprofile": PROFILE,
        "resolution": (300, 300),
        "resolutionunit": "inch",
        "extratags": [(0x010F, 2, None, "Maker", True)],
    }
    tifffile.imwrite(place / "float.tif", FLOATS, photometric="rgb", **tags)
    tifffile.imwrite(place / "twelve.tif", DEEP >> 4, photometric="rgb", bitspersample=12, **tags)
    tifffile.imwrite(place / "sixteen.tif", DEEP, photometric="rgb", **tags)
    tifffile.imwrite(place / "big.tif", FLOATS, photometric="rgb", bigtiff=True, **tags)
    return place


@pytest.fixture(scope="module")
def enlarged(folder: Path, network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("large") / "out"
    done = call_command("upscale", folder, "--network", network, "--no-identify", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def degraded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ugly") / "out"
    done = call_command("degrade", folder, "--degrade", "blur:1", "--out", out)
    assert done.returncode == 0, done.stderr
    # Rounding to what a PNG can hold is reported.
    assert "2 images of floats" in done.stderr
    return out


SOURCES = ["eight.png", "eight.jpg", "eight.tif", "web.webp", "float.tif", "twelve.tif", "sixteen.tif", "big.tif"]


def result_of(out: Path, name: str) -> Path:
    """The three files of one stem keep their suffixes."""
    return out / (f"{name}.png" if name.startswith("eight") else f"{Path(name).stem}.png")


@pytest.mark.parametrize("command", ["enlarged", "degraded"])
@pytest.mark.parametrize("name", SOURCES)
def test_profile_exif_resolution_and_depth_are_kept(request: pytest.FixtureRequest, command: str, name: str) -> None:
    path = result_of(request.getfixturevalue(command), name)
    with Image.open(path) as image:
        image.load()
        assert image.info["icc_profile"] == PROFILE
        if name != "big.tif":
            assert image.getexif()[0x010F] == "Maker"
        if name != "web.webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    deep = name in ("float.tif", "twelve.tif", "sixteen.tif", "big.tif")
    assert imagecodecs.png_decode(path.read_bytes()).dtype == (np.uint16 if deep else np.uint8)


@pytest.mark.parametrize("name", SOURCES)
def test_degrade_writes_what_is_degraded_in_memory(folder: Path, degraded: Path, name: str) -> None:
    source = read_image(folder / name)
    expected = parse_degradation("blur:1").apply(source.pixels, 0, 1, source.bits)
    result = read_image(result_of(degraded, name)).pixels
    if source.bits == 32:
        np.testing.assert_allclose(result, expected, atol=0.51 / 65535)
    else:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("format", ["jpg", "webp", "tif"])
def test_formats_of_8_bits_keep_the_resolution_and_report_lost_depth(
    folder: Path, tmp_path: Path, network: Path, format: str
) -> None:
    out = tmp_path / "out"
    sources = [folder / "eight.png", folder / "sixteen.tif"]
    done = call_command("upscale", *sources, "--network", network, "--no-identify", "--format", format, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "1 images of more than 8 bits" in done.stderr and "--format png" in done.stderr
    for source in sources:
        with Image.open(out / f"{source.stem}.{format}") as image:
            dpi = image.info.get("dpi") or (float(image.getexif()[282]), float(image.getexif()[283]))
            assert dpi == pytest.approx((300, 300), abs=0.5) and image.info["icc_profile"] == PROFILE


def test_a_heic_keeps_its_profile_and_exif(tmp_path: Path, network: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    image = pillow_heif.from_pillow(Image.fromarray(EIGHT))
    image.save(tmp_path / "x.heic", exif=exif.tobytes(), icc_profile=PROFILE)
    done = call_command(
        "upscale", tmp_path / "x.heic", "--network", network, "--no-identify", "--out", tmp_path / "out"
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "x.png") as result:
        assert result.getexif()[0x010F] == "Maker" and result.info["icc_profile"] == PROFILE
        # Rotated once: by the container or by EXIF, not by both and not by none.
        assert result.size == (24 * 4, 32 * 4) and result.getexif().get(0x0112, 1) == 1


@pytest.mark.slow
def test_images_of_one_stem_get_different_results(tmp_path: Path, network: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "in").mkdir(parents=True)
    names = ["IMG_1.jpg", "IMG_1.png", "IMG_1.jpg.png", "in/IMG_1.png", "other.png"]
    for number, name in enumerate(names):
        Image.fromarray(np.full((16, 16, 3), 40 * number, np.uint8)).save(photos / name)
    expected = {"IMG_1.jpg": "IMG_1.jpg.png", "IMG_1.png": "IMG_1.png.png", "IMG_1.jpg.png": "IMG_1.jpg.png.png"}
    expected |= {"in/IMG_1.png": "in/IMG_1.png", "other.png": "other.png"}
    done = call_command("degrade", photos, "--degrade", "clean", "--out", tmp_path / "d")
    assert done.returncode == 0, done.stderr
    for number, name in enumerate(names):
        np.testing.assert_allclose(read_image(tmp_path / "d" / expected[name]).pixels * 255, 40 * number, atol=1)
    done = call_command(
        "upscale", photos, "--network", network, "--no-identify", "--compare", "--json", "--out", tmp_path / "u"
    )
    assert done.returncode == 0, done.stderr
    rows = {row["path"]: row["out"] for row in json.loads(done.stdout)["images"]}
    assert rows == {str(photos / name): str(tmp_path / "u" / result) for name, result in expected.items()}
    assert {
        path.relative_to(tmp_path / "u" / "compare").as_posix() for path in (tmp_path / "u" / "compare").rglob("*.png")
    } == set(expected.values())


def test_names_differ_on_case_insensitive_disks(tmp_path: Path) -> None:
    for name in ("a.JPG", "A.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    result = [str(path) for path in result_names(find_images([tmp_path]), ".webp").values()]
    assert len({name.casefold() for name in result}) == 3 and "b.webp" in result


def test_names_differ_in_more_than_the_form_of_an_accent(tmp_path: Path) -> None:
    names = ["caf\u00e9.jpg", "cafe\u0301.png"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    result = [str(path) for path in result_names(find_images([tmp_path]), ".webp").values()]
    assert len({unicodedata.normalize("NFC", name) for name in result}) == 2


def test_a_result_does_not_have_the_name_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.png").mkdir()
    for name in ("x.jpg", "x.png/y.jpg"):
        (tmp_path / name).write_bytes(b"x")
    result = {file.name: str(path) for file, path in result_names(find_images([tmp_path]), ".png").items()}
    assert result == {"x.jpg": "x.jpg.png", "x.png/y.jpg": "x.png/y.png"}


@pytest.mark.parametrize(("bits", "format"), [(8, "png"), (16, "png"), (8, "jpg"), (8, "webp"), (8, "tif")])
def test_texts_in_any_script_are_kept(tmp_path: Path, bits: int, format: str) -> None:
    """EXIF has no agreed encoding, so the bytes count."""
    author, rights = "J\u00f6rg \u65e5\u672c".encode(), "\u00a9 2026".encode("latin-1")
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = author, rights
    Image.fromarray(EIGHT).save(tmp_path / "in.jpg", exif=exif)
    original = read_source_image(tmp_path / "in.jpg")
    result = DEEP if bits == 16 else EIGHT
    write_image(tmp_path / f"out.{format}", result, original.metadata, format)
    content = (tmp_path / f"out.{format}").read_bytes()
    assert author + b"\0" in content and rights + b"\0" in content
