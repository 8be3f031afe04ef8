"""Images from someone who means harm: each costs its own row and names its reason, in bounded memory and time."""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from corrupt_files import NO_FILES, Attack, memory_below, png_bytes, png_chunk, reason, write
from ddrscope.images import UnreadableImage, find_images, read_ahead, read_image, read_source_image, write_image

RANDOM = np.random.default_rng(7)
RGB8 = RANDOM.integers(0, 256, (12, 17, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (12, 17, 4), dtype=np.uint16)
FLOATS = RANDOM.random((12, 17, 5), dtype=np.float32)


def saved(kind: str, **options: object) -> bytes:
    """The small image in one of Pillow's formats."""
    file = io.BytesIO()
    Image.fromarray(RGB8).save(file, kind, **options)
    return file.getvalue()


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(RGB8).save(tmp_path / "x.png")
    os.rename(tmp_path / "x.png", tmp_path / "x.jpg")
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "x.jpg").pixels * 255), RGB8)
    Image.fromarray(RGB8).save(tmp_path / "other.ppm")
    os.rename(tmp_path / "other.ppm", tmp_path / "other.png")
    assert "not a PNG, JPEG" in reason(tmp_path / "other.png")


def test_empty_text_folder_and_truncated_files(tmp_path: Path) -> None:
    assert reason(write(tmp_path / "zero.png", b"")) == "the file is empty"
    assert "not a PNG, JPEG" in reason(write(tmp_path / "text.png", b"I am no image\n" * 20))
    assert reason(tmp_path) == "is not a file"
    noise = RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for name in ("x.png", "x.jpg", "x.webp", "x.tif", "x.bmp", "x.gif"):
        Image.fromarray(noise).save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        for share in (0.02, 0.5, 0.9):
            reason(write(tmp_path / name, whole[: int(len(whole) * share)]))
    reason(write(tmp_path / "deep.png", png_bytes(DEEP[..., :3])[:900]))
    tifffile.imwrite(tmp_path / "deep.tif", DEEP[..., :3], photometric="rgb")
    reason(write(tmp_path / "deep.tif", (tmp_path / "deep.tif").read_bytes()[:-100]))
    np.save(tmp_path / "x.npy", FLOATS)
    reason(write(tmp_path / "x.npy", (tmp_path / "x.npy").read_bytes()[:-100]))
    reason(write(tmp_path / "head.npy", b"\x93NUMPY\x01\x00\xff\xff{'descr'"))


