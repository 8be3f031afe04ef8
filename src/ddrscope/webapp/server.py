"""The server: the pages in one frame, at one address, until it is told to stop."""

from __future__ import annotations

import html
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from ddrscope.errors import InputError
from ddrscope.webapp.compare import compare_page
from ddrscope.webapp.degrade import degrade_page
from ddrscope.webapp.examine import examine_page
from ddrscope.webapp.images import credits
from ddrscope.webapp.request_filter import LOCAL, RequestFilter
from ddrscope.webapp.state import AppState
from ddrscope.webapp.style import CSS, theme

TITLE = "ddrscope"
# Visitors' files are looked through every so many seconds, and deleted when they are so many seconds old.
DELETE_EVERY, DELETE_AFTER = 600, 3600
# Visitors that wait for their turn, and whose last image is remembered.
WAITING, SESSIONS = 20, 200


@contextmanager
def serving(desk: AppState, results: Mapping[str, Path], host: str, port: int) -> Iterator[str]:
    """Answer browsers while the block runs; yields the address. Raises `InputError` where host and port are not to be had.

    Everything visitors send lies in a temporary folder, which is deleted at the end.
    """
    _check_free(host, port)
    with tempfile.TemporaryDirectory(prefix="ddrscope-serve-") as folder:
        # Read by gradio wherever it keeps a file.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_EXAMPLES_CACHE": folder}
        blocks = build(desk, results)
        door = Middleware(
            RequestFilter,
            folder=Path(folder).resolve(),
            upload_bytes=desk.limits.bytes,
            hosts=LOCAL if host in LOCAL else (),
        )
        _, url, _ = blocks.launch(
            server_name=host, server_port=port, prevent_thread_lock=True, quiet=True, share=False, show_error=False, ssr_mode=False,
            pwa=False, mcp_server=False, num_workers=0, enable_monitoring=False, run_history=False, footer_links=[],
            max_file_size=desk.limits.bytes, state_session_capacity=SESSIONS, theme=theme(), css=CSS,
            app_kwargs={"middleware": [door], "docs_url": None, "redoc_url": None, "openapi_url": None},
        )  # fmt: skip
        try:
            yield url
        finally:
            blocks.close(verbose=False)


def build(desk: AppState, results: Mapping[str, Path]) -> gr.Blocks:
    """The pages, not yet served."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(DELETE_EVERY, DELETE_AFTER)) as blocks:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>What an image-restoration network knows about the degradation in its input.</p>",
            elem_classes="words",
        )
        with gr.Tabs():
            with gr.Tab("What is wrong with my image"):
                examine_page(desk)
            with gr.Tab("Compare networks"):
                compare_page(results)
            with gr.Tab("Degradation it yourself"):
                degrade_page(desk)
        made = "; ".join(map(html.escape, credits()))
        gr.HTML(
            "<p>Images you drop stay on the machine that runs this server, and are deleted there after an hour. "
            f"<small>Our photographs, some of them cropped, shrunk and degraded: {made}.</small></p>",
            elem_classes="words",
        )
    blocks.queue(max_size=WAITING, default_concurrency_limit=4, api_open=False)
    return blocks


def _check_free(host: str, port: int) -> None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise InputError(
            f"--host {host} --port {port} is not to be had ({error.strerror or error}): choose another port"
        ) from None
