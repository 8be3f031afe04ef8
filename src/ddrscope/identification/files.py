"""Identifiers on disk: a safetensors file with the settings in its metadata. Nothing in it is run."""

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
from ddrscope.identification.calibration import PresenceCalibration
from ddrscope.identification.descriptor import Descriptor
from ddrscope.identification.head import Head, HeadSettings
from ddrscope.identification.identifier import DistortionIdentifier
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.novelty import NoveltyMeasure
from ddrscope.io.files import atomic_write, is_file
from ddrscope.io.paths import expand_path
from ddrscope.networks import Network, load_named_network
from ddrscope.networks.checkpoints.safety import AllocationLimit

FORMAT = "ddrscope identifier 1"
# Small tensors whose digits matter; all others are written as float16.
FLOAT32 = ("calibration", "widening", "fitted_clean_share", "centers", "reaches", "novelty.known")
# Attributes of the identifier with one tensor for each part of the descriptor, and their names in the file.
PART_TENSORS = {"centers": "centers_", "bases": "bases_", "reaches": "clip_limits_"}
NOVELTY_TENSORS = {"known": "known_", "spread": "spread_", "centers": "centers_"}
# The one setting of a head that has another name in the file.
EPOCHS, EPOCHS_IN_FILE = "epochs", "passes"
REMEDY = "fit one with `fit_identifier`"


def bundled_identifier() -> Path:
    """The identifier that comes with the package."""
    return Path(__file__).resolve().parents[1] / "data" / "identifier.safetensors"


def save_identifier(path: str | Path, fitted: ImageIdentifier) -> Path:
    """Write an identifier, atomically; weights in float16. Returns the path.

    Args:
        path: The file, .safetensors.
        fitted: The identifier. The file names its network by SHA-256 and does not contain it.
    """
    path = expand_path(path)
    tensors = {
        key: (value.float() if key.startswith(FLOAT32) else value.half()).contiguous()
        for key, value in _tensors(fitted.identifier).items()
    }
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, {"format": FORMAT, "settings": json.dumps(_settings(fitted))})
    return path


def load_identifier(
    path: str | Path | None = None, device: str = "auto", precision: str = "float32"
) -> ImageIdentifier:
    """Load an identifier.

    Args:
        path: A file that `ddrscope.fit_identifier` wrote. Default: the bundled identifier of 24 distortions.
        device: Where its network runs: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``mps`` ...
        precision: In which its network is run: ``float32``, ``bfloat16`` or ``auto``.

    Raises:
        InputError: The file is not an identifier, or its network is missing or has other weights.

    Examples:
        >>> identifier = ddrscope.load_identifier()
        >>> identifier.identify(pixels).type  # pixels: float32 (H, W, 3) in 0..1
        'jpeg'
    """
    check_precision(precision)
    path = expand_path(path or bundled_identifier())
    tensors, settings = _read(path)
    network = load_named_network(settings.get("network"), f"{path}: network")
    if network.sha256 != settings.get("sha256"):
        raise InputError(f"{path} was fitted to another {settings['network']} than the one here: {REMEDY}")
    network.to(resolve_device(device))
    try:
        identifier = _identifier(tensors, settings)
        descriptor = Descriptor(network, settings["poolings"], precision)  # type: ignore[arg-type]
        return ImageIdentifier(descriptor, identifier, settings["groups"], settings["about"])
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {printable(str(error))[:300]}"
        raise InputError(f"{path} is incomplete ({reason}): {REMEDY}") from None


def _tensors(identifier: DistortionIdentifier) -> dict[str, Tensor]:
    """The fitted attributes by their names in the file."""
    tensors = {
        "calibration": identifier.calibration_.weights,
        "widening": identifier.widening_,
        "fitted_clean_share": identifier.calibration_.fitted_clean_share,
    }
    tensors |= {f"novelty.{name}": getattr(identifier.novelty_, key) for name, key in NOVELTY_TENSORS.items()}
    for name, key in PART_TENSORS.items():
        tensors |= {f"{name}.{index}": value for index, value in enumerate(getattr(identifier, key))}
    for index, head in enumerate(identifier.heads_):
        tensors |= {f"heads.{index}.{key}": value for key, value in head.state_dict().items()}
    return tensors


