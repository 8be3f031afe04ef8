"""Images: every kind of file to the documented numbers. Files that nobody should trust are in attacks/."""

from __future__ import annotations

import csv
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from corrupt_files import png_bytes, png_chunk, reason, write
from ddrscope.errors import InputError
from ddrscope.images import (
    bundled_photos,
    center_crop,
    distribute,
    find_images,
    grid_crops,
    read_image,
)
from ddrscope.images.decoding import decode

RANDOM = np.random.default_rng(7)
RGB8 = RANDOM.integers(0, 256, (12, 17, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (12, 17, 4), dtype=np.uint16)
FLOATS = RANDOM.random((12, 17, 5), dtype=np.float32)


# Finding


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a__2.png", "a__1.png", "sub/a__1.JPG", "sub/deep/x.npy", "notes.md", ".hidden.png"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "set"


def test_a_folder_is_searched_with_its_subfolders_and_sorted_by_name(tree: Path) -> None:
    files = find_images([tree])
    assert [file.name for file in files] == ["a__1.png", "a__2.png", "b.PNG", "sub/a__1.JPG", "sub/deep/x.npy"]
    assert [file.photo for file in files] == ["a", "a", "b", "sub/a", "sub/deep/x"]
    assert files[3].path == tree / "sub" / "a__1.JPG"


def test_globs_and_single_files(tree: Path) -> None:
    assert [file.name for file in find_images([str(tree / "*.png")])] == ["a__1.png", "a__2.png"]
    assert [file.name for file in find_images([f"{tree}/**/*.JPG"])] == ["sub/a__1.JPG"]
    assert [file.name for file in find_images([f"{tree}/s*"])] == ["sub/a__1.JPG", "sub/deep/x.npy"]
    assert [file.name for file in find_images([tree / "notes.md"])] == ["notes.md"]


def test_brackets_in_an_existing_name_are_no_glob(tmp_path: Path) -> None:
    path = write(tmp_path / "shot[1].png", b"x")
    assert [file.path for file in find_images([str(path)])] == [path]


@pytest.mark.parametrize("suffix", [".txt", ".LST"])
def test_a_list_file_is_relative_to_its_own_folder(tree: Path, suffix: str) -> None:
    outside = write(tree.parent / "outside.png", b"x")
    lines = ["\ufeff# my set", "", "sub/a__1.JPG", "b.PNG ", "../outside.png", "missing.png"]
    list_file = write(tree / f"list{suffix}", "\r\n".join(lines).encode())
    files = find_images([list_file])
    assert [file.name for file in files] == ["b.PNG", "missing.png", "outside.png", "sub/a__1.JPG"]
    assert files[2].path == outside
    assert reason(files[1].path) == "no such file"


def test_names_are_unique_across_sources_and_files_listed_once(tmp_path: Path) -> None:
    for folder in ("one/in", "two/in", "three"):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder / "x.png", b"x")
    write(tmp_path / "three" / "y.png", b"x")
    os.symlink(tmp_path / "three" / "y.png", tmp_path / "three" / "z.png")
    sources = [tmp_path / "one" / "in", tmp_path / "two" / "in", tmp_path / "three", tmp_path / "three" / "x.png"]
    names = [file.name for file in find_images(sources)]
    assert names == ["one/in/x.png", "three/x.png", "two/in/x.png", "y.png"]


def test_missing_and_empty_sources_are_named(tree: Path) -> None:
    with pytest.raises(InputError, match=r"no such file or folder: .*sup; did you mean .*sub\?"):
        find_images([tree, tree / "sup"])
    (tree / "empty").mkdir()
    with pytest.raises(InputError, match="no images in .*empty"):
        find_images([tree, tree / "empty"])
    with pytest.raises(InputError, match="no images in .*gif"):
        find_images([f"{tree}/*.gif"])
    with pytest.raises(InputError, match="not a text file"):
        find_images([write(tree / "binary.txt", b"\xff\xfe\x00x.png")])


