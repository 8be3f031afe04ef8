"""Depths and kinds of image files, each cell of the table in docs/image-files.md, written by tifffile, imagecodecs or pillow-heif."""

from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image, ImageCms

from corrupt_files import reason, write
from ddrscope.images import read_image

RANDOM = np.random.default_rng(11)
HEIGHT, WIDTH = 13, 18
PHOTOMETRICS = ("minisblack", "miniswhite", "rgb")


def levels(bits: int, channels: int = 3, kind: type | None = None) -> np.ndarray:
    """Random numbers of a depth, black and white among them."""
    kind = kind or (np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32 if bits <= 32 else np.uint64)
    values = RANDOM.integers(0, 2**bits - 1, (HEIGHT, WIDTH, channels), dtype=np.uint64, endpoint=True).astype(kind)
    values[0, 0], values[0, 1] = 0, 2**bits - 1
    return values


def colors(photometric: str, values: np.ndarray) -> np.ndarray:
    """What is stored of the values: all three channels, or one."""
    return values if photometric == "rgb" else values[..., 0]


# TIFF, by bits per sample and photometric interpretation


@pytest.mark.parametrize("photometric", PHOTOMETRICS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 32, 64])
def test_unsigned_tiff_is_scaled_by_its_bits(tmp_path: Path, bits: int, photometric: str) -> None:
    stored = colors(photometric, levels(bits))
    if bits == 1 and photometric == "rgb":
        pytest.skip("not written by tifffile: see below")
    packed = {} if bits in (8, 16, 32, 64) else {"bitspersample": bits}
    tifffile.imwrite(
        tmp_path / "x.tif", stored.astype(bool) if bits == 1 else stored, photometric=photometric, **packed
    )
    expected = stored / (2**bits - 1)
    expected = 1 - expected if photometric == "miniswhite" else expected
    image = read_image(tmp_path / "x.tif", channels=3 if photometric == "rgb" else 1)
    np.testing.assert_allclose(image.pixels, np.atleast_3d(expected), atol=2e-7)
    assert image.bits == (8 if bits in (1, 2, 4, 8) else 16 if bits <= 16 else 32)


@pytest.mark.parametrize("photometric", PHOTOMETRICS)
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_float_tiff_is_read_as_it_is(tmp_path: Path, kind: type, photometric: str, byteorder: str) -> None:
    # Within a part of 0..1: stretched, it would be something else.
    stored = colors(photometric, 0.2 + 0.5 * RANDOM.random((HEIGHT, WIDTH, 3))).astype(kind)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric=photometric, byteorder=byteorder)
    image = read_image(tmp_path / "x.tif", channels=3 if photometric == "rgb" else 1)
    expected = 1 - stored.astype(np.float64) if photometric == "miniswhite" else stored
    np.testing.assert_allclose(image.pixels, np.atleast_3d(expected), atol=1e-7)
    assert image.bits == 32


@pytest.mark.parametrize("options", [{"planarconfig": "separate"}, {"rowsperstrip": 4}, {"bigtiff": True}])
@pytest.mark.parametrize("bits", [4, 12])
def test_packed_samples_in_any_layout(tmp_path: Path, bits: int, options: dict) -> None:
    values = levels(bits)
    stored = np.moveaxis(values, -1, 0) if "planarconfig" in options else values
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="rgb", bitspersample=bits, **options)
    np.testing.assert_allclose(read_image(tmp_path / "x.tif").pixels, values / (2**bits - 1), atol=2e-7)


def patch(path: Path, values: dict[str, int], byteorder: str = "<") -> None:
    """Write other values into tags of the first page, each sample's where a tag has several."""
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        for tag, value in values.items():
            entry = tiff.pages.first.tags[tag]
            struct.pack_into(
                byteorder + entry.count * ("H" if entry.dtype == 3 else "I"),
                data,
                entry.valueoffset,
                *[value] * entry.count,
            )
    path.write_bytes(data)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_12_bits_packed_by_hand(tmp_path: Path, byteorder: str) -> None:
    """By the standard: highest bit first, rows begin at whole bytes, whatever the byte order."""
    values = levels(12, 1)[..., 0]
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(HEIGHT, WIDTH, 2), axis=-1)[..., 4:]
    tifffile.imwrite(
        tmp_path / "x.tif", np.packbits(bits.reshape(HEIGHT, -1), axis=1), byteorder=byteorder, photometric="minisblack"
    )
    patch(tmp_path / "x.tif", {"ImageWidth": WIDTH, "BitsPerSample": 12}, byteorder)
    np.testing.assert_allclose(read_image(tmp_path / "x.tif", 1).pixels[..., 0], values / 4095, atol=2e-7)


