"""What a visitor's browser may ask of the server: the few addresses the pages need, in small portions, for files of this server only."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("localhost", "127.0.0.1", "::1")
API = "/gradio_api"
UPLOAD, JOIN, FILE = f"{API}/upload", f"{API}/queue/join", f"{API}/file="
# gradio serves many more, some of which fetch what they are told to.
PLAIN = (
    "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", f"{API}/startup-events",
    f"{API}/queue/data", f"{API}/upload_progress", f"{API}/cancel", f"{API}/reset", UPLOAD, JOIN,
)  # fmt: skip
BELOW = ("/assets/", "/static/", f"{API}/heartbeat/", FILE)
# Of a message that is no upload.
MAX_BYTES = 1 << 20
# What a form adds to the file in it.
FORM_BYTES = 1 << 16
# Of all that is kept for all visitors.
MAX_KEPT_BYTES = 4 << 30
# The browser itself asks no other server for anything, whatever a page says.
HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; form-action 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class RequestFilter:
    """An ASGI application before ``app`` that lets in what the pages need.

    ``folder`` is where visitors' files lie, ``upload_bytes`` the most of one. ``hosts``: the names under which the server is asked for,
    any where it is empty; a page from elsewhere cannot pass its own name off as this machine's.
    """

    app: App
    folder: Path
    upload_bytes: int
    hosts: tuple[str, ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        code, reason = self._refusal(scope)
        if not code and scope["path"] == JOIN and scope["method"] == "POST":
            body = await _read(receive)
            if self._names_only_ours(body):
                receive = _again(body, receive)
            else:
                code, reason = 400, "a file is named that is not here"
        if code:
            await _refuse(code, reason, send)
        else:
            await self.app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            return 403, "this server answers under another name"
        if path not in PLAIN and not path.startswith(BELOW):
            return 404, "nothing is here"
        # Other pages may post to this machine too; their browser tells where they are from.
        if "origin" in headers and headers["origin"].partition("://")[2] != headers.get("host"):
            return 403, "a page from elsewhere may not ask"
        if path.startswith(FILE) and not self._is_ours(path.removeprefix(FILE)):
            return 403, "this file is not for visitors"
        if scope["method"] != "POST":
            return (0, "") if scope["method"] in ("GET", "HEAD") else (405, "only GET and POST are answered")
        if not headers.get("content-length", "").isdecimal():
            return 411, "its length must be told first"
        limit = self.upload_bytes + FORM_BYTES if path == UPLOAD else MAX_BYTES
        if int(headers["content-length"]) > limit:
            return 413, f"more than {limit} bytes"
        if path == UPLOAD and kept_bytes(self.folder) > MAX_KEPT_BYTES:
            return 507, "there is no room for more images now: try again in an hour"
        return 0, ""

    def _is_ours(self, path: str) -> bool:
        return "\0" not in path and Path(path).resolve().is_relative_to(self.folder)

    def _names_only_ours(self, body: bytes) -> bool:
        """Whether every file that a message names lies in our folder: gradio would fetch an address from elsewhere."""
        try:
            return all(isinstance(path, str) and self._is_ours(path) for path in _paths(json.loads(body)))
        except (ValueError, RecursionError, OSError):
            return False


def _paths(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if value.get("path") is not None:
            yield value["path"]
        for item in value.values():
            yield from _paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def kept_bytes(folder: Path) -> int:
    """The bytes of all files below a folder, whatever is deleted while they are counted."""
    total = 0
    # Files and folders are deleted meanwhile; `os.walk` passes over folders that are gone, `Path.rglob` does not.
    for inside, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(inside, name)).st_size
            except FileNotFoundError:
                continue
    return total


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A source that gives ``body`` once more, then what follows."""
    given = False

    async def receive_again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                *((name.encode(), value.encode()) for name, value in HEADERS.items()),
            ]
        await send(message)

    return send_with_headers


async def _refuse(code: int, reason: str, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