# Reading: lossless formats against the numbers that were written


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "webp"])
def test_8_bit_rgb_is_value_over_255(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c__3.{suffix}"
    Image.fromarray(RGB8).save(path, **({"lossless": True} if suffix == "webp" else {}))
    image = read_image(path)
    assert image.pixels.dtype == np.float32 and image.pixels.flags.c_contiguous and image.bits == 8
    assert (image.name, image.photo) == (path.name, "c")
    np.testing.assert_array_equal(np.rint(image.pixels * 255), RGB8)


def test_jpeg_as_pillow_decodes_it(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(RGB8).save(path, quality=90)
    np.testing.assert_array_equal(np.rint(read_image(path).pixels * 255), np.asarray(Image.open(path)))


def test_grey_to_rgb_and_rgb_to_luma(tmp_path: Path) -> None:
    Image.fromarray(RGB8[..., 0]).save(tmp_path / "grey.png")
    grey = read_image(tmp_path / "grey.png").pixels
    np.testing.assert_array_equal(np.rint(grey * 255), np.repeat(RGB8[..., :1], 3, axis=2))
    Image.fromarray(RGB8).save(tmp_path / "rgb.png")
    luma = read_image(tmp_path / "rgb.png", channels=1).pixels
    assert luma.shape == (12, 17, 1)
    # Pillow's own conversion is Rec. 601 in 16-bit fixed point: equal up to a tie.
    assert np.abs(np.rint(luma[..., 0] * 255) - np.asarray(Image.fromarray(RGB8).convert("L"))).max() <= 1
    np.testing.assert_allclose(luma * 255, np.rint(luma * 255), atol=1e-4)


def test_one_bit_and_palette(tmp_path: Path) -> None:
    bits = RANDOM.integers(0, 2, (12, 17)).astype(bool)
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png", channels=1).pixels[..., 0], bits)
    palette = Image.fromarray(RGB8).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(
        np.rint(read_image(tmp_path / "palette.png").pixels * 255), np.asarray(palette.convert("RGB"))
    )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_all_bits(tmp_path: Path, channels: int) -> None:
    image = read_image(write(tmp_path / "deep.png", png_bytes(DEEP[..., :channels])), channels=channels)
    assert image.bits == 16
    np.testing.assert_array_equal(np.rint(image.pixels * 65535), DEEP[..., :channels])


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib", "predictor": True}, {"compression": "lzw"}, {"compression": "packbits"},
     {"compression": "zlib", "tile": (16, 16)}, {"planarconfig": "separate"}, {"byteorder": ">"}, {"bigtiff": True},
     {"rowsperstrip": 5}],
)  # fmt: skip
def test_16_bit_rgb_tiff_keeps_all_bits(tmp_path: Path, options: dict) -> None:
    values = DEEP[..., :3]
    stored = np.moveaxis(values, -1, 0) if options.get("planarconfig") == "separate" else values
    writer = {key: options[key] for key in ("byteorder", "bigtiff") if key in options}
    tifffile.imwrite(tmp_path / "deep.tif", stored, photometric="rgb", **writer,
                     **{key: value for key, value in options.items() if key not in writer})  # fmt: skip
    image = read_image(tmp_path / "deep.tif")
    assert image.bits == 16
    np.testing.assert_array_equal(np.rint(image.pixels * 65535), values)


def test_16_bit_grey_tiff_and_its_negative(tmp_path: Path) -> None:
    grey = DEEP[..., 0]
    tifffile.imwrite(tmp_path / "grey.tif", grey, photometric="minisblack")
    tifffile.imwrite(tmp_path / "negative.tif", 65535 - grey, photometric="miniswhite")
    for name in ("grey.tif", "negative.tif"):
        image = read_image(tmp_path / name, channels=1)
        np.testing.assert_array_equal(np.rint(image.pixels[..., 0] * 65535), grey)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_float_tiff_and_npy_as_they_are(tmp_path: Path, channels: int) -> None:
    values = FLOATS[..., :channels]
    np.save(tmp_path / "x.npy", values)
    tifffile.imwrite(tmp_path / "x.tif", values[..., 0] if channels == 1 else values, planarconfig="contig",
                     photometric="rgb" if channels == 3 else "minisblack")  # fmt: skip
    for name in ("x.npy", "x.tif"):
        image = read_image(tmp_path / name, channels=channels)
        assert image.bits == 32
        np.testing.assert_array_equal(image.pixels, values)


