"""Enlarging files: tiles, depth, transparency, profiles, EXIF, and the command as a person uses it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from torch import nn

from ddrscope.cli import main
from ddrscope.errors import InputError
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.io.files import sha256
from ddrscope.networks import DegradationGuide, GuidedSRResNet, Network, SRResNet, load_network, save_network
from ddrscope.progress import NullProgress
from ddrscope.upscaling import UpscaleRun, enlarge, map_embeddings, read_source_image
from ddrscope.upscaling.embedding_map import KNOWN
from ddrscope.upscaling.tiling import OVERLAP
from ddrscope.viz.upscaling import _place_of_detail

DDRSCOPE = [str(Path(sys.executable).with_name("ddrscope"))]
sides = st.integers(9, 120)


def upscale(*words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*DDRSCOPE, "upscale", *map(str, words)], capture_output=True, text=True, env=environment, timeout=300
    )


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


@pytest.mark.parametrize("name", NETWORKS)
@settings(deadline=None, max_examples=12)
@given(height=sides, width=sides, scale=st.sampled_from([2, 4]), tile=st.sampled_from([16, 48, 64]))
def test_tiles_make_what_the_whole_makes(
    name: str, photo: np.ndarray, height: int, width: int, scale: int, tile: int
) -> None:
    pixels = photo[:height, :width]
    whole = enlarge(NETWORKS[name], pixels, scale, bits=16, tile=4096).astype(int)
    tiled = enlarge(NETWORKS[name], pixels, scale, bits=16, tile=tile).astype(int)
    assert whole.shape == (height * scale, width * scale, 3)
    # Of 65535, a thirtieth of a step of 8 bits: rounding.
    assert np.abs(whole - tiled).max() <= 8


@pytest.mark.parametrize("kind", ["plain", "guided"])
def test_the_default_overlap_holds_sixteen_blocks(photo: np.ndarray, kind: str) -> None:
    """And sixteen blocks of a guide; weights so large that far pixels count: eight pixels are not enough."""
    torch.manual_seed(0)
    network = SRResNet(channels=4, blocks=16)
    for block in network.body.modules():
        if isinstance(block, nn.Conv2d):
            block.weight.data.mul_(3)
    guide = load_network("srgan-wgr").module
    assert isinstance(guide, SRResNet)
    module: nn.Module = network
    if kind == "guided":
        module = GuidedSRResNet(network, DegradationGuide.cut_from(guide, 16))
        nn.init.normal_(module.modulate.weight, std=0.1)  # type: ignore[attr-defined, union-attr, arg-type]
    one = Network(kind, module, 4, 3, kind, minimum_size=2)
    pixels = photo[:16, :192]
    whole, tiled, narrow = (
        enlarge(one, pixels, bits=16, tile=tile, overlap=overlap).astype(int)
        for tile, overlap in ((4096, OVERLAP), (64, OVERLAP), (64, 8))
    )
    assert np.abs(whole - tiled).max() <= 8 and np.abs(whole - narrow).max() > 100


def test_windows_of_a_network_begin_where_they_do_in_the_whole(photo: np.ndarray) -> None:
    class Windows(nn.Module):
        """The mean of each window of 32 pixels."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.interpolate(nn.functional.avg_pool2d(x, 32), scale_factor=32)

    one = Network("windows", Windows(), 1, 3, "Windows", size_multiple=32)
    pixels = photo[:96, :160]
    assert np.array_equal(enlarge(one, pixels, tile=64), enlarge(one, pixels, tile=4096))


def test_tiles_without_overlap_leave_seams(photo: np.ndarray) -> None:
    """The test above could fail."""
    whole, tiled = (
        enlarge(NETWORKS["plain"], photo[:96, :96], bits=16, tile=tile, overlap=0).astype(int) for tile in (4096, 48)
    )
    assert np.abs(whole - tiled).max() > 1000


