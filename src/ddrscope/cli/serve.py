"""`ddrscope serve`"""

from __future__ import annotations

import importlib.util
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from ddrscope.cli import common
from ddrscope.errors import MissingDependencyError

HELP = """Serve pages for the browser: examine an image, compare networks, degrade an image.

Only this machine can reach the pages unless --host is given; there is no login, so read docs/how-to/serve.md first. Nothing
is sent anywhere else. Visitors' images are deleted after an hour and when the server stops. Needs gradio: pip install
'ddrscope[web]'. Ctrl-C stops it.

\b
Examples:
  ddrscope serve
  ddrscope serve --results look --results scores --port 8000
  ddrscope serve --network mine.pth --identifier mine.safetensors --threads 4
"""


def command(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0: all addresses of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)] = 7860,
    network: Annotated[
        str,
        typer.Option(
            "--network", metavar="NETWORK", help="Network that enlarges; if it is a guided one, its map is shown."
        ),
    ] = "blind-ddr",
    identifier: Annotated[
        Path | None,
        typer.Option("--identifier", metavar="FILE", help="File of ddrscope fit-identifier. Default: the bundled one."),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", metavar="DIR", help="Folders of ddrscope analyze and generalize to show."),
    ] = None,
    max_megabytes: Annotated[
        float, typer.Option("--max-megabytes", help="Largest file of a visitor.", min=0.01, max=1000)
    ] = 30,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Largest image of a visitor.", min=0.01, max=200)
    ] = 30,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    if importlib.util.find_spec("gradio") is None:
        raise MissingDependencyError("serve needs gradio, which is not installed: pip install 'ddrscope[web]'")
    from ddrscope.features.device import resolve_device
    from ddrscope.features.threads import torch_threads
    from ddrscope.identification import load_identifier
    from ddrscope.networks import load_network
    from ddrscope.upscaling.checks import check_network
    from ddrscope.webapp.compare import name_results
    from ddrscope.webapp.images import UploadLimits
    from ddrscope.webapp.request_filter import LOCAL_HOSTS
    from ddrscope.webapp.server import serving
    from ddrscope.webapp.state import open_app_state

    named_results = name_results(results or [])
    loaded = load_network(network)
    device = resolve_device(device)
    loaded.to(device)
    check_network(loaded)
    limits = UploadLimits(max_megabytes, max_megapixels)
    state = open_app_state(load_identifier(identifier, device), loaded, limits, device)
    if not state.has_map:
        common.say(
            f"computing the map of known degradations of {state.map_network.name}: what shows it waits half a minute or more"
        )
    with torch_threads(threads), serving(state, named_results, host, port) as url:
        if host not in LOCAL_HOSTS:
            common.say("anyone who reaches this address can use it: there is no login (docs/how-to/serve.md)")
        common.say(f"serving at {url} (Ctrl-C stops)")
        _wait_for_signal()
    common.say("stopped; visitors' images are deleted")


command.__doc__ = HELP


def _wait_for_signal() -> None:
    """Wait for Ctrl-C, or the signal that stops services."""
    stopped = threading.Event()

    def stop(*_: Any) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while not stopped.wait(1):
        pass