def test_rgb_of_1_bit_packed_by_hand(tmp_path: Path) -> None:
    values = levels(1)[:, :16]
    packed = np.packbits(values.reshape(HEIGHT, -1), axis=1)
    tifffile.imwrite(tmp_path / "x.tif", packed.reshape(HEIGHT, 2, 3), photometric="rgb")
    patch(tmp_path / "x.tif", {"ImageWidth": 16, "BitsPerSample": 1})
    np.testing.assert_array_equal(read_image(tmp_path / "x.tif").pixels, values)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.float32])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_alpha_of_a_tiff_is_alpha_at_every_depth(tmp_path: Path, kind: type, photometric: str) -> None:
    white = 1 if kind is np.float32 else np.iinfo(kind).max
    count = 3 if photometric == "rgb" else 1
    stored = np.zeros((4, 6, count + 1), dtype=kind)
    stored[:2], stored[2:, :, 0] = white, white // 2
    tifffile.imwrite(
        tmp_path / "x.tif", stored, photometric=photometric, extrasamples=["unassalpha"], planarconfig="contig"
    )
    # Only what is white shows.
    np.testing.assert_allclose(read_image(tmp_path / "x.tif", channels=count).pixels, 1, atol=1e-6)


def test_tiff_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    deep = levels(16, 4)
    cases: dict[str, tuple[np.ndarray, dict]] = {
        "deep-cmyk.tif": (deep, {"photometric": "separated"}),
        "deep-lab.tif": (deep[..., :3], {"photometric": "cielab"}),
        "complex.tif": (RANDOM.random((HEIGHT, WIDTH)).astype(np.complex64), {}),
        "premultiplied.tif": (deep, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
        "jpegxr.tif": (deep[..., :3], {"photometric": "rgb", "compression": "jpegxr"}),
    }
    for name, (values, options) in cases.items():
        tifffile.imwrite(tmp_path / name, values, **options)
        assert "save it" in reason(tmp_path / name), name
    tifffile.imwrite(tmp_path / "565.tif", levels(5), photometric="rgb")
    data = (tmp_path / "565.tif").read_bytes()
    old = struct.pack("<3H", 8, 8, 8)
    assert data.count(old) == 1
    reason(write(tmp_path / "565.tif", data.replace(old, struct.pack("<3H", 5, 6, 5))))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_palette_tiff_gives_its_colours(tmp_path: Path, bits: int) -> None:
    table = RANDOM.integers(0, 256, (3, 2**bits), dtype=np.uint16) * 257
    stored = levels(bits, 1)[..., 0]
    packed = {} if bits == 8 else {"bitspersample": bits}
    tags = [(320, 3, table.size, table.ravel().tolist(), True)]
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="minisblack", extratags=tags, **packed)
    patch(tmp_path / "x.tif", {"PhotometricInterpretation": 3})
    np.testing.assert_allclose(
        read_image(tmp_path / "x.tif").pixels, np.moveaxis(table[:, stored], 0, -1) / 65535, atol=1e-6
    )


def test_ycbcr_and_cmyk_tiff_become_rgb(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 32 * 48 * 3).reshape(32, 48, 3).astype(np.uint8)
    coded = np.asarray(Image.fromarray(smooth).convert("YCbCr"))
    tifffile.imwrite(
        tmp_path / "ycbcr.tif", coded, photometric="ycbcr", compression="jpeg", compressionargs={"level": 98}
    )
    assert np.abs(read_image(tmp_path / "ycbcr.tif").pixels * 255 - smooth).max() < 6
    ink = np.full((8, 8, 4), (0, 255, 255, 0), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "cmyk.tif", ink, photometric="separated")
    np.testing.assert_array_equal(read_image(tmp_path / "cmyk.tif").pixels[0, 0], [1, 0, 0])


def test_premultiplied_alpha_of_8_bits_is_straightened(tmp_path: Path) -> None:
    stored = np.zeros((4, 6, 4), dtype=np.uint8)
    stored[:2], stored[2:] = (200, 100, 50, 255), (100, 50, 25, 128)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(
        read_image(tmp_path / "x.tif").pixels * 255, np.broadcast_to([200, 100, 50], (4, 6, 3)), atol=1.5
    )


