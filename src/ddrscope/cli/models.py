"""`ddrscope models`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import ddrscope
from ddrscope.cli import common
from ddrscope.errors import escaped

if TYPE_CHECKING:
    from ddrscope.networks.layer_list import LayerList

HELP = """List the networks that have a name, show what is known of a network, list its layers, export it.

\b
Examples:
  ddrscope models list
  ddrscope models show srgan-wgr
  ddrscope models layers mynet.pth
  ddrscope models export mynet.pth mynet
"""
# Width of the table of layers in a pipe.
PIPE_WIDTH = 140

NetworkSpec = Annotated[str, typer.Argument(metavar="NETWORK", help="Name, checkpoint or module:function.")]

app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None, epilog=common.DEBUG)


@app.command("list")
def list_(as_json: common.AsJson = False) -> None:
    """List the networks that have a name."""
    networks = ddrscope.list_networks()
    if as_json:
        common.print_json([network._asdict() for network in networks])
        return
    for network in networks:
        state = "" if network.available else f" [not installed: {network.needs}]"
        print(f"{network.name:<26}{network.about}{state}")


@app.command()
def show(
    network: NetworkSpec,
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    as_json: common.AsJson = False,
) -> None:
    """Show what is known of a network: architecture, scale, global residual, origin; of a bundled one its card."""
    loaded = ddrscope.load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript)
    if as_json:
        common.print_json(loaded.describe())
        return
    for key, value in loaded.describe().items():
        common.show(f"{key:<24}{', '.join(value) if isinstance(value, list) else value}")
    card = ddrscope.network_card(network)
    if card:
        print("\n" + card)


@app.command()
def layers(
    network: NetworkSpec, allow_torchscript: common.AllowTorchscript = False, as_json: common.AsJson = False
) -> None:
    """List every layer of a network that --layers can name; those analyzed by default are marked by *."""
    loaded = ddrscope.load_network(network, allow_torchscript=allow_torchscript)
    common.say_notes(loaded)
    listed = ddrscope.list_layers(loaded)
    if as_json:
        common.print_json(listed.to_json())
        return
    _print_table(listed)
    inputs = [layer for layer in listed.default if layer.endswith(":input")]
    if inputs:
        common.show(f"Also analyzed by default: {', '.join(inputs)}")
    common.show(f"Last HR layer: {listed.last_hr_layer}")


@app.command()
def export(
    network: NetworkSpec,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one that does not exist yet.")],
    global_residual: common.GlobalResidual = None,
    allow_torchscript: common.AllowTorchscript = False,
    as_json: common.AsJson = False,
) -> None:
    """Write a network as a folder in the layout of the Hugging Face hub; nothing is uploaded.

    Every command takes the folder as NETWORK.
    """
    loaded = ddrscope.load_network(network, global_residual=global_residual, allow_torchscript=allow_torchscript)
    common.say_notes(loaded)
    files = sorted(path.name for path in ddrscope.save_to_hub_folder(loaded, out).iterdir())
    if as_json:
        common.print_json({"out": str(out), "files": files})
    common.say(f"{out}: {', '.join(files)}")


def _print_table(listed: LayerList) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "layer", "type", "output for 64 x 64", "calls", box=None)
    for layer in listed.layers:
        shape = " x ".join(map(str, layer.shape[1:])) if layer.shape else "no tensor"
        # Names must not be read as markup.
        table.add_row("*" if layer.default else "", Text(escaped(layer.name)), layer.type, shape, str(layer.calls))
    Console(width=None if Console().is_terminal else PIPE_WIDTH).print(table)
