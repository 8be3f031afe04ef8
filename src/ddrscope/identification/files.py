"""Identifiers on disk: one safetensors file, its settings in the metadata; nothing in it is ever run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ddrscope.errors import InputError, printable
from ddrscope.features.device import resolve_device
from ddrscope.features.precision import check_precision
from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.head import Head, HeadSettings
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.io.files import atomic_write, is_file
from ddrscope.io.paths import expand_path
from ddrscope.networks import load_named_network
from ddrscope.networks.checkpoints.safety import AllocationLimit

FORMAT = "ddrscope identifier 1"
# Read once an image and small; float16 would move them.
EXACT = ("calibration", "widening", "fitted_clean_share", "centers", "reaches", "novelty.known")
# What each part of the descriptor is reduced by.
PART = ("centers", "bases", "reaches")


def bundled_identifier() -> Path:
    """The identifier that comes with the package."""
    return Path(__file__).resolve().parents[1] / "data" / "identifier.safetensors"


def save_identifier(path: Path, fitted: ImageIdentifier) -> None:
    """Write a fitted identifier, atomically; weights in float16."""
    one, network = fitted.identifier, fitted.descriptor.network
    tensors = {
        "calibration": one.calibration_,
        "widening": one.widening_,
        "fitted_clean_share": one.fitted_clean_share_,
        "novelty.known": one.novelty_.known_,
        "novelty.spread": one.novelty_.spread_,
        "novelty.centers": one.novelty_.centers_,
    }
    for index, part in enumerate(zip(one.centers_, one.bases_, one.reaches_, strict=True)):
        tensors |= {f"{name}.{index}": value for name, value in zip(PART, part, strict=True)}
    for index, head in enumerate(one.heads_):
        tensors |= {f"heads.{index}.{key}": value for key, value in head.state_dict().items()}
    settings = {
        "network": network.source
        if Path(network.source).is_file() and not _is_bundled(network.source)
        else network.name,
        "sha256": network.sha256,
        "poolings": {layer: list(names) for layer, names in fitted.descriptor.poolings.items()},
        "types": list(one.types),
        "groups": dict(fitted.groups),
        "parts": list(one.parts) if one.parts else None,
        "components": one.components,
        "folds": one.folds,
        "clean_share": one.clean_share,
        "seed": one.seed,
        "head": dataclasses.asdict(one.head or HeadSettings()),
        "about": dict(fitted.about),
    }
    kept = {
        key: (value.float() if key.startswith(EXACT) else value.half()).contiguous() for key, value in tensors.items()
    }
    with atomic_write(path) as temporary:
        save_file(kept, temporary, {"format": FORMAT, "settings": json.dumps(settings)})


def load_identifier(
    path: str | Path | None = None, device: str = "auto", precision: str = "float32"
) -> ImageIdentifier:
    """Read an identifier, by default the bundled one; `InputError` for any other file, or where its network is missing."""
    check_precision(precision)
    path = expand_path(path or bundled_identifier())
    tensors, settings = _read(path)
    network = load_named_network(settings.get("network"), f"{path}: network")
    if network.sha256 != settings.get("sha256"):
        raise InputError(
            f"{path} was fitted to another {settings['network']} than the one here: fit it anew (ddrscope fit-identifier)"
        )
    network.to(resolve_device(device))
    try:
        identifier = _identifier(tensors, settings)
        descriptor = Descriptor(network, settings["poolings"], precision)  # type: ignore[arg-type]
        return ImageIdentifier(descriptor, identifier, settings["groups"], settings["about"])
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        said = f"{type(error).__name__}: {printable(str(error))[:300]}"
        raise InputError(f"{path} is incomplete ({said}): make it anew with ddrscope fit-identifier") from None


def _identifier(tensors: dict[str, Tensor], settings: dict[str, Any]) -> DistortionIdentifier:
    _check_settings(settings)
    one = DistortionIdentifier(
        settings["types"],
        parts=settings["parts"],
        components=settings["components"],
        folds=settings["folds"],
        clean_share=settings["clean_share"],
        head=HeadSettings(**settings["head"]),
        seed=settings["seed"],
    )
    count = len(one.parts or [0])
    one.centers_, one.bases_, one.reaches_ = ([tensors[f"{name}.{index}"] for index in range(count)] for name in PART)
    one.calibration_, one.widening_ = tensors["calibration"], tensors["widening"]
    one.fitted_clean_share_ = tensors["fitted_clean_share"]
    with AllocationLimit(tensors.values()):
        one.heads_ = [_head(tensors, index, one) for index in range(one.folds)]
    one.novelty_ = NoveltyMeasure()
    one.novelty_.known_, one.novelty_.spread_, one.novelty_.centers_ = (
        tensors[f"novelty.{part}"] for part in ("known", "spread", "centers")
    )
    return one


def _check_settings(settings: dict[str, Any]) -> None:
    kinds = {"types": list, "groups": dict, "poolings": dict, "about": dict, "folds": int, "clean_share": float}
    for key, kind in kinds.items():
        if not isinstance(settings[key], kind):
            raise TypeError(f"{key} is no {kind.__name__}")
    if not all(isinstance(text, str) for text in [*settings["types"], *settings["groups"].values()]):
        raise TypeError("types and groups are texts")
    if settings["folds"] < 1 or not 0 < settings["clean_share"] < 1:
        raise ValueError("folds or clean_share out of range")


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not is_file(path):
        raise InputError(f"{path}: no such file; make an identifier with ddrscope fit-identifier")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(f"{path} holds no identifier: make one with ddrscope fit-identifier")
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118  (no mapping)
            settings = json.loads(metadata["settings"])
            if not isinstance(settings, dict):
                raise ValueError("its settings are no table")
            return tensors, settings
    except InputError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as an identifier: {printable(str(error))}") from None


def _head(tensors: dict[str, Tensor], index: int, one: DistortionIdentifier) -> Head:
    prefix = f"heads.{index}."
    head = Head(sum(basis.shape[1] for basis in one.bases_), len(one.types), one.head or HeadSettings())
    head.load_state_dict({key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)})
    return head.eval()


def _is_bundled(source: str) -> bool:
    return Path(source).resolve().is_relative_to(Path(__file__).resolve().parents[1])
