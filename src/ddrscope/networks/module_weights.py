"""The weights of a checkpoint, loaded into a module that was built elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from torch import nn

from ddrscope.errors import InputError
from ddrscope.io.paths import expand
from ddrscope.networks.checkpoints.state_dicts import candidate_states
from ddrscope.networks.checkpoints.weights import read_weights
from ddrscope.networks.misfits import differences

Module = TypeVar("Module", bound=nn.Module)


def load_weights(module: Module, path: str | Path) -> Module:
    """Load a checkpoint into a module that was built elsewhere, as by the code that comes with the checkpoint.

    The file may be of any kind that `load_network` reads. Weights are found below the usual keys and prefixes
    (``params_ema``, ``state_dict``, ``module.``), averaged ones first. Nothing in the file is executed.

    Args:
        module: The module; its weights are replaced.
        path: The checkpoint.

    Returns:
        The same module, in evaluation mode.

    Raises:
        InputError: The file cannot be read, or its weights do not fit the module.

    Examples:
        >>> from ddrscope.networks.zoo import bundled_path
        >>> from ddrscope.networks import SRResNet
        >>> module = load_weights(SRResNet(), bundled_path("srresnet-wgr"))
    """
    state = read_weights(Path(expand(str(path)))).state
    wanted = module.state_dict().keys()
    # The first of those with most names in common.
    candidate = max(candidate_states(state), key=lambda candidate: len(candidate.state.keys() & wanted))
    try:
        module.load_state_dict(candidate.state)
    except RuntimeError as error:
        raise InputError(
            f"{path} does not fit {type(module).__name__} ({differences(error)}): give the class and the parameters with "
            "which it was trained"
        ) from None
    return module.eval()
