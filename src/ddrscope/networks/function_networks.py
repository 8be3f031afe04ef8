"""Networks that a Python function returns, named as ``module:function``."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ddrscope.errors import InputError, printable
from ddrscope.networks.inspection import inspected
from ddrscope.networks.network import Network, weights_sha256
from ddrscope.networks.outputs import image_of, output_tensors
from ddrscope.networks.pixel_range import PixelRanges, check_pixel_range, measure_pixel_ranges, run_in_ranges

_SPEC = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
# Large enough for the windows and strides of most networks, small enough to be quick.
_TRIAL_SIDE = 64


def is_function_spec(text: str) -> bool:
    """Whether a text has the form ``module:function``."""
    return _SPEC.fullmatch(text) is not None


def load_from_function(spec: str) -> Network:
    """The network around the module that a function returns; see `as_network`.

    Args:
        spec: ``module:function``; the module is also looked for in the working directory. The returned ``nn.Module``
            may have attributes ``scale``, ``channels`` and ``pixel_range``, see `as_network`.

    Raises:
        InputError: The function is not found, fails, or returns something else.
    """
    return _network(_call_function(spec), spec)


def as_network(
    module: nn.Module,
    name: str | None = None,
    *,
    scale: int | None = None,
    channels: int | None = None,
    pixel_range: str = "auto",
) -> Network:
    """Make a network of a module that was built elsewhere, for every function that takes one.

    What is not given is taken from an attribute of the module of that name, or else found by running it: scale,
    channels, pixel range, layers and global residual. The module is put into evaluation mode, on the CPU, in float32.

    Args:
        module: Maps (B, channels, H, W) to (B, channels, scale*H, scale*W). A classifier returns (B, classes).
        name: A short name for reports. Default: the name of the module's class.
        scale: Output side over input side.
        channels: Input channels.
        pixel_range: The range of its pixels: ``0..1``, ``0..255``, ``-1..1``, or ``auto`` to measure it. The network
            itself is given 0..1 and returns 0..1.

    Raises:
        InputError: The module does not run on an image, or a parameter is out of range.

    Examples:
        >>> module = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
        >>> as_network(module, "shuffle").scale
        2
    """
    return inspected(_network(module, name or type(module).__name__, scale, channels, pixel_range))


def _network(
    module: nn.Module,
    name: str,
    scale: int | None = None,
    channels: int | None = None,
    pixel_range: str = "auto",
) -> Network:
    channels = channels or _positive_int(getattr(module, "channels", None)) or _input_channels(name, module)
    # Batches are float32, as are weights read from checkpoints.
    module.eval().cpu().float()
    _detach(module)
    stated = scale or _positive_int(getattr(module, "scale", None))
    found, notes = (stated, ()) if stated else _try(name, module, channels)
    ranges, range_notes = _pixel_ranges(module, channels, found, pixel_range)
    return Network(
        name=name,
        module=module,
        scale=found,
        channels=channels,
        architecture=type(module).__name__,
        notes=notes + range_notes,
        source=name,
        sha256=weights_sha256(module),
        run=run_in_ranges(module, ranges),
    )


def _detach(module: nn.Module) -> None:
    """Detach tensors that submodules keep beside their weights, as merged kernels: with a graph they cannot be copied."""
    for submodule in module.modules():
        for name, value in vars(submodule).items():
            if isinstance(value, torch.Tensor) and not value.is_leaf:
                setattr(submodule, name, value.detach())


def _pixel_ranges(module: nn.Module, channels: int, scale: int, given: str) -> tuple[PixelRanges, tuple[str, ...]]:
    attribute = getattr(module, "pixel_range", None)
    asked = check_pixel_range(attribute if given == "auto" and isinstance(attribute, str) else given)
    if asked != "auto":
        return PixelRanges(asked, asked), ()
    try:
        ranges = measure_pixel_ranges(module, channels, scale)
    # The user's own code can raise anything, and the trial run with stated scale and channels comes later.
    except Exception:
        return PixelRanges(), ()
    if ranges == PixelRanges():
        return ranges, ()
    return ranges, (f"Pixel range, measured: input {ranges.input}, output {ranges.output}.",)


def _call_function(spec: str) -> nn.Module:
    module_name, _, function_name = spec.partition(":")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        function = getattr(importlib.import_module(module_name), function_name, None)
        if function is None:
            names = [name for name in dir(sys.modules[module_name]) if not name.startswith("_")]
            nearest = difflib.get_close_matches(function_name, names, n=3) or names[:3]
            raise InputError(
                f"{spec}: {module_name} has no {function_name!r}; it has {', '.join(nearest) or 'nothing'}"
            )
        module = function()
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise InputError(f"{spec}: no module {error.name!r}; run in the folder that holds it, or install it") from None
    # The user's own code can raise anything.
    except Exception as error:
        raise InputError(f"{spec} failed with {type(error).__name__}: {_one_line(error)}; fix the function") from error
    finally:
        if here in sys.path:
            sys.path.remove(here)
    if not isinstance(module, nn.Module):
        raise InputError(f"{spec} returned a {type(module).__name__}: it must return a torch.nn.Module")
    return module


def _positive_int(value: Any) -> int | None:
    """A module's own ``scale`` or ``channels``; attributes of another type have another meaning."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _input_channels(spec: str, module: nn.Module) -> int:
    """The input channels of the first convolution, which nearly always receives the image."""
    for submodule in module.modules():
        if isinstance(submodule, nn.Conv2d):
            return submodule.in_channels
    raise InputError(f"{spec}: the module has no 2-D convolution that shows its input channels; set module.channels")


def _try(spec: str, module: nn.Module, channels: int) -> tuple[int, tuple[str, ...]]:
    """The scale by a trial run, 1 if the output is no image (as a classifier's), and notes on the run."""
    batch = torch.rand(1, channels, _TRIAL_SIDE, _TRIAL_SIDE)
    try:
        with torch.inference_mode():
            output = module(batch)
            image = image_of(output, batch, None, spec)
    except Exception as error:
        raise InputError(
            f"{spec}: a trial run on {channels} channels of {_TRIAL_SIDE} pixels failed ({_one_line(error)}); "
            "set module.scale and module.channels"
        ) from None
    scale = image.shape[-1] // _TRIAL_SIDE if image.ndim == 4 and image.shape[-1] % _TRIAL_SIDE == 0 else 1
    notes = [f"{spec} states no scale; a trial run on {_TRIAL_SIDE} pixels gives x{scale}."]
    count = len(list(output_tensors(output)))
    if count > 1:
        notes.append(
            f"{spec} returns {count} tensors; the first with the shape of an image is used, here {tuple(image.shape)}."
        )
    return scale, tuple(notes)


def _one_line(error: Exception) -> str:
    return printable(str(error))[:200]