def test_the_whole_image_is_what_the_network_makes(photo: np.ndarray) -> None:
    with torch.inference_mode():
        expected = (
            NETWORKS["plain"](torch.from_numpy(photo[:40, :56]).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
        )
    assert np.array_equal(
        enlarge(NETWORKS["plain"], photo[:40, :56]), np.rint(expected.clip(0, 1) * 255).astype(np.uint8)
    )


@pytest.mark.parametrize("scale, said", [(3, "--scale may be 1, 2, 4"), (8, "--scale may be 1, 2, 4")])
def test_a_scale_that_cannot_be_made_is_refused(photo: np.ndarray, scale: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        enlarge(NETWORKS["plain"], photo, scale)


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
def done(
    folder: Path, network_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("out") / "large"
    return out, upscale(folder, "--out", out, "--network", network_file, "--compare", "--json")


def test_a_folder_gives_all_but_the_broken(folder: Path, done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
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
    assert rows["grey.png"]["found"]["type"] == "hsv_saturation"


def test_depth_transparency_profile_and_exif_stay(
    folder: Path, done: tuple[Path, subprocess.CompletedProcess[str]], network_file: Path
) -> None:
    out, _ = done
    turned = Image.open(out / "turned.png")
    assert turned.size == (160, 224) and turned.getexif()[0x0112] == 1 and turned.getexif()[0x010F] == "Maker"
    assert turned.getexif().get_ifd(0x8769)[0xA002] == 160
    assert turned.info["icc_profile"] == Image.open(folder / "turned.jpg").info["icc_profile"]
    assert Image.open(out / "grey.png").mode == "L" and Image.open(out / "alpha.png").mode == "RGBA"
    alpha = np.asarray(Image.open(out / "alpha.png"))[..., 3].astype(int)
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
    made = tmp_path / "out" / "deep.png"
    assert imagecodecs.png_decode(made.read_bytes()).dtype == np.uint16
    with Image.open(made) as image:
        image.load()
        assert image.info["icc_profile"] == profile


def test_a_run_goes_on_and_keeps_what_is_there(folder: Path, tmp_path: Path, network_file: Path) -> None:
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


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, photo: np.ndarray, network_file: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(8):
        Image.fromarray(np.rint(photo * 255).astype(np.uint8)).save(tmp_path / "in" / f"{number}.png")
    words = [
        *DDRSCOPE,
        "upscale",
        tmp_path / "in",
        "--out",
        tmp_path / "out",
        "--network",
        network_file,
        "--no-identify",
    ]
    running = subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    parts = tmp_path / "out" / "parts"
    for _ in range(1200):
        if len(list(parts.glob("*.json"))) > 1 or running.poll() is not None:
            break
        time.sleep(0.05)
    running.kill()
    running.wait()
    assert len(list(parts.glob("*.json"))) > 1 and not (tmp_path / "out" / "7.png").exists()
    kept = (tmp_path / "out" / "0.png").stat().st_mtime_ns
    assert upscale(*words[2:], "--resume").returncode == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 8 and (tmp_path / "out" / "0.png").stat().st_mtime_ns == kept


def upscale_here(*words: object) -> tuple[int, str, str]:
    """The command in this process: its exit code and what it says."""
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors), pytest.raises(SystemExit) as stop:
        main(["upscale", *map(str, words)])
    return int(stop.value.code or 0), out.getvalue(), errors.getvalue()


@pytest.fixture
def three(tmp_path: Path, photo: np.ndarray) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(3):
        Image.fromarray(np.rint(photo[: 24 + number, :24] * 255).astype(np.uint8)).save(
            tmp_path / "in" / f"{number}.png"
        )
    return tmp_path / "in"


def test_resuming_makes_deleted_results_again_and_new_images_and_no_others(
    three: Path, tmp_path: Path, network_file: Path
) -> None:
    out = tmp_path / "out"
    words = [three, "--out", out, "--network", network_file, "--no-identify", "--compare"]
    assert upscale_here(*words)[0] == 0
    wanted, kept = (out / "1.png").read_bytes(), (out / "0.png").stat().st_mtime_ns
    (out / "1.png").unlink()
    (out / "compare" / "2.png").unlink()
    Image.new("RGB", (20, 20), (90, 9, 9)).save(three / "0a.png")
    code, printed, errors = upscale_here(*words, "--resume", "--json")
    assert code == 0 and "nothing to do" not in errors
    rows = json.loads(printed)["images"]
    assert [Path(row["path"]).name for row in rows] == ["0.png", "0a.png", "1.png", "2.png"] and not any(
        row["error"] for row in rows
    )
    assert [row["sha256"] for row in rows] == [sha256(Path(row["path"])) for row in rows]
    assert (
        (out / "1.png").read_bytes() == wanted and (out / "compare" / "2.png").is_file() and (out / "0a.png").is_file()
    )
    assert (out / "0.png").stat().st_mtime_ns == kept and not (out / "parts").exists()
    assert json.loads((out / "upscale.json").read_text())["images"] == rows
    assert "nothing to do" in upscale_here(*words, "--resume")[2]


def test_what_differs_from_the_run_is_named(three: Path, tmp_path: Path, network_file: Path) -> None:
    out, inside = tmp_path / "out", three.parent
    words = ["--out", out, "--network", network_file, "--no-identify"]
    assert upscale_here(three, *words)[0] == 0
    results = {path.name: path.read_bytes() for path in out.glob("*.png")}
    other = inside / "other.safetensors"
    save_network(other, SRResNet(channels=8, blocks=3), {"global_residual": "true"})
    (inside / "more").mkdir()
    Image.new("RGB", (20, 20)).save(inside / "more" / "0.png")
    before = (three / "0.png").read_bytes()
    for change, more, said in [
        (lambda: None, ["--tile", "64"], "tile = 256, not 64"),
        (lambda: None, ["--network", other], "network = small (SHA-256"),
        (lambda: None, [inside / "more"], "would be"),
        (lambda: (out / "1.png").write_bytes(b"cut"), [], "1.png is not what was written"),
        (lambda: (out / "1.png").write_bytes(results["1.png"]), [inside / "more"], "would be"),
        (lambda: Image.new("RGB", (20, 20)).save(three / "0.png"), [], "0.png has changed"),
        (lambda: (three / "0.png").unlink(), [], "0.png, not among"),
    ]:
        change()
        code, _, errors = upscale_here(three, *words, *more, "--resume")
        assert code == 2 and said in errors and errors.count("\n") == 1 and "{" not in errors, errors
    (three / "0.png").write_bytes(before)
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == results
    moved = network_file.rename(network_file.with_name("moved.safetensors"))
    assert "nothing to do" in upscale_here(three, *words, "--network", moved, "--scale", "4", "--resume")[2]
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


def test_a_network_that_fails_costs_the_row(tmp_path: Path) -> None:
    for name, width in (("even", 32), ("odd", 33)):
        Image.new("RGB", (width, 32), (90, 20, 200)).save(tmp_path / f"{name}.png")
    run = UpscaleRun(Network("fussy", Fussy(), 2, 3, "Fussy"), find_images([tmp_path]), tmp_path / "out")
    even, odd = (run.one(file, NullProgress()) for file in run.files)
    assert even["error"] is None and even["width"] == 64
    assert odd["out"] is None and odd["error"] == f"{tmp_path / 'odd.png'}: not enlarged: odd width"


def test_results_are_no_sources_and_folders_are_not_mixed_up(tmp_path: Path, folder: Path, network_file: Path) -> None:
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
    "words, said",
    [
        (["--scale", "3"], "--scale may be"),
        (["--format", "bmp"], "choose png, jpg, webp, tif"),
        (["--tile", "100"], "multiples of 8"),
        (["--precision", "float16"], "choose auto, float32, bfloat16"),
        (["--explain"], "only a guided one"),
        (["--network", "efficientnet-lite0"], "no images"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    folder: Path, tmp_path: Path, network_file: Path, words: list[str], said: str
) -> None:
    process = upscale(
        folder / "grey.png", "--out", tmp_path / "out", "--no-identify", "--network", network_file, *words
    )
    assert process.returncode == 2 and said in process.stderr and len(process.stderr.splitlines()) == 1, process.stderr


def test_nothing_but_broken_files(folder: Path, tmp_path: Path, network_file: Path) -> None:
    process = upscale(folder / "broken.png", "--out", tmp_path / "out", "--network", network_file, "--no-identify")
    assert process.returncode == 2 and "no image could be enlarged" in process.stderr


def test_the_embedding_of_known_degradations_is_mapped_and_drawn(
    folder: Path, tmp_path: Path, network_file: Path, photo: np.ndarray
) -> None:
    known = map_embeddings(NETWORKS["guided"])
    assert known.points.shape == (16 * len(KNOWN), 2) and known.damages.count("clean") == 16
    assert known.place(photo[:64, :80]).shape == (8 * 10, 2)
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
    top, left, size = _place_of_detail(pixels, 20)
    assert size == (20, 20) and abs(top - 30) <= 2 and abs(left - 60) <= 2
    assert _place_of_detail(pixels, 500) == (0, 0, (60, 90))