@pytest.mark.parametrize(
    "values", [255 * FLOATS[..., 0], FLOATS[..., 0] - 0.5, np.full((4, 4), 7.0)], ids=["255", "negative", "flat"]
)
def test_floats_beyond_0_to_1_are_refused_with_their_range(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", values)
    tifffile.imwrite(tmp_path / "x.tif", values.astype(np.float32))
    for name in ("x.npy", "x.tif"):
        why = reason(tmp_path / name, channels=1)
        assert f"{values.min():g}" in why and f"{values.max():g}" in why and "divide" in why


def test_what_rounding_adds_to_floats_is_cut_off(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[-1e-7, 0.5], [1 + 1e-7, 1]]))
    np.testing.assert_array_equal(read_image(tmp_path / "x.npy", 1).pixels[..., 0], np.float32([[0, 0.5], [1, 1]]))


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64])
def test_signed_integers_have_no_white_and_are_refused(tmp_path: Path, kind: type) -> None:
    values = np.array([[0, 1], [50, 100]], dtype=kind)
    np.save(tmp_path / "x.npy", values)
    tifffile.imwrite(tmp_path / "x.tif", values)
    for name in ("x.npy", "x.tif"):
        assert "signed" in reason(tmp_path / name, channels=1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64, bool])
def test_integer_npy(tmp_path: Path, kind: type) -> None:
    top = 1 if kind is bool else np.iinfo(kind).max
    values = RANDOM.integers(0, top, (5, 6, 7), dtype=np.uint64, endpoint=True).astype(kind)
    np.save(tmp_path / "x.npy", np.asfortranarray(values))
    pixels = read_image(tmp_path / "x.npy", channels=7).pixels
    np.testing.assert_allclose(pixels, values / top, atol=1e-7)
    assert "has 7 channels" in reason(tmp_path / "x.npy", channels=3)


def test_multi_sample_8_bit_tiff(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 256, (12, 17, 6), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "six.tif", values, photometric="rgb", planarconfig="contig")
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "six.tif", 6).pixels * 255), values)


# Alpha, CMYK, orientation, frames


def test_alpha_lies_over_the_mean_colour_of_what_shows(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), dtype=np.uint8)
    rgba[:2] = (200, 100, 50, 255)
    rgba[2:] = (0, 255, 0, 0)
    Image.fromarray(rgba).save(tmp_path / "half.png")
    deep = rgba.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "half.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
    for name in ("half.png", "half.tif"):
        pixels = read_image(tmp_path / name).pixels
        np.testing.assert_allclose(pixels * 255, np.broadcast_to([200, 100, 50], (4, 4, 3)), atol=1e-4)
    # The stored colour under full transparency is still there for a network that takes four channels.
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "half.png", 4).pixels * 255), rgba)


def test_partial_alpha_stays_on_the_8_bit_grid(tmp_path: Path) -> None:
    rgba = RANDOM.integers(0, 256, (12, 17, 4), dtype=np.uint8)
    Image.fromarray(rgba).save(tmp_path / "x.png")
    color, alpha = rgba[..., :3] / 255, rgba[..., 3:] / 255
    mean = (color * alpha).sum((0, 1)) / alpha.sum()
    pixels = read_image(tmp_path / "x.png").pixels
    np.testing.assert_allclose(pixels, alpha * color + (1 - alpha) * mean, atol=0.5001 / 255)
    np.testing.assert_allclose(pixels * 255, np.rint(pixels * 255), atol=1e-4)


