"""The server: all pages at one address, until it is stopped."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from markupsafe import Markup
from starlette.middleware import Middleware

from ddrscope.errors import InputError
from ddrscope.webapp.compare import compare_page
from ddrscope.webapp.degrade import degrade_page
from ddrscope.webapp.examine import ExaminePage
from ddrscope.webapp.images import photo_credits
from ddrscope.webapp.request_filter import LOCAL_HOSTS, RequestFilter
from ddrscope.webapp.state import AppState
from ddrscope.webapp.style import CSS, theme

TITLE = "ddrscope"
# Visitors' files are checked at this interval and deleted at this age, in seconds.
_DELETE_INTERVAL, _DELETE_AGE = 600, 3600
# How many requests wait at most, and how many visitors' states are kept.
_MAX_WAITING, _MAX_SESSIONS = 20, 200


@contextmanager
def serving(state: AppState, results: Mapping[str, Path], host: str, port: int) -> Iterator[str]:
    """Serve the pages while the block runs. Visitors' files are in a temporary folder, which is deleted at the end.

    Args:
        state: What all visitors share.
        results: Folders of results by name, as `ddrscope.webapp.compare.name_results` returns them.
        host: Address to listen on.
        port: Port to listen on.

    Yields:
        The address of the pages.

    Raises:
        InputError: The port is in use, or the address is not available.
    """
    _check_available(host, port)
    with tempfile.TemporaryDirectory(prefix="ddrscope-serve-") as folder:
        # Read by gradio wherever it keeps a file.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_EXAMPLES_CACHE": folder}
        request_filter = Middleware(
            RequestFilter,
            folder=Path(folder).resolve(),
            upload_bytes=state.limits.bytes,
            hosts=LOCAL_HOSTS if host in LOCAL_HOSTS else (),
        )
        blocks = build_pages(state, results)
        _, url, _ = blocks.launch(
            server_name=host, server_port=port, prevent_thread_lock=True, quiet=True, share=False, show_error=False, ssr_mode=False,
            pwa=False, mcp_server=False, num_workers=0, enable_monitoring=False, run_history=False, footer_links=[],
            max_file_size=state.limits.bytes, state_session_capacity=_MAX_SESSIONS, theme=theme(), css=CSS,
            app_kwargs={"middleware": [request_filter], "docs_url": None, "redoc_url": None, "openapi_url": None},
        )  # fmt: skip
        try:
            yield url
        finally:
            blocks.close(verbose=False)


def build_pages(state: AppState, results: Mapping[str, Path]) -> gr.Blocks:
    """The pages, not yet served."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(_DELETE_INTERVAL, _DELETE_AGE)) as blocks:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>What an image-restoration network knows about the degradation of its input.</p>",
            elem_classes="words",
        )
        with gr.Tabs():
            with gr.Tab("Examine an image"):
                ExaminePage(state)
            with gr.Tab("Compare networks"):
                compare_page(results)
            with gr.Tab("Degrade an image"):
                degrade_page(state)
        footer = Markup(
            "<p>Images that you upload stay on the machine that runs this server, and are deleted there after an hour. "
            "<small>Bundled photographs, some of them cropped, shrunk and degraded: {}.</small></p>"
        )
        gr.HTML(str(footer.format("; ".join(photo_credits()))), elem_classes="words")
    blocks.queue(max_size=_MAX_WAITING, default_concurrency_limit=4, api_open=False)
    return blocks


def _check_available(host: str, port: int) -> None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise InputError(
            f"`host`={host} `port`={port} is not available ({error.strerror or error}): choose another port"
        ) from None
