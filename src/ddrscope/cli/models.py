"""`ddrscope models`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ddrscope.cli import common
from ddrscope.errors import escaped
from ddrscope.features import all_layers, default_layers
from ddrscope.networks import Network, list_networks, load_network, save_to_hub_folder
from ddrscope.networks.zoo import card_text

HELP = """Networks that go by name, what is known of a network, its layers.

\b
Examples:
  ddrscope models list
  ddrscope models show srgan-wgr
  ddrscope models layers mynet.pth
  ddrscope models export mynet.pth mynet
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

# Small enough to be quick, large enough for every architecture's windows.
SAMPLE_SIDE = 64


@app.command("list")
def list_(as_json: common.AsJson = False) -> None:
    """List the networks that go by name."""
    networks = list_networks()
    if as_json:
        common.print_json([network._asdict() for network in networks])
        return
    for network in networks:
        state = "" if network.available else f" [not installed: {network.needs}]"
        print(f"{network.name:<26}{network.about}{state}")


@app.command()
def show(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Name, checkpoint or module:function.")],
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    as_json: common.AsJson = False,
) -> None:
    """Show what is known of a network: architecture, scale, global residual, origin; of a bundled one its card."""
    loaded = load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript)
    if as_json:
        common.print_json(loaded.describe())
        return
    for key, value in loaded.describe().items():
        common.show(f"{key:<24}{', '.join(value) if isinstance(value, list) else value}")
    card = card_text(network)
    if card:
        print("\n" + card)


@app.command()
def export(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Name, checkpoint or module:function.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one that is not there yet.")],
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    as_json: common.AsJson = False,
) -> None:
    """Write a network as a folder in the layout of the Hugging Face hub; every command takes DIR as NETWORK. Nothing is uploaded."""
    loaded = load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript)
    common.say_notes(loaded)
    save_to_hub_folder(loaded, folder)
    if as_json:
        common.print_json({"out": str(folder), "files": sorted(path.name for path in folder.iterdir())})
    common.say(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


@app.command()
def layers(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="Name, checkpoint or module:function.")],
    allow_torchscript: common.AllowTorchscript = False,
    as_json: common.AsJson = False,
) -> None:
    """List every layer of a network that --layers can name, those analysed by default marked by *."""
    loaded = load_network(network, allow_torchscript=allow_torchscript)
    common.say_notes(loaded)
    sample = torch.full((1, loaded.channels, SAMPLE_SIDE, SAMPLE_SIDE), 0.5)
    chosen = _default_layers(loaded, sample)
    rows: list[dict[str, Any]] = [
        {
            "layer": info.name,
            "type": info.type,
            "shape": info.shape,
            "calls": info.calls,
            "default": info.name in chosen,
        }
        for info in all_layers(loaded.module, sample, loaded)
    ]
    inputs = [layer for layer in chosen if layer.endswith(":input")]
    if as_json:
        common.print_json({"network": loaded.name, "layers": rows, "default": chosen})
        return
    table = Table("", "layer", "type", f"output for {SAMPLE_SIDE} x {SAMPLE_SIDE}", "calls", box=None)
    for row in rows:
        shape = " x ".join(map(str, row["shape"][1:])) if row["shape"] else "no tensor"
        table.add_row("*" if row["default"] else "", Text(escaped(row["layer"])), row["type"], shape, str(row["calls"]))
    Console(width=None if Console().is_terminal else 140).print(table)
    if inputs:
        common.show(f"Analysed by default as well: {', '.join(inputs)}")


def _default_layers(network: Network, sample: torch.Tensor) -> list[str]:
    return list(network.layers) if network.layers else default_layers(network.module, sample, network).layers
