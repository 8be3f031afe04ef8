"""Subtract the summand of the last features that comes straight from the first convolution, and measure what remains.

    python -m experiments.published_networks.silenced CHECKOUTS IMAGES OUT

The hypothesis and its predictions are in `experiments.published_networks.later_rules`. In all networks here the last features are a sum,
as their code says: of the first features and of what the blocks make. Each network appends its rows, whole and without the summand, to
``OUT/silenced.jsonl``.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from torch import Tensor, nn
from torch.nn import functional

from ddrscope.networks import Network
from ddrscope.study.settings import DEGRADATIONS
from experiments.published_networks.later_rules import HIDDEN, NOT_FALLING, OTHERS
from experiments.published_networks.measuring import measuring_arguments, not_measured
from experiments.published_networks.run import CROP, load, read_catalog
from experiments.published_networks.shares import append_rows, inputs_of, measured_layers


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def _as_it_is(x: Tensor) -> Tensor:
    return x


# The module that makes the summand, what is applied to its output, and the module whose input is the sum.
SUMMANDS: dict[str, tuple[str, Callable[[Tensor], Tensor], str]] = {
    "2022-23 MDAN": ("conv_first", _leaky, "out1"),
    "2024-16 LightRLFN": ("conv_1", _as_it_is, "upsampler.0"),
    "2024-22 GFMN": ("to_feat", _as_it_is, "to_img.0"),
    "2024-33 IFADNet": ("fea_conv", _as_it_is, "upsampler.upsampleOneStep.0"),
    "2022-11 AALN": ("input", _as_it_is, "upsample.2"),
    "2022-00 RFDN": ("fea_conv", _as_it_is, "upsampler.0"),
    "2024-00 RLFN_Prune": ("conv_1", _as_it_is, "upsampler.0"),
}


def main() -> None:
    arguments = measuring_arguments(__doc__, "images")
    file = arguments.out / "silenced.jsonl"
    entries = {entry["name"]: entry for entry in read_catalog()}
    for name in not_measured((*HIDDEN, *NOT_FALLING, *OTHERS), file):
        network = load(entries[name], arguments.checkouts)
        first, applied, last = SUMMANDS[name]
        whole = _measured(network, f"{last}:input", arguments.images)
        subtract(network.module, first, applied, last)
        rest = _measured(network, f"{last}:input", arguments.images)
        table = pd.concat([whole.assign(silenced=False), rest.assign(silenced=True)])
        append_rows(file, table)


def subtract(module: nn.Module, first: str, applied: Callable[[Tensor], Tensor], last: str) -> None:
    """Let a network subtract the output of one of its modules from the input of a later one, from now on.

    Args:
        module: The network.
        first: The module that makes the summand.
        applied: What is applied to its output.
        last: The module whose input is the sum.
    """
    summand: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # A copy, since activations in place would change it.
        summand[:] = [applied(output.clone())]

    module.get_submodule(first).register_forward_hook(keep)
    module.get_submodule(last).register_forward_pre_hook(lambda _, inputs: (inputs[0] - summand[0],))


def _measured(network: Network, layer: str, images: str) -> pd.DataFrame:
    inputs, settings = inputs_of(network, images, DEGRADATIONS, crop=CROP)
    table, _ = measured_layers(network, [layer], inputs, settings)
    return table[table.control == ""]


if __name__ == "__main__":
    main()