def test_lab_tiff_becomes_rgb(tmp_path: Path) -> None:
    rgb = Image.fromarray(np.full((HEIGHT, WIDTH, 3), (180, 90, 60), dtype=np.uint8))
    lab = ImageCms.profileToProfile(
        rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    lab.save(tmp_path / "x.tif")
    assert np.abs(read_image(tmp_path / "x.tif").pixels * 255 - np.asarray(rgb)).max() < 3


# Raw files of cameras


def dng(path: Path, *, version: bool, thumbnail: int = 1) -> Path:
    """A raw file as cameras write it: a small image first, the sensor's in a sub-image."""
    extra = [(50706, 1, 4, b"\1\4\0\0", True)] if version else []
    with tifffile.TiffWriter(path) as writer:
        writer.write(levels(8), photometric="rgb", subfiletype=thumbnail, subifds=1, extratags=extra)
        pattern = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, b"\0\1\1\2", True)]
        writer.write(levels(16, 1)[..., 0], photometric="cfa", subfiletype=0, extratags=pattern)
    return path


@pytest.mark.parametrize("name", ["raw.dng", "raw.tif", "raw.jpg"])
@pytest.mark.parametrize("options", [{"version": True}, {"version": False}, {"version": False, "thumbnail": 0}])
def test_a_raw_file_is_not_judged_by_its_thumbnail(tmp_path: Path, name: str, options: dict) -> None:
    why = reason(dng(tmp_path / name, **options))
    assert "raw" in why and "develop" in why


def test_a_raw_file_whose_first_page_is_the_sensor(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "pef.tif", levels(16, 1)[..., 0], photometric="cfa")
    assert "raw" in reason(tmp_path / "pef.tif")
    linear = [(50706, 1, 4, b"\1\4\0\0", True)]
    tifffile.imwrite(tmp_path / "linear.tif", levels(16), photometric="rgb", extratags=linear)
    assert "raw" in reason(tmp_path / "linear.tif")


@pytest.mark.parametrize(
    "head",
    [b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx ", b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"IIU\0\x18\0\0\0", b"FOVb", b"\0MRM",
     b"II\x1a\0\0\0HEAPCCDR", b"II*\0\x08\0\0\0IIII\0waR"],
    ids=["CR2", "CR3", "RAF", "ORF", "RW2", "X3F", "MRW", "CRW", "IIQ"],
)  # fmt: skip
def test_raw_files_of_other_makers_are_named_as_such(tmp_path: Path, head: bytes) -> None:
    assert "raw" in reason(write(tmp_path / "x.tif", head + bytes(500)))


def test_a_reduced_first_page_is_not_taken_for_the_image(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as writer:
        writer.write(levels(8)[:4, :4], photometric="rgb", subfiletype=1)
        writer.write(levels(8), photometric="rgb")
    assert "first page" in reason(tmp_path / "x.tif")
    # A pyramid begins with the full image; a page without others is all there is.
    values = levels(8)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        writer.write(values, photometric="rgb", subifds=1)
        writer.write(values[::2, ::2], photometric="rgb", subfiletype=1)
    tifffile.imwrite(tmp_path / "lone.tif", values, photometric="rgb", subfiletype=1)
    for name in ("pyramid.tif", "lone.tif"):
        np.testing.assert_array_equal(np.rint(read_image(tmp_path / name).pixels * 255), values)


def test_pixels_that_look_like_a_raw_files_head(tmp_path: Path) -> None:
    values = np.full((HEIGHT, WIDTH), 73, dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "x.tif", compression="raw")
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "x.tif", 1).pixels[..., 0] * 255), values)


# BMP


def bmp_v4(values: np.ndarray, alpha: np.ndarray) -> bytes:
    """A bitmap with the header of version 4, whose fourth byte is said to be alpha."""
    height, width = values.shape[:2]
    pixels = np.dstack([values[::-1, :, ::-1], alpha[::-1]]).astype(np.uint8).tobytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = (
        struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
        + masks
        + b"BGRs"
        + bytes(48)
    )
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


