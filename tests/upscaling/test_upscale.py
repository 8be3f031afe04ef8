"""Upscaling files: depth, transparency, profiles, EXIF, resuming, and the command as a user calls it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn

import ddrscope
from commands import Done, Start, call_command
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images, read_image, read_source_image
from ddrscope.io.files import sha256
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet, load_network, save_network
from ddrscope.upscaling import UpscalingResult, enlarge, map_embeddings
from ddrscope.upscaling.known_images import KNOWN_DEGRADATIONS
from ddrscope.viz.detail import most_detailed_window


def upscale(*words: object) -> Done:
    return call_command("upscale", *words)


def plain() -> Network:
    torch.manual_seed(0)
    return Network("plain", SRResNet(channels=8, blocks=3), 4, 3, "SRResNet", minimum_size=1)


def guided() -> Network:
    torch.manual_seed(0)
    guide = load_network("srgan-wgr").module
    assert isinstance(guide, SRResNet)
    module = GuidedSRResNet(SRResNet(channels=8, blocks=3), DegradationGuide.cut_from(guide, 4))
    nn.init.normal_(module.modulate.weight, std=0.1)
    return Network("guided", module, 4, 3, "GuidedSRResNet", minimum_size=2)


NETWORKS = {"plain": plain(), "guided": guided()}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return read_image(find_images([bundled_photos()])[0]).pixels


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "small.safetensors"
    save_network(path, NETWORKS["plain"].module, {"global_residual": "true"})
    save_network(path.with_name("guided.safetensors"), NETWORKS["guided"].module, {"global_residual": "true"})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """One image of each kind, and two that are none."""
    place = tmp_path_factory.mktemp("images")
    eight = np.rint(photo[:40, :56] * 255).astype(np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif.get_ifd(0x8769)[0xA002] = 6, "Maker", 56
    image = Image.fromarray(eight)
    image.save(place / "turned.jpg", exif=exif, icc_profile=profile, quality=95)
    image.convert("L").save(place / "grey.png")
    image.convert("CMYK").save(place / "print.tif")
    alpha = np.tile(np.linspace(0, 255, 56).astype(np.uint8), (40, 1))
    Image.fromarray(np.dstack([eight, alpha])).save(place / "alpha.png")
    (place / "inner").mkdir()
    deep = np.rint(photo[:40, :56] * 65535).astype(np.uint16)
    (place / "inner" / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    deep_alpha = np.dstack([deep, np.full((40, 56), 40_000, np.uint16)])
    (place / "deep_alpha.png").write_bytes(imagecodecs.png_encode(deep_alpha))
    (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing more")
    np.save(place / "many.npy", np.zeros((20, 20, 7), np.float32))
    return place


@pytest.fixture(scope="module")
def done(folder: Path, network_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("out") / "large"
    return out, upscale(folder, "--out", out, "--network", network_file, "--compare", "--json")


def test_a_folder_gives_all_images_but_the_broken_ones(folder: Path, done: tuple[Path, Done]) -> None:
    out, process = done
    assert process.returncode == 0, process.stderr
    rows = {Path(row["path"]).name: row for row in json.loads(process.stdout)["images"]}
    assert json.loads((out / "upscale.json").read_text()) == json.loads(process.stdout)
    assert {name for name, row in rows.items() if row["error"]} == {"broken.png", "many.npy"}
    assert "7 channels" in rows["many.npy"]["error"] and rows["broken.png"]["error"].startswith(
        str(folder / "broken.png")
    )
    written = {path.relative_to(out).as_posix() for path in out.rglob("*.png") if "compare" not in path.parts}
    assert written == {"turned.png", "grey.png", "print.png", "alpha.png", "inner/deep.png", "deep_alpha.png"}
    assert {path.stem for path in (out / "compare").rglob("*.png")} == {Path(name).stem for name in written}
    assert not (out / "parts").exists() and "inner/deep.png: " in process.stderr
    assert rows["grey.png"]["found"]["type"] == "clean"


def test_depth_transparency_profile_and_exif_stay(folder: Path, done: tuple[Path, Done], network_file: Path) -> None:
    out, _ = done
    with Image.open(out / "turned.png") as turned, Image.open(folder / "turned.jpg") as source:
        assert turned.size == (160, 224) and turned.getexif()[0x0112] == 1 and turned.getexif()[0x010F] == "Maker"
        assert turned.getexif().get_ifd(0x8769)[0xA002] == 160
        assert turned.info["icc_profile"] == source.info["icc_profile"]
    with Image.open(out / "grey.png") as grey, Image.open(out / "alpha.png") as transparent:
        assert grey.mode == "L" and transparent.mode == "RGBA"
        alpha = np.asarray(transparent)[..., 3].astype(int)
    assert np.abs(alpha[80] - np.linspace(0, 255, 224)).max() < 6
    deep, deep_alpha = (
        imagecodecs.png_decode((out / name).read_bytes()) for name in ("inner/deep.png", "deep_alpha.png")
    )
    assert deep.dtype == deep_alpha.dtype == np.uint16 and (deep_alpha[..., 3] == 40_000).all()
    # Levels between those of 8 bits are there, and they are the network's.
    expected = enlarge(load_network(network_file), read_source_image(folder / "inner" / "deep.png").color, bits=16)
    assert (deep % 257).any() and np.abs(deep.astype(int) - expected).max() <= 1


def test_profile_and_exif_of_a_deep_image(tmp_path: Path, photo: np.ndarray, network_file: Path) -> None:
    """16 bits and a profile together come from a TIFF."""
    import tifffile

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tifffile.imwrite(
        tmp_path / "deep.tif", np.rint(photo[:32, :32] * 65535).astype(np.uint16), photometric="rgb", iccprofile=profile
    )
    process = upscale(tmp_path / "deep.tif", "--out", tmp_path / "out", "--network", network_file, "--no-identify")
    assert process.returncode == 0, process.stderr
    result = tmp_path / "out" / "deep.png"
    assert imagecodecs.png_decode(result.read_bytes()).dtype == np.uint16
    with Image.open(result) as image:
        image.load()
        assert image.info["icc_profile"] == profile


def test_a_finished_run_is_kept_replaced_or_resumed(folder: Path, tmp_path: Path, network_file: Path) -> None:
    words = [
        folder / "grey.png",
        folder / "alpha.png",
        "--network",
        network_file,
        "--out",
        tmp_path / "out",
        "--no-identify",
    ]
    assert upscale(*words).returncode == 0
    refused = upscale(*words)
    assert refused.returncode == 2 and "--resume" in refused.stderr and len(refused.stderr.splitlines()) == 1
    (tmp_path / "out" / "grey.png").write_bytes(b"changed")
    assert upscale(*words, "--overwrite", "--format", "webp", "--scale", "2").returncode == 0
    with Image.open(tmp_path / "out" / "alpha.webp") as image:
        assert image.mode == "RGBA" and image.size == (112, 80)
    assert not list((tmp_path / "out").glob("*.png"))
    done = upscale(*words, "--resume", "--format", "webp", "--scale", "2", "--json")
    assert done.returncode == 0 and "nothing to do" in done.stderr and len(json.loads(done.stdout)["images"]) == 2


def test_an_interrupted_run_continues(
    tmp_path: Path, photo: np.ndarray, network_file: Path, start_command: Start
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(8):
        Image.fromarray(np.rint(photo * 255).astype(np.uint8)).save(tmp_path / "in" / f"{number}.png")
    out = tmp_path / "out"
    words = [tmp_path / "in", "--out", out, "--network", network_file, "--no-identify"]
    running = start_command("upscale", *words)
    parts = out / "parts"
    while len(list(parts.glob("*.json"))) < 2 and running.poll() is None:
        time.sleep(0.05)
    running.kill()
    running.wait()
    assert len(list(parts.glob("*.json"))) > 1 and not (out / "7.png").exists()
    kept = (out / "0.png").stat().st_mtime_ns
    assert upscale(*words, "--resume").returncode == 0
    assert len(list(out.glob("*.png"))) == 8 and (out / "0.png").stat().st_mtime_ns == kept


@pytest.fixture
def three(tmp_path: Path, photo: np.ndarray) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(3):
        Image.fromarray(np.rint(photo[: 24 + number, :24] * 255).astype(np.uint8)).save(
            tmp_path / "in" / f"{number}.png"
        )
    return tmp_path / "in"


@pytest.mark.slow
def test_resuming_adds_deleted_results_and_new_images_only(three: Path, tmp_path: Path, network_file: Path) -> None:
    out = tmp_path / "out"
    words = [three, "--out", out, "--network", network_file, "--no-identify", "--compare"]
    assert upscale(*words).returncode == 0
    expected, kept = (out / "1.png").read_bytes(), (out / "0.png").stat().st_mtime_ns
    (out / "1.png").unlink()
    (out / "compare" / "2.png").unlink()
    Image.new("RGB", (20, 20), (90, 9, 9)).save(three / "0a.png")
    resumed = upscale(*words, "--resume", "--json")
    assert resumed.returncode == 0 and "nothing to do" not in resumed.stderr
    rows = json.loads(resumed.stdout)["images"]
    assert [Path(row["path"]).name for row in rows] == ["0.png", "0a.png", "1.png", "2.png"] and not any(
        row["error"] for row in rows
    )
    assert [row["sha256"] for row in rows] == [sha256(Path(row["path"])) for row in rows]
    assert (
        (out / "1.png").read_bytes() == expected
        and (out / "compare" / "2.png").is_file()
        and (out / "0a.png").is_file()
    )
    assert (out / "0.png").stat().st_mtime_ns == kept and not (out / "parts").exists()
    assert json.loads((out / "upscale.json").read_text())["images"] == rows
    assert "nothing to do" in upscale(*words, "--resume").stderr


def test_what_differs_from_the_run_is_named(three: Path, tmp_path: Path, network_file: Path) -> None:
    out, inside = tmp_path / "out", three.parent
    words = ["--out", out, "--network", network_file, "--no-identify"]
    assert upscale(three, *words).returncode == 0
    results = {path.name: path.read_bytes() for path in out.glob("*.png")}
    other = inside / "other.safetensors"
    save_network(other, SRResNet(channels=8, blocks=3), {"global_residual": "true"})
    (inside / "more").mkdir()
    Image.new("RGB", (20, 20)).save(inside / "more" / "0.png")
    before = (three / "0.png").read_bytes()
    for change, more, message in [
        (lambda: None, ["--tile", "64"], "tile = 256, not 64"),
        (lambda: None, ["--network", other], "network = small (SHA-256"),
        (lambda: None, [inside / "more"], "would be"),
        (lambda: (out / "1.png").write_bytes(b"cut"), [], "1.png is not what was written"),
        (lambda: (out / "1.png").write_bytes(results["1.png"]), [inside / "more"], "would be"),
        (lambda: Image.new("RGB", (20, 20)).save(three / "0.png"), [], "0.png has changed"),
        (lambda: (three / "0.png").unlink(), [], "0.png, not among"),
    ]:
        change()
        refused = upscale(three, *words, *more, "--resume")
        assert refused.returncode == 2 and message in refused.stderr, refused.stderr
        assert refused.stderr.count("\n") == 1 and "{" not in refused.stderr
    (three / "0.png").write_bytes(before)
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == results
    moved = network_file.rename(network_file.with_name("moved.safetensors"))
    assert "nothing to do" in upscale(three, *words, "--network", moved, "--scale", "4", "--resume").stderr
    moved.rename(network_file)


@pytest.mark.parametrize("format", ["tif", "jpg", "webp"])
def test_other_formats_keep_profile_and_exif(folder: Path, tmp_path: Path, network_file: Path, format: str) -> None:
    words = [
        folder / "turned.jpg",
        folder / "alpha.png",
        "--out",
        tmp_path / "out",
        "--network",
        network_file,
        "--no-identify",
    ]
    process = upscale(*words, "--format", format, "--json")
    assert process.returncode == 0, process.stderr
    rows = {Path(row["path"]).stem: row for row in json.loads(process.stdout)["images"]}
    assert (rows["alpha"]["error"] is None) == (format != "jpg")
    assert rows["turned"]["bits"] == 8
    with Image.open(tmp_path / "out" / f"turned.{format}") as image:
        assert image.size == (160, 224) and image.getexif()[0x010F] == "Maker" and image.info["icc_profile"]


def test_a_tiff_does_not_lend_its_layout_to_a_png(tmp_path: Path, photo: np.ndarray, network_file: Path) -> None:
    Image.fromarray(np.rint(photo[:32, :40] * 255).astype(np.uint8)).save(tmp_path / "a.tif", compression="tiff_lzw")
    assert (
        upscale(tmp_path / "a.tif", "--out", tmp_path / "out", "--network", network_file, "--no-identify").returncode
        == 0
    )
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert not {0x0100, 0x0103, 0x0111} & set(image.getexif())


class Fussy(nn.Module):
    """Enlarges by 2, but fails on an image of odd width."""

    scale, channels = 2, 3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[3] % 2:
            raise RuntimeError("odd width")
        return nn.functional.interpolate(x, scale_factor=2)


def test_a_network_that_fails_on_an_image_costs_that_image_only(tmp_path: Path) -> None:
    for name, width in (("even", 32), ("odd", 33)):
        Image.new("RGB", (width, 32), (90, 20, 200)).save(tmp_path / f"{name}.png")
    network = Network("fussy", Fussy(), 2, 3, "Fussy")
    even, odd = ddrscope.upscale(tmp_path, tmp_path / "out", network=network, identify=False).images
    assert even.error is None and (even.width, even.height) == (64, 64)
    assert odd.out is None and odd.error is not None and odd.error.startswith(f"{tmp_path / 'odd.png'}: ")
    assert "odd width" in odd.error


@pytest.mark.slow
def test_the_result_in_python(folder: Path, tmp_path: Path, network_file: Path) -> None:
    sources = [folder / "grey.png", folder / "inner", folder / "broken.png"]
    result = ddrscope.upscale(sources, tmp_path / "out", network=network_file, format="webp", compare=True)
    assert (result.written, result.scale, result.network) == (2, 4, "small") and not result.was_finished
    assert any("8" in note and "`format`=png" in note for note in result.notes)
    table = result.to_frame()
    assert list(table["bits"].dropna()) == [8, 8] and table["type"].notna().sum() == 2
    assert table.set_index("path")["error"].dropna().index.tolist() == [str(folder / "broken.png")]
    assert "grey.png" in result._repr_html_()
    loaded = UpscalingResult.load(tmp_path / "out")
    assert loaded.images == result.images
    index = [image.path for image in result.images].index(str(folder / "inner" / "deep.png"))
    assert len(loaded.plot(index).axes) == 4
    with pytest.raises(InputError, match="was not upscaled"):
        loaded.plot([image.path for image in result.images].index(str(folder / "broken.png")))
    with pytest.raises(InputError, match="resume"):
        ddrscope.upscale(sources, tmp_path / "out", network=network_file)
    again = ddrscope.upscale(sources, tmp_path / "out", network=network_file, format="webp", compare=True, resume=True)
    assert again.was_finished and again.images == result.images
    with pytest.raises(InputError, match="holds no finished result"):
        UpscalingResult.load(folder)


def test_results_are_no_sources_and_reserved_folders_are_refused(
    tmp_path: Path, folder: Path, network_file: Path
) -> None:
    (tmp_path / "compare").mkdir()
    Image.open(folder / "grey.png").save(tmp_path / "compare" / "a.png")
    words = ["--network", network_file, "--no-identify"]
    mixed = upscale(tmp_path, "--out", tmp_path / "out", *words)
    assert mixed.returncode == 2 and "called 'compare'" in mixed.stderr
    (tmp_path / "compare").rename(tmp_path / "fine")
    assert upscale(tmp_path, "--out", tmp_path / "out", *words).returncode == 0
    again = upscale(tmp_path, "--out", tmp_path / "out", *words, "--overwrite", "--json")
    assert [Path(row["path"]).name for row in json.loads(again.stdout)["images"]] == ["a.png"]
    within = upscale(tmp_path, "--out", tmp_path, *words)
    assert within.returncode == 2 and "choose an --out elsewhere" in within.stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["--scale", "3"], "--scale 3"),
        (["--format", "bmp"], "choose png, jpg, webp, tif"),
        (["--tile", "100"], "multiples of 8"),
        (["--precision", "float16"], "choose auto, float32, bfloat16"),
        (["--explain"], "a guided network is needed"),
        (["--network", "efficientnet-lite0"], "no images"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    folder: Path, tmp_path: Path, network_file: Path, words: list[str], message: str
) -> None:
    process = upscale(
        folder / "grey.png", "--out", tmp_path / "out", "--no-identify", "--network", network_file, *words
    )
    assert process.returncode == 2 and message in process.stderr and len(process.stderr.splitlines()) == 1, (
        process.stderr
    )


def test_nothing_but_broken_files(folder: Path, tmp_path: Path, network_file: Path) -> None:
    process = upscale(folder / "broken.png", "--out", tmp_path / "out", "--network", network_file, "--no-identify")
    assert process.returncode == 2 and "no image could be upscaled" in process.stderr


@pytest.mark.slow
def test_the_embeddings_of_known_degradations_are_mapped_and_drawn(
    folder: Path, tmp_path: Path, network_file: Path, photo: np.ndarray
) -> None:
    known = map_embeddings(NETWORKS["guided"])
    assert known.plane.points.shape == (16 * len(KNOWN_DEGRADATIONS), 2)
    assert known.plane.degradations.count("clean") == 16
    assert known.project(known.embed(photo[:64, :80])).shape == (8 * 10, 2)
    guide = network_file.with_name("guided.safetensors")
    process = upscale(
        folder / "turned.jpg", "--out", tmp_path / "out", "--network", guide, "--explain", "--no-identify"
    )
    assert process.returncode == 0, process.stderr
    with Image.open(tmp_path / "out" / "explain" / "turned.png") as image:
        assert image.size == (825, 550)


def test_detail_is_where_neighbours_differ() -> None:
    pixels = np.zeros((60, 90, 3), np.float32)
    pixels[30:50, 60:80] = np.random.default_rng(0).random((20, 20, 3))
    window = most_detailed_window(pixels, 20)
    assert window.of(pixels).shape == (20, 20, 3) and abs(window.top - 30) <= 2 and abs(window.left - 60) <= 2
    whole = most_detailed_window(pixels, 500)
    assert (whole.top, whole.left, whole.height, whole.width) == (0, 0, 60, 90)
    assert whole.scaled(2).height == 120
