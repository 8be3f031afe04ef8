"""Identifiers on disk: a safetensors file with the settings in its metadata. Nothing in it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ddrscope.errors import InputError, printable
from ddrscope.features.precision import check_precision
from ddrscope.identification.image_identifier import ImageIdentifier
from ddrscope.identification.stored_parts import (
    load_classifier,
    load_descriptor,
    store_classifier,
    store_descriptor,
)
from ddrscope.io.files import atomic_write, is_file
from ddrscope.io.paths import expand_path

FORMAT = "ddrscope identifier 1"
# Small tensors whose digits matter; all others are written as float16.
FLOAT32 = (
    "calibration", "widening", "estimate_stretch", "fitted_clean_share", "centers", "reaches", "novelty.known",
)  # fmt: skip
REMEDY = "fit one with `fit_identifier`"
# What the bundled identifiers read: a compact network of their own, or the features of a super-resolution network.
COMPACT, DDR = "compact", "ddr"
DESCRIPTORS = (COMPACT, DDR)


def bundled_identifier(descriptor: str = COMPACT) -> Path:
    """An identifier that comes with the package.

    Args:
        descriptor: What it reads: ``compact``, a small network trained to identify distortions, or ``ddr``, the features of
            a super-resolution network that was trained on undegraded images only.

    Raises:
        InputError: There is no such descriptor.
    """
    if descriptor not in DESCRIPTORS:
        raise InputError(f"`descriptor`={descriptor} is unknown: give {' or '.join(DESCRIPTORS)}")
    return Path(__file__).resolve().parents[1] / "data" / f"identifier-{descriptor}.safetensors"


def save_identifier(path: str | Path, fitted: ImageIdentifier) -> Path:
    """Write an identifier, atomically; weights in float16. Returns the path.

    Args:
        path: The file, .safetensors.
        fitted: The identifier. A network of its own is in the file; another is named by its SHA-256.
    """
    path = expand_path(path)
    tensors, settings = store_descriptor(fitted.descriptor)
    fitted_values, own_settings = store_classifier(fitted.identifier)
    settings |= own_settings | {"groups": dict(fitted.groups), "about": dict(fitted.about)}
    stored = {
        key: (value.float() if key.startswith(FLOAT32) else value.half()).contiguous()
        for key, value in (tensors | fitted_values).items()
    }
    with atomic_write(path) as temporary:
        save_file(stored, temporary, {"format": FORMAT, "settings": json.dumps(settings)})
    return path


def load_identifier(
    path: str | Path | None = None,
    device: str = "auto",
    precision: str = "float32",
    descriptor: str = COMPACT,
) -> ImageIdentifier:
    """Load an identifier.

    Args:
        path: A file that `ddrscope.fit_identifier` wrote. Default: a bundled identifier.
        device: Where its network runs: ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``mps`` ...
        precision: In which its network is run: ``float32``, ``bfloat16`` or ``auto``.
        descriptor: Which bundled identifier, if ``path`` is not given: ``compact`` or ``ddr`` (see `bundled_identifier`).

    Raises:
        InputError: The file is not an identifier, or its network is missing or has other weights.

    Examples:
        >>> identifier = ddrscope.load_identifier()
        >>> identifier.identify(pixels).type  # pixels: float32 (H, W, 3) in 0..1
        'jpeg'
    """
    check_precision(precision)
    path = expand_path(path or bundled_identifier(descriptor))
    tensors, settings = _read(path)
    try:
        parts = load_descriptor(path, tensors, settings, device, precision, REMEDY)  # type: ignore[arg-type]
        identifier = load_classifier(tensors, settings, parts)
        return ImageIdentifier(parts, identifier, settings["groups"], settings["about"])
    except InputError as error:
        raise error if str(path) in str(error) else InputError(f"{path} cannot be used: {error}") from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {printable(str(error))[:300]}"
        raise InputError(f"{path} is incomplete ({reason}): {REMEDY}") from None


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
