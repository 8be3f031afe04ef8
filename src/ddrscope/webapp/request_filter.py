"""Filters requests: only the few paths that the pages need, of limited size, for files of this server only."""

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

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_API = "/gradio_api"
_UPLOAD, _JOIN, _FILE = f"{_API}/upload", f"{_API}/queue/join", f"{_API}/file="
# gradio serves many more paths, some of which fetch any address that a request names.
_ALLOWED_PATHS = (
    "/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", f"{_API}/startup-events",
    f"{_API}/queue/data", f"{_API}/upload_progress", f"{_API}/cancel", f"{_API}/reset", _UPLOAD, _JOIN,
)  # fmt: skip
_ALLOWED_PREFIXES = ("/assets/", "/static/", f"{_API}/heartbeat/", _FILE)
# Largest body of a request that is not an upload.
_MAX_BODY_BYTES = 1 << 20
# What a form adds to the file in it.
_FORM_BYTES = 1 << 16
# Largest total size of all visitors' files.
_MAX_KEPT_BYTES = 4 << 30
# The browser itself sends no request to another server, whatever a page contains.
_HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; form-action 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class RequestFilter:
    """ASGI middleware that passes on the requests that the pages need, and refuses all others.

    Attributes:
        app: The application behind it.
        folder: Where visitors' files are kept.
        upload_bytes: The largest size of an upload.
        hosts: The host names that requests may be addressed to; empty: any. They prevent DNS rebinding, by which a
            page from elsewhere reaches a server of this machine under a name of its own.
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
        if not code and scope["path"] == _JOIN and scope["method"] == "POST":
            body = await _read(receive)
            if self._names_only_own_files(body):
                receive = _replay(body, receive)
            else:
                code, reason = 400, "the request names a file that is not on this server"
        if code:
            await _refuse(code, reason, send)
        else:
            await self.app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        if self.hosts and _host(headers.get("host", "")) not in self.hosts:
            return 403, "the server has another host name"
        if path not in _ALLOWED_PATHS and not path.startswith(_ALLOWED_PREFIXES):
            return 404, "not found"
        # Pages from elsewhere may post to this machine too; the browser sends their origin.
        if "origin" in headers and headers["origin"].partition("://")[2] != headers.get("host"):
            return 403, "requests from other origins are refused"
        if path.startswith(_FILE) and not self._is_own_file(path.removeprefix(_FILE)):
            return 403, "this file is not served"
        if scope["method"] != "POST":
            return (0, "") if scope["method"] in ("GET", "HEAD") else (405, "only GET, HEAD and POST are supported")
        if not headers.get("content-length", "").isdecimal():
            return 411, "the content length is missing"
        limit = self.upload_bytes + _FORM_BYTES if path == _UPLOAD else _MAX_BODY_BYTES
        if int(headers["content-length"]) > limit:
            return 413, f"more than {limit} bytes"
        if path == _UPLOAD and kept_bytes(self.folder) > _MAX_KEPT_BYTES:
            return 507, "there is no space for more images: try again in an hour"
        return 0, ""

    def _is_own_file(self, path: str) -> bool:
        return "\0" not in path and Path(path).resolve().is_relative_to(self.folder)

    def _names_only_own_files(self, body: bytes) -> bool:
        """Whether every file that a request names lies in the folder: gradio would fetch any other address."""
        try:
            return all(isinstance(path, str) and self._is_own_file(path) for path in _paths(json.loads(body)))
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
    """The size of all files below a folder in bytes; files may be deleted while they are counted."""
    total = 0
    # `os.walk` skips folders that were deleted meanwhile, `Path.rglob` does not.
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


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receiver that returns ``body`` first, then what follows."""
    is_replayed = False

    async def receive_again() -> MutableMapping[str, Any]:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                *((name.encode(), value.encode()) for name, value in _HEADERS.items()),
            ]
        await send(message)

    return send_with_headers


async def _refuse(code: int, reason: str, send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
