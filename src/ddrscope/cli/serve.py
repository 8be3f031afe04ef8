"""`ddrscope serve`"""

from __future__ import annotations

import importlib.util
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from ddrscope.cli import common
from ddrscope.errors import InputError
from ddrscope.features.device import resolve_device
from ddrscope.identification import load_identifier
from ddrscope.networks import load_network
from ddrscope.upscaling.tiling import check_network

HELP = """Pages in the browser: what is wrong with an image, networks compared, degradation tried out.

Serves this machine only, unless --host says otherwise; there is no login, so read docs/serve.md before. Nothing is sent anywhere else.
Images that visitors drop are deleted after an hour and when the server stops. Needs gradio: pip install 'ddrscope[web]'. Ctrl-C stops it.

\b
Examples:
  ddrscope serve
  ddrscope serve --results look --results scores --port 8000
  ddrscope serve --network mine.pth --identifier mine.safetensors --threads 4
"""


def command(
    host: Annotated[
        str, typer.Option("--host", help="Address to answer at; 0.0.0.0: to all that reach this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to answer at.", min=1, max=65535)] = 7860,
    network: Annotated[
        str,
        typer.Option(
            "--network", metavar="NETWORK", help="The one that enlarges, and whose map is shown if it is a guided one."
        ),
    ] = "blind-ddr",
    identifier: Annotated[
        Path | None,
        typer.Option("--identifier", metavar="FILE", help="Of ddrscope fit-identifier. Default: the bundled one."),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", metavar="DIR", help="Folders of ddrscope analyze and generalize to show."),
    ] = None,
    max_megabytes: Annotated[
        float, typer.Option("--max-megabytes", help="Largest file a visitor may send.", min=0.01, max=1000)
    ] = 30,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Largest image a visitor may send.", min=0.01, max=200)
    ] = 30,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    if importlib.util.find_spec("gradio") is None:
        raise InputError("ddrscope serve needs gradio, which is not installed: pip install 'ddrscope[web]'")
    # Only where it is called: gradio takes seconds to import.
    from ddrscope.webapp.compare import name_results
    from ddrscope.webapp.images import Limits
    from ddrscope.webapp.request_filter import LOCAL
    from ddrscope.webapp.server import serving
    from ddrscope.webapp.state import open_app_state

    common.use_threads(threads)
    shown = name_results(results or [])
    loaded = load_network(network)
    device = resolve_device(device)
    loaded.module.to(device)
    check_network(loaded)
    desk = open_app_state(load_identifier(identifier, device), loaded, Limits(max_megabytes, max_megapixels), device)
    if not desk.has_map:
        common.say(
            f"the map of known degradation of {desk.mapper.name} is being made: what shows it comes after half a minute or more"
        )
    with serving(desk, shown, host, port) as url:
        if host not in LOCAL:
            common.say("anyone who reaches this address can use it: there is no login (docs/serve.md)")
        common.say(f"serving at {url} (Ctrl-C stops)")
        _wait()
    common.say("stopped; what visitors sent is deleted")


command.__doc__ = HELP


def _wait() -> None:
    """Until Ctrl-C, or the signal by which services are stopped."""
    stopped = threading.Event()

    def stop(*_: Any) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    while not stopped.wait(1):
        pass