def _settings(fitted: ImageIdentifier) -> dict[str, Any]:
    identifier, network = fitted.identifier, fitted.descriptor.network
    head = dataclasses.asdict(identifier.head or HeadSettings())
    return {
        "network": _network_reference(network),
        "sha256": network.sha256,
        "poolings": {layer: list(names) for layer, names in fitted.descriptor.poolings.items()},
        "types": list(identifier.types),
        "groups": dict(fitted.groups),
        "parts": list(identifier.parts) if identifier.parts else None,
        "components": identifier.components,
        "folds": identifier.folds,
        "clean_share": identifier.clean_share,
        "seed": identifier.seed,
        "head": {EPOCHS_IN_FILE if key == EPOCHS else key: value for key, value in head.items()},
        "about": dict(fitted.about),
    }


def _network_reference(network: Network) -> str:
    """The path of a network's file, or the name of a bundled network, whose path differs between installations."""
    source = Path(network.source)
    bundled = source.resolve().is_relative_to(Path(__file__).resolve().parents[1])
    return network.source if source.is_file() and not bundled else network.name


def _identifier(tensors: dict[str, Tensor], settings: dict[str, Any]) -> DistortionIdentifier:
    _check_settings(settings)
    head = {EPOCHS if key == EPOCHS_IN_FILE else key: value for key, value in settings["head"].items()}
    identifier = DistortionIdentifier(
        settings["types"],
        parts=settings["parts"],
        components=settings["components"],
        folds=settings["folds"],
        clean_share=settings["clean_share"],
        head=HeadSettings(**head),
        seed=settings["seed"],
    )
    count = len(identifier.parts or [0])
    for name, key in PART_TENSORS.items():
        setattr(identifier, key, [tensors[f"{name}.{index}"] for index in range(count)])
    identifier.calibration_ = PresenceCalibration(tensors["calibration"], tensors["fitted_clean_share"])
    identifier.widening_ = tensors["widening"]
    with AllocationLimit(tensors.values()):
        identifier.heads_ = [_head(tensors, index, identifier) for index in range(identifier.folds)]
    identifier.novelty_ = NoveltyMeasure()
    for name, key in NOVELTY_TENSORS.items():
        setattr(identifier.novelty_, key, tensors[f"novelty.{name}"])
    return identifier


def _check_settings(settings: dict[str, Any]) -> None:
    kinds = {"types": list, "groups": dict, "poolings": dict, "about": dict, "folds": int, "clean_share": float}
    for key, kind in kinds.items():
        if not isinstance(settings[key], kind):
            raise TypeError(f"{key} is no {kind.__name__}")
    if not all(isinstance(text, str) for text in [*settings["types"], *settings["groups"].values()]):
        raise TypeError("types and groups are texts")
    if settings["folds"] < 1 or not 0 < settings["clean_share"] < 1:
        raise ValueError("folds or clean_share out of range")
    if not isinstance(settings["head"], dict):
        raise TypeError("head is no dict")


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not is_file(path):
        raise InputError(f"{path}: no such file; {REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(f"{path} holds no identifier: {REMEDY}")
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118  (not a mapping)
            settings = json.loads(metadata["settings"])
            if not isinstance(settings, dict):
                raise ValueError("its settings are no table")
            return tensors, settings
    except InputError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as an identifier: {printable(str(error))}") from None


def _head(tensors: dict[str, Tensor], index: int, identifier: DistortionIdentifier) -> Head:
    prefix = f"heads.{index}."
    size = sum(basis.shape[1] for basis in identifier.bases_)
    head = Head(size, len(identifier.types), identifier.head or HeadSettings())
    head.load_state_dict({key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)})
    return head.eval()