def test_opaque_alpha_changes_nothing_and_a_transparent_colour_is_alpha(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([RGB8, np.full_like(RGB8[..., :1], 255)])).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "opaque.png").pixels * 255), RGB8)
    keyed = np.full((4, 4, 3), 90, dtype=np.uint8)
    keyed[0] = (255, 0, 255)
    Image.fromarray(keyed).save(tmp_path / "keyed.png", transparency=(255, 0, 255))
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "keyed.png").pixels * 255), 90)
    Image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(tmp_path / "nothing.png")
    assert "transparent" in reason(tmp_path / "nothing.png")


def test_cmyk_plain_and_with_a_broken_profile(tmp_path: Path) -> None:
    cmyk = Image.fromarray(np.repeat(np.repeat(RGB8, 8, 0), 8, 1)).convert("CMYK")
    cmyk.save(tmp_path / "plain.tif")
    cmyk.save(tmp_path / "broken.tif", icc_profile=b"no profile at all")
    for name in ("plain.tif", "broken.tif"):
        pixels = read_image(tmp_path / name).pixels
        np.testing.assert_array_equal(np.rint(pixels * 255), np.asarray(cmyk.convert("RGB")))
    cmyk.save(tmp_path / "adobe.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "adobe.jpg").pixels - pixels).mean() < 0.02


def test_profiles_of_rgb_images_are_ignored(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(RGB8).save(tmp_path / "x.png", icc_profile=profile)
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "x.png").pixels * 255), RGB8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(RGB8)
    exif = image.getexif()
    exif[0x0112] = orientation
    for name in ("x.png", "x.tif"):
        image.save(tmp_path / name, exif=exif)
    image.info["exif"] = exif.tobytes()
    stored = Image.open(tmp_path / "x.png")
    upright = np.asarray(ImageOps.exif_transpose(stored))
    for name in ("x.png", "x.tif"):
        np.testing.assert_array_equal(np.rint(read_image(tmp_path / name).pixels * 255), upright)
    deep = DEEP[..., :3]
    expected = np.dstack(
        [np.asarray(ImageOps.exif_transpose(_oriented(deep[..., band], orientation))) for band in range(3)]
    )
    write(tmp_path / "deep.png", png_bytes(deep, extra=png_chunk(b"eXIf", exif.tobytes()[6:])))
    tag = (0x0112, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", extratags=[tag])
    for name in ("deep.png", "deep.tif"):
        np.testing.assert_array_equal(np.rint(read_image(tmp_path / name).pixels * 65535), expected)


def _oriented(band: np.ndarray, orientation: int) -> Image.Image:
    image = Image.fromarray(band.astype(np.int32))
    image.getexif()[0x0112] = orientation
    return image


def test_the_first_of_several_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB8), Image.fromarray(255 - RGB8)]
    for name in ("x.png", "x.webp", "x.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        np.testing.assert_array_equal(np.rint(read_image(tmp_path / name).pixels * 255), RGB8)
    coarse = [frame.quantize(64, dither=Image.Dither.NONE) for frame in frames]
    coarse[0].save(tmp_path / "x.gif", save_all=True, append_images=coarse[1:])
    np.testing.assert_array_equal(
        np.rint(read_image(tmp_path / "x.gif").pixels * 255), np.asarray(coarse[0].convert("RGB"))
    )


# Crops


@given(st.integers(8, 60), st.integers(8, 60), st.integers(1, 8))
def test_center_crop_leaves_equal_margins(height: int, width: int, size: int) -> None:
    positions = np.stack(np.meshgrid(range(height), range(width), indexing="ij"), axis=-1)
    crop = center_crop(positions, size)
    assert crop.shape == (size, size, 2)
    before, after = crop[0, 0], np.array([height, width]) - 1 - crop[-1, -1]
    assert ((after - before == 0) | (after - before == 1)).all()


def test_crops_that_do_not_fit_name_the_sizes() -> None:
    pixels = np.zeros((80, 100, 3), dtype=np.float32)
    with pytest.raises(InputError, match="sea.png is 100 x 80 pixels, smaller than the crop of 128 x 128"):
        center_crop(pixels, 128, name="sea.png")
    with pytest.raises(InputError, match="100 x 80 pixels"):
        grid_crops(pixels, 81)
    with pytest.raises(InputError, match="at least 1"):
        grid_crops(pixels, 0)


@given(st.integers(4, 30), st.integers(4, 30), st.integers(1, 4), st.integers(1, 40))
def test_grid_crops_are_apart_and_even(height: int, width: int, size: int, limit: int) -> None:
    ids = np.arange(height * width).reshape(height, width, 1)
    crops = grid_crops(ids, size)
    assert len(crops) == (height // size) * (width // size)
    assert len(np.unique(crops)) == len(crops) * size * size
    some = grid_crops(ids, size, limit)
    assert len(some) == min(limit, len(crops))
    corners = [int(crop[0, 0, 0]) for crop in some]
    assert corners == sorted(set(corners)) and set(corners) <= {int(crop[0, 0, 0]) for crop in crops}


def test_items_are_distributed_evenly_within_capacities() -> None:
    assert distribute([100, 3, 100, 0], 43) == [20, 3, 20, 0]
    assert distribute([100, 3, 50], 63) == [30, 3, 30]
    assert distribute([2, 3], 10) == [2, 3]
    assert sum(distribute([5, 9, 1, 30, 2], 31)) == 31


# The bundled photographs


def test_every_bundled_photograph_has_its_credit_and_a_free_licence() -> None:
    with open(bundled_photos() / "credits.csv", newline="", encoding="utf-8") as stream:
        credits = {row["file"]: row for row in csv.DictReader(stream)}
    files = find_images([bundled_photos()])
    assert {file.name for file in files} == set(credits)
    assert len(files) >= 24 and len({file.photo for file in files}) >= 12
    for file in files:
        row = credits[file.name]
        assert row["photograph"] == file.photo
        assert row["licence"] in {"CC0-1.0", "CC-BY-2.0", "CC-BY-4.0", "Public domain"}
        assert all(row.values())
    assert sum(file.path.stat().st_size for file in files) < 4_000_000


def test_bundled_photographs_are_crops_of_256_with_detail() -> None:
    for image in map(read_image, find_images([bundled_photos()])):
        assert image.pixels.shape == (256, 256, 3) and image.bits == 8
        blocks = image.pixels.mean(axis=2).reshape(16, 16, 16, 16).std(axis=(1, 3))
        assert (blocks > 3 / 255).mean() > 0.4, image.name


@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3)])
def test_a_transparent_colour_of_a_png_of_16_bits_is_transparent(
    tmp_path: Path, color_type: int, channels: int
) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    values = np.full((2, 2, channels), 3 * 256 + 1, ">u2")
    values[0, 0] = 0
    chunks = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, color_type, 0, 0, 0)),
        chunk(b"tRNS", bytes(2 * channels)),
        chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))),
        chunk(b"IEND", b""),
    ]
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    pixels = read_image(tmp_path / "x.png", channels=3).pixels
    np.testing.assert_array_equal(np.rint(pixels * 65535), 3 * 256 + 1)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_of_a_png_of_few_bits_is_transparent(tmp_path: Path, bits: int) -> None:
    """Written by hand: grey 1 is transparent, the highest is white."""
    white = 2**bits - 1
    greys = [0, 1, white] if bits > 1 else [0, 1]
    row = int("".join(f"{grey:0{bits}b}" for grey in greys).ljust(24, "0"), 2).to_bytes(3, "big")[
        : -(-len(greys) * bits // 8)
    ]
    header = struct.pack(">IIBBBBB", len(greys), 1, bits, 0, 0, 0, 0)
    chunks = {b"IHDR": header, b"tRNS": b"\0\1", b"IDAT": zlib.compress(b"\0" + row), b"IEND": b""}
    (tmp_path / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks.items())
    )
    raster = decode(tmp_path / "x.png")
    assert raster.alpha
    np.testing.assert_allclose(raster.values[0], [(grey / white, grey != 1) for grey in greys], atol=1e-6)