def test_a_bmp_whose_alpha_is_nought_everywhere_is_opaque(tmp_path: Path) -> None:
    values = levels(8)
    write(tmp_path / "x.bmp", bmp_v4(values, np.zeros((HEIGHT, WIDTH))))
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "x.bmp").pixels * 255), values)
    # Alpha that says something still counts.
    half = np.zeros((HEIGHT, WIDTH))
    half[:6] = 255
    values[:6], values[6:] = 200, 10
    write(tmp_path / "half.bmp", bmp_v4(values, half))
    np.testing.assert_allclose(read_image(tmp_path / "half.bmp").pixels * 255, 200, atol=1e-3)


# AVIF, JPEG XL, HEIC, and JPEG by its other names


@pytest.mark.parametrize("suffix", [".jfif", ".jpe"])
def test_other_names_of_jpeg(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    Image.fromarray(levels(8)).save(path, "JPEG")
    np.testing.assert_array_equal(np.rint(read_image(path).pixels * 255), np.asarray(Image.open(path)))


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("channels", [3, 4])
def test_avif_keeps_its_depth(tmp_path: Path, bits: int, channels: int) -> None:
    values = levels(bits, channels)
    write(tmp_path / "x.avif", imagecodecs.avif_encode(values, level=100, bitspersample=bits))
    image = read_image(tmp_path / "x.avif", channels=channels)
    np.testing.assert_allclose(image.pixels, values / (2**bits - 1), atol=1.5 / 255 if bits == 8 else 1e-6)
    assert image.bits == (8 if bits == 8 else 16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_jpeg_xl_keeps_its_depth(tmp_path: Path, bits: int, channels: int) -> None:
    values = levels(bits, channels)
    stored = values[..., 0] if channels == 1 else values
    write(tmp_path / "x.jxl", imagecodecs.jpegxl_encode(stored, lossless=True, bitspersample=bits))
    image = read_image(tmp_path / "x.jxl", channels=channels)
    if channels in (1, 3):
        np.testing.assert_allclose(image.pixels, values / (2**bits - 1), atol=2e-7)
    assert image.pixels.shape == values.shape and image.bits == (8 if bits == 8 else 16)


def test_jpeg_xl_of_floats_in_a_container_and_of_many_frames(tmp_path: Path) -> None:
    floats = RANDOM.random((HEIGHT, WIDTH, 3), dtype=np.float32)
    write(tmp_path / "float.jxl", imagecodecs.jpegxl_encode(floats, lossless=True))
    np.testing.assert_array_equal(read_image(tmp_path / "float.jxl").pixels, floats)
    values = levels(8)
    write(tmp_path / "box.jxl", imagecodecs.jpegxl_encode(values, lossless=True, usecontainer=True))
    write(tmp_path / "frames.jxl", imagecodecs.jpegxl_encode(np.stack([values, 255 - values]), lossless=True))
    for name in ("box.jxl", "frames.jxl"):
        np.testing.assert_array_equal(np.rint(read_image(tmp_path / name).pixels * 255), values)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_heic_with_its_extra(tmp_path: Path, bits: int) -> None:
    smooth = np.linspace(0, 1, 64 * 48 * 3).reshape(48, 64, 3)
    stored = np.rint(smooth * 255).astype(np.uint8) if bits == 8 else np.rint(smooth * 65535).astype(np.uint16)
    image = pillow_heif.from_bytes("RGB" if bits == 8 else "RGB;16", (64, 48), stored.tobytes())
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    image.save(tmp_path / "x.heic", quality=-1)
    read = read_image(tmp_path / "x.heic")
    assert read.bits == (8 if bits == 8 else 16)
    assert np.abs(read.pixels - smooth).max() < 0.02
    assert read.pixels.max() > 0.99


@pytest.mark.parametrize("suffix", [".avif", ".jxl", ".heic"])
def test_new_formats_obey_the_cap_and_survive_being_cut(tmp_path: Path, suffix: str) -> None:
    values = levels(8)
    if suffix == ".heic":
        pillow_heif.from_bytes("RGB", (WIDTH, HEIGHT), values.tobytes()).save(tmp_path / "x.heic")
    else:
        write(
            tmp_path / f"x{suffix}",
            {".avif": imagecodecs.avif_encode, ".jxl": imagecodecs.jpegxl_encode}[suffix](values),
        )
    path = tmp_path / f"x{suffix}"
    assert f"limit of {HEIGHT * WIDTH - 1} pixels" in reason(path, max_pixels=HEIGHT * WIDTH - 1)
    whole = path.read_bytes()
    for share in (0.02, 0.1, 0.3, 0.6, 0.9):
        reason(write(path, whole[: max(1, int(len(whole) * share))]))
