"""`ddrscope.fit_identifier` and its command: photographs that are distorted here, labelled images, resumed runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import ddrscope
from commands import call_command
from ddrscope.degradations import parse_degradation
from ddrscope.degradations.distortions import Distortion
from ddrscope.errors import InputError, RunConflictError
from ddrscope.images import bundled_photos, find_images, read_image
from ddrscope.progress import NullProgress

SOFT = Distortion("soft", "blur", tuple((f"blur:{level}",) for level in range(1, 6)))
TOML = '[[distortion]]\nname = "soft"\ngroup = "blur"\nlevels = ["blur:1", "blur:2", "blur:3", "blur:4", "blur:5"]\n'


def photographs(folder: Path) -> Path:
    """Four photographs."""
    folder.mkdir()
    for name in ("astronaut", "camera", "coffee", "wine"):
        Image.open(bundled_photos() / f"{name}__1.png").crop((0, 0, 128, 128)).save(folder / f"{name}.png")
    return folder


class Stop(NullProgress):
    """Interrupts a run when it has kept a part of its work."""

    def advance(self, count: int = 1) -> None:
        raise KeyboardInterrupt


def tensors(path: Path) -> dict[str, np.ndarray]:
    with safe_open(path, framework="np") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)


@pytest.mark.slow
def test_an_interrupted_fit_continues_to_the_same_identifier(tmp_path: Path, small_network: Path) -> None:
    images = photographs(tmp_path / "a")
    options: dict = {"network": small_network, "distortions": [SOFT], "repeats": 2, "pairs": 0, "side": 64}
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        ddrscope.fit_identifier(images, out=out, progress=Stop(), **options)
    assert list((tmp_path / "x.safetensors.parts" / "parts").glob("*.npz")) and not out.exists()
    with pytest.raises(RunConflictError, match="side = 64, not 96"):
        ddrscope.fit_identifier(images, out=out, resume=True, **options | {"side": 96})
    fitted = ddrscope.fit_identifier(images, out=out, resume=True, **options)
    assert fitted.names == ("clean", "soft") and fitted.groups == {"soft": "blur"}
    assert fitted.about["photographs"] == ["astronaut", "camera", "coffee", "wine"] and fitted.about["images"] == 80
    in_memory = ddrscope.fit_identifier(images, **options)
    uninterrupted = tensors(ddrscope.save_identifier(tmp_path / "y.safetensors", in_memory))
    for name, tensor in tensors(out).items():
        np.testing.assert_array_equal(tensor, uninterrupted[name], err_msg=name)


def test_other_photographs_are_another_run(tmp_path: Path, small_network: Path) -> None:
    options: dict = {"network": small_network, "distortions": [SOFT], "repeats": 1, "pairs": 0, "side": 64}
    out = tmp_path / "x.safetensors"
    with pytest.raises(KeyboardInterrupt):
        ddrscope.fit_identifier(photographs(tmp_path / "a"), out=out, progress=Stop(), **options)
    others = photographs(tmp_path / "b")
    Image.open(others / "wine.png").rotate(180).save(others / "wine.png")
    with pytest.raises(RunConflictError, match="images"):
        ddrscope.fit_identifier(others, out=out, resume=True, **options)


@pytest.mark.slow
def test_labelled_images_on_the_command_line(tmp_path: Path, small_network: Path) -> None:
    for file in find_images([bundled_photos()])[:8]:
        for kind, text in (("clean", "clean"), ("worn", "noise:25")):
            target = tmp_path / "scans" / kind / f"{Path(file.name).stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            pixels = parse_degradation(text).apply(read_image(file).pixels[:136, :136])
            Image.fromarray((pixels * 255).round().astype(np.uint8)).save(target)
    out = tmp_path / "worn.safetensors"
    words = ["fit-identifier", "--labelled", tmp_path / "scans", "--network", small_network, "--out", out]
    assert call_command(*words).returncode == 0 and ddrscope.load_identifier(out).names == ("clean", "worn")
    written = out.read_bytes()
    assert call_command(*words).returncode == 2
    again = call_command(*words, "--resume")
    assert again.returncode == 0 and "nothing to do" in again.stderr

    def is_refused(reason: str, *more: str) -> bool:
        done = call_command(*words, *more, "--resume")
        return done.returncode == 2 and reason in done.stderr

    assert is_refused("clean_share = 0.5, not 0.25", "--clean-share=0.25")
    assert is_refused("network = small", "--network=srresnet-wgr")
    changed = tmp_path / "scans" / "worn" / target.name
    Image.new("RGB", (136, 136)).save(changed)
    assert is_refused(target.name)
    changed.unlink()
    assert is_refused(target.name)
    assert out.read_bytes() == written


@pytest.mark.slow
def test_distortions_and_labelled_images_together(tmp_path: Path, small_network: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML)
    labelled = tmp_path / "labelled"
    photographs(tmp_path / "a")
    (labelled / "jpeg").mkdir(parents=True)
    Image.open(tmp_path / "a" / "wine.png").save(labelled / "jpeg" / "wine.png")
    fitted = ddrscope.fit_identifier(
        tmp_path / "a",
        labelled=labelled,
        distortions=tmp_path / "mine.toml",
        network=small_network,
        repeats=1,
        pairs=0,
        side=64,
    )
    assert fitted.groups == {"soft": "blur", "jpeg": "compression"}


def test_what_cannot_be_fitted_is_refused(tmp_path: Path, small_network: Path) -> None:
    images = photographs(tmp_path / "a")
    with pytest.raises(InputError, match="give `images`"):
        ddrscope.fit_identifier(network=small_network)
    with pytest.raises(InputError, match="`out`"):
        ddrscope.fit_identifier(images, out=tmp_path / "x.pth", network=small_network)
    with pytest.raises(InputError, match="3 photograph"):
        ddrscope.fit_identifier(sorted(images.iterdir())[:3], network=small_network)
    (tmp_path / "labelled" / "worn").mkdir(parents=True)
    (images / "wine.png").rename(tmp_path / "labelled" / "worn" / "wine.png")
    with pytest.raises(InputError, match="no clean images"):
        ddrscope.fit_identifier(labelled=tmp_path / "labelled", network=small_network)
    with pytest.raises(InputError, match="`photo_from`"):
        ddrscope.fit_identifier(labelled=tmp_path / "labelled", network=small_network, photo_from="folder")
    assert not list(tmp_path.glob("x*"))