def test_a_size_beyond_the_cap_is_refused_from_the_header(tmp_path: Path) -> None:
    bomb = write(tmp_path / "bomb.png", png_bytes(RGB8, size=(60_000, 60_000)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "60000 x 60000 pixels are more than the limit" in reason(bomb)
    Image.fromarray(RGB8).save(tmp_path / "x.png")
    tifffile.imwrite(tmp_path / "x.tif", DEEP[..., :3], photometric="rgb")
    np.save(tmp_path / "x.npy", FLOATS[..., :3])
    for name in ("x.png", "x.tif", "x.npy"):
        assert "17 x 12 pixels are more than the limit of 203 pixels" in reason(tmp_path / name, max_pixels=203)
        assert read_image(tmp_path / name, max_pixels=204).pixels.shape == (12, 17, 3)
    np.save(tmp_path / "x.npy", np.zeros((2, 2, 9), dtype=np.uint8))
    assert "2 x 2 pixels x 9 channels" in reason(tmp_path / "x.npy", channels=9, max_pixels=8)


def bits(*numbers: tuple[int, int]) -> bytes:
    """Numbers of given widths, lowest bit first, as the header of a JPEG XL has them."""
    place = total = 0
    for value, width in numbers:
        total, place = total | value << place, place + width
    return total.to_bytes(place // 8 + 1, "little")


def test_a_jpeg_xl_of_giant_size_or_of_a_thousand_channels(tmp_path: Path) -> None:
    side = [(0, 1), (2, 2), (59_999, 18), (1, 3)]  # 60,000 high, as wide as high
    small = [(0, 1), (0, 2), (15, 9), (1, 3)]
    channels = [(0, 1), (0, 1), (0, 3), (1, 1), (3, 2), (4095, 12)]  # 8 bits, the most extra channels
    with memory_below(100):
        path = write(tmp_path / "x.jxl", b"\xff\x0a" + bits(*side, (1, 1)) + bytes(99))
        assert "60000 x 60000 pixels are more than the limit" in reason(path)
        assert "channels" in reason(write(tmp_path / "x.jxl", b"\xff\x0a" + bits(*small, *channels) + bytes(99)))


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_a_giant_size_in_the_boxes_of_an_avif_or_heic(tmp_path: Path, kind: str) -> None:
    data = imagecodecs.avif_encode(RGB8)
    if kind == "heic":
        pillow_heif.from_bytes("RGB", (17, 12), RGB8.tobytes()).save(tmp_path / "x.heic")
        data = (tmp_path / "x.heic").read_bytes()
    size = struct.pack(">4sIII", b"ispe", 0, 17, 12) if kind == "avif" else b"ispe"
    assert size in data
    place = data.index(size) + 8
    data = data[:place] + struct.pack(">II", 60_000, 60_000) + data[place + 8 :]
    with memory_below(100):
        reason(write(tmp_path / f"x.{kind}", data))


def test_containers_of_jpeg_xl_that_lead_in_circles_or_nowhere(tmp_path: Path) -> None:
    head = b"\0\0\0\x0cJXL \r\n\x87\n"
    for boxes in (
        struct.pack(">I4s", 0, b"free"),
        struct.pack(">I4sQ", 1, b"free", 1 << 63),
        struct.pack(">I4s", 8, b"free") * 100_000,
    ):
        with memory_below(100):
            reason(write(tmp_path / "x.jxl", head + boxes + bytes(50)))


def test_a_tiff_of_endless_pages_and_sub_images(tmp_path: Path) -> None:
    """Looking for raw sub-images ends, and what cannot be read of them does not hinder the page."""
    data = tiff(tmp_path / "x.tif", extratags=[(330, "I", 1000, [8] * 1000, True)])
    assert read_image(write(tmp_path / "ring.tif", bytes(data))).pixels.shape == (12, 17, 3)
    data = tiff(tmp_path / "x.tif", extratags=[(330, "I", 2, [0xFFFFFFF0, 3], True)])
    assert read_image(write(tmp_path / "nowhere.tif", bytes(data))).pixels.shape == (12, 17, 3)


def test_our_cap_is_the_only_one_and_pillows_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RGB8).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(tmp_path / "x.png").pixels.shape == (12, 17, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_tiff_strip_is_not_unpacked_beyond_its_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", DEEP[..., :3], photometric="rgb", compression="zlib")
    data = bytearray((tmp_path / "x.tif").read_bytes())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tiff:
        count, offset = (tiff.pages.first.tags[name].valueoffset for name in ("StripByteCounts", "StripOffsets"))
    bomb = zlib.compress(b"\0" * 10_000_000)
    struct.pack_into("<I", data, offset, len(data))
    struct.pack_into("<I", data, count, len(bomb))
    assert "INSUFFICIENT_SPACE" in reason(write(tmp_path / "bomb.tif", bytes(data) + bomb))


def test_a_huge_tile_in_a_small_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", DEEP[..., :3], photometric="rgb", compression="zlib", tile=(1024, 1024))
    assert "strips or tiles" in reason(tmp_path / "x.tif", max_pixels=500_000)


def test_npy_is_never_unpickled(tmp_path: Path) -> None:
    trap = Attack(tmp_path / "sprung")
    np.save(tmp_path / "trap.npy", np.array([[trap, 1]], dtype=object), allow_pickle=True)
    reason(tmp_path / "trap.npy")
    assert "not a PNG" in reason(write(tmp_path / "raw.npy", pickle.dumps(trap)))
    assert not (tmp_path / "sprung").exists()
    np.load(tmp_path / "trap.npy", allow_pickle=True)
    assert (tmp_path / "sprung").exists()  # so the attack would have worked


def test_values_that_are_no_image(tmp_path: Path) -> None:
    for name, values in {
        "nan": np.array([[0.5, np.nan]]),
        "inf": np.array([[0.5, np.inf]]),
        "wide": np.array([[-1.7e308, 1.7e308]]),
        "complex": np.ones((4, 4), dtype=complex),
        "words": np.array([["a", "b"]]),
        "line": np.zeros(5),
        "volume": np.zeros((2, 3, 4, 5)),
        "empty": np.zeros((0, 4)),
    }.items():
        np.save(tmp_path / f"{name}.npy", values)
        reason(tmp_path / f"{name}.npy")
    assert "NaN" in reason(tmp_path / "nan.npy")
    tifffile.imwrite(tmp_path / "nan.tif", np.full((4, 4), np.nan, dtype=np.float32))
    assert "NaN" in reason(tmp_path / "nan.tif")


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_any_bytes_give_a_reason(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    jpegxl, avif, heic = b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x10ftypavif\0\0\0\0", b"\0\0\0\x10ftypheic\0\0\0\0"
    for magic in (
        b"", b"\x89PNG\r\n\x1a\n", b"II*\0", b"\x93NUMPY\x01\0", b"\xff\xd8\xff", b"RIFF\xff\0\0\0WEBPVP8L", b"\xff\x0a",
        jpegxl, avif, heic,
    ):  # fmt: skip
        path = tmp_path_factory.getbasetemp() / "fuzz.png"
        reason(write(path, magic + data))


def test_bad_files_cost_their_own_row_only(tmp_path: Path) -> None:
    Image.fromarray(RGB8).save(tmp_path / "good.png")
    write(tmp_path / "bad.png", b"")
    bad, good = read_ahead(find_images([tmp_path]), channels=1)
    assert good.image and good.image.name == "good.png" and good.image.pixels.shape == (12, 17, 1) and not good.error
    assert bad.error and (bad.error.path.name, bad.error.reason) == ("bad.png", "the file is empty") and not bad.image


def test_a_file_of_holes_is_not_hashed_for_days(tmp_path: Path) -> None:
    write(tmp_path / "holes.png", b"")
    os.truncate(tmp_path / "holes.png", 1 << 43)
    (reading,) = read_ahead(find_images([tmp_path]))
    assert reading.error and "larger than any image" in reading.error.reason and reading.sha256 is None


# Sizes


def sized(kind: str, width: int, height: int) -> bytes:
    """An image whose header claims another size."""
    data = bytearray(saved(kind, **({"lossless": True} if kind == "WEBP" else {})))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        struct.pack_into(">HH", data, at, height, width)
    elif kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    elif kind == "GIF":
        at = data.index(b",", 13 + 3 * 256) + 5
        struct.pack_into("<HH", data, at, width, height)
        struct.pack_into("<HH", data, 6, width, height)
    elif kind == "WEBP":
        at = data.index(b"VP8L") + 9
        bits = struct.unpack_from("<I", data, at)[0] & ~0x0FFFFFFF
        struct.pack_into("<I", data, at, bits | (width - 1) & 0x3FFF | ((height - 1) & 0x3FFF) << 14)
    return bytes(data)


@pytest.mark.parametrize(
    "kind, side", [("JPEG", 65_535), ("BMP", 60_000), ("GIF", 65_535), ("WEBP", 16_383)]
)  # fmt: skip
def test_a_giant_size_in_a_small_file(tmp_path: Path, kind: str, side: int) -> None:
    path = write(tmp_path / "x.png", sized(kind, side, side))
    with memory_below(100):
        assert "more than the limit" in reason(path)


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "GIF", "WEBP"])
def test_a_size_within_the_limit_and_no_data(tmp_path: Path, kind: str) -> None:
    """What a file may claim is what memory is taken for, no more."""
    path = write(tmp_path / "x.png", sized(kind, 2000, 2000)[: len(saved(kind)) // 2])
    with memory_below(100):
        reason(path)


def test_two_headers_in_a_png(tmp_path: Path) -> None:
    """One reader goes by the first, another by the last: the large one must not be made."""
    small = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 17, 12, 16, 2, 0, 0, 0))
    path = write(tmp_path / "x.png", png_bytes(DEEP[..., :3], size=(60_000, 60_000), extra=small))
    with memory_below(100):
        reason(path)


def test_a_file_of_holes(tmp_path: Path) -> None:
    """A terabyte that takes no room on the disk; some decoders read a file whole before they look at it."""
    for name, data in (
        ("deep.png", png_bytes(DEEP[..., :3])),
        ("x.webp", saved("WEBP")),
        ("x.jxl", imagecodecs.jpegxl_encode(RGB8)),
    ):
        path = write(tmp_path / name, data)
        os.truncate(path, 1 << 40)
        with memory_below(100):
            assert "larger than any image" in reason(path)


def test_a_huge_tile_in_a_small_8_bit_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", RGB8, photometric="rgb", compression="zlib", tile=(1024, 1024))
    assert "strips or tiles" in reason(tmp_path / "x.tif", max_pixels=500_000)


def test_a_tile_whose_side_is_a_text(tmp_path: Path) -> None:
    """Times the other side it would be a text of two gigabytes."""
    tifffile.imwrite(
        tmp_path / "x.tif",
        RGB8,
        photometric="rgb",
        extratags=[(65000, "I", 1, 1 << 31, True), (65001, "s", 0, "a", True)],
    )
    data = (tmp_path / "x.tif").read_bytes()
    # The writer refuses these tags of its own; as others they are let in, and then renamed: width a number, length a text.
    for other, tag, kind in ((65000, 322, 4), (65001, 323, 2)):
        old = struct.pack("<HH", other, kind)
        assert data.count(old) == 1
        data = data.replace(old, struct.pack("<HH", tag, kind))
    write(tmp_path / "x.tif", data)
    with memory_below(100):
        assert "tiles have no size" in reason(tmp_path / "x.tif")


# Metadata


@cache
def bomb(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "kind, head",
    [(b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0"), (b"iCCP", b"profile\0\0")],
)
def test_packed_metadata_that_unpacks_to_gigabytes(tmp_path: Path, kind: bytes, head: bytes, bits: int) -> None:
    values = RGB8 if bits == 8 else DEEP[..., :3]
    path = write(tmp_path / "x.png", png_bytes(values, extra=png_chunk(kind, head + bomb(1 << 27))))
    with memory_below(120):
        try:
            assert read_image(path).pixels.shape == (12, 17, 3)
        except UnreadableImage as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0" + b"\xff" * 60,
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" * 9,
        # An orientation of a million values, one that is text, and a folder that holds itself.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x40\x42\x0f\0\x08\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0six\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
    ],
    ids=["none", "head", "ones", "cut", "giant", "text", "ring"],
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_garbage_for_exif_costs_nothing(tmp_path: Path, kind: str, exif: bytes) -> None:
    path = write(tmp_path / "x.png", saved(kind, exif=exif))
    assert sorted(read_image(path).pixels.shape) == [3, 12, 17]
    original = read_source_image(path)
    write_image(tmp_path / "copy.png", np.rint(original.color * 255).astype(np.uint8), original.metadata, "png")
    assert read_image(tmp_path / "copy.png").pixels.shape == read_image(path).pixels.shape


@pytest.mark.parametrize("profile", [b"x", b"\xff" * 5000, struct.pack(">I", 1 << 31) + b"\0" * 128])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_garbage_for_a_colour_profile_costs_nothing(tmp_path: Path, mode: str, profile: bytes) -> None:
    Image.fromarray(RGB8).convert(mode).save(tmp_path / "x.jpg", icc_profile=profile)
    assert read_image(tmp_path / "x.jpg").pixels.shape == (12, 17, 3)
    assert read_source_image(tmp_path / "x.jpg").metadata.profile is None


def test_a_text_that_would_control_a_terminal(tmp_path: Path) -> None:
    path = write(tmp_path / "\x1b[2J.png", b"\x1b[31m no image")
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert caught.value.reason.isprintable()


# Frames and folders


def test_a_gif_of_a_million_frames(tmp_path: Path) -> None:
    data = saved("GIF")
    tiny = b"\x21\xf9\x04\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    path = write(tmp_path / "x.gif", data[:-1] + tiny * 1_000_000 + b";")
    with memory_below(100):
        assert read_image(path).pixels.shape == (12, 17, 3)


def tiff(path: Path, **options: object) -> bytearray:
    tifffile.imwrite(path, DEEP[..., :3], photometric="rgb", **options)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("bigtiff", [True, False])
def test_a_tiff_whose_folders_follow_each_other_in_a_ring(tmp_path: Path, bigtiff: bool) -> None:
    data = tiff(tmp_path / "x.tif", bigtiff=bigtiff)
    where, count, entry = ("<Q", "<Q", 20) if bigtiff else ("<I", "<H", 12)
    first = struct.unpack_from(where, data, 8 if bigtiff else 4)[0]
    entries = struct.unpack_from(count, data, first)[0]
    struct.pack_into(where, data, first + struct.calcsize(count) + entries * entry, first)
    assert read_image(write(tmp_path / "ring.tif", bytes(data))).pixels.shape == (12, 17, 3)


@pytest.mark.parametrize("bigtiff", [True, False])
@pytest.mark.parametrize(
    "tag", ["ImageLength", "RowsPerStrip", "StripByteCounts", "StripOffsets", "SamplesPerPixel", "BitsPerSample"]
)
def test_a_tiff_with_giant_numbers(tmp_path: Path, tag: str, bigtiff: bool) -> None:
    data = tiff(tmp_path / "x.tif", bigtiff=bigtiff)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        entry = file.pages.first.tags[tag]
        size = {1: 1, 3: 2, 4: 4, 16: 8}[int(entry.dtype)]
        data[entry.valueoffset : entry.valueoffset + size] = b"\xff" * (size - 1) + b"\x7f"
    path = write(tmp_path / "giant.tif", bytes(data))
    with memory_below(200):
        try:
            assert read_image(path).pixels.shape[1:] == (17, 3)
        except UnreadableImage as error:
            assert "\n" not in str(error)


def test_a_tiff_of_four_billion_entries(tmp_path: Path) -> None:
    for head in (
        b"II*\0\x08\0\0\0\xff\xff",
        b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + b"\xff" * 8,
        b"MM\0*\xff\xff\xff\xf0",
    ):
        with memory_below(100):
            reason(write(tmp_path / "x.tif", head + bytes(200)))


# Two things in one file, and things that are no file


def test_files_of_two_kinds_are_what_they_begin_with(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("a", "b")
    for data in (png_bytes(RGB8) + packed.getvalue(), png_bytes(RGB8) + b"<script>alert(1)</script>"):
        path = write(tmp_path / "x.jpg", data)
        np.testing.assert_array_equal(np.rint(read_image(path).pixels * 255), RGB8)
    comment = saved("GIF", comment=b"<html><script>alert(1)</script>")
    assert read_image(write(tmp_path / "x.html.gif", comment)).pixels.shape == (12, 17, 3)
    for data in (
        b"%PDF-1.7\n" + saved("JPEG"),
        packed.getvalue() + saved("PNG"),
        b"<html>" + saved("GIF"),
        b"GIF89a/*" + b"*/=1;",
    ):
        reason(write(tmp_path / "x.png", data))


@pytest.mark.parametrize(
    "magic", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<?xml version='1.0'?><svg/>", b"\0\0\1\0", b"8BPS", b"\x76\x2f\x31\x01"]
)
def test_formats_that_are_not_wanted_are_not_tried(tmp_path: Path, magic: bytes) -> None:
    assert "not a PNG, JPEG" in reason(write(tmp_path / "x.png", magic + bytes(500)))


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.png"
    NO_FILES[kind](path)
    assert reason(path) in ("is not a file", "no such file")


@pytest.mark.parametrize(
    "text", ["(" * 5000, "{'descr': '<f4', 'shape': (1, -4), 'fortran_order': False}", "__import__('os')"]
)
def test_npy_headers_are_not_evaluated(tmp_path: Path, text: str) -> None:
    data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode()
    reason(write(tmp_path / "x.npy", data + bytes(64)))


def test_an_npy_larger_than_its_file(tmp_path: Path) -> None:
    text = "{'descr': '<f4', 'shape': (10000, 10000, 3), 'fortran_order': False}"
    with memory_below(100):
        reason(write(tmp_path / "x.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode() + bytes(64)))
