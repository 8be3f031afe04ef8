"""Photographs in public repositories at pinned commits, or in a folder of local copies."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image

from ddrscope.errors import InputError, printable
from scripts.photographs.pixels import upright
from scripts.photographs.table import Photograph


class Copies:
    """Reads photographs from a folder of local copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, photograph: Photograph) -> tuple[Image.Image, str]:
        """The local copy, and the steps that remain to be applied."""
        path = self.folder / photograph.copy
        if not path.is_file():
            raise InputError(f"{path} does not exist: put it there, or omit PHOTOS to fetch {photograph.source}")
        with Image.open(path) as image:
            return upright(image), photograph.steps


class Repositories:
    """Reads photographs from repositories, which are fetched with git when their first photograph is read.

    Args:
        base: the address before OWNER/NAME.
        cache: the folder that keeps the fetched repositories.
        wanted: the photographs that will be read. A server with partial clones sends only those files.
        say: is called with a line for each fetch.
    """

    def __init__(
        self, base: str, cache: Path, wanted: Iterable[Photograph], say: Callable[[str], None] = print
    ) -> None:
        self.base, self.cache, self.say = base.rstrip("/"), cache, say
        self.wanted: dict[tuple[str, str], list[str]] = {}
        for photograph in wanted:
            self.wanted.setdefault((photograph.source, photograph.version), []).append(photograph.path)
        # By repository: the git object of every path, or the reason why it cannot be fetched.
        self._fetched: dict[tuple[str, str], dict[str, str] | InputError] = {}

    def read(self, photograph: Photograph) -> tuple[Image.Image, str]:
        """The photograph as its repository holds it, and the steps that remain to be applied."""
        key = photograph.source, photograph.version
        if key not in self._fetched:
            try:
                self._fetched[key] = self._fetch(*key)
            except InputError as error:
                # Each repository is tried once per run, not once per photograph.
                self._fetched[key] = error
        objects = self._fetched[key]
        if isinstance(objects, InputError):
            raise objects
        if photograph.path not in objects:
            raise InputError(
                f"{photograph.path} is not in {photograph.source} at {photograph.version[:8]}: correct the table"
            )
        data = self._git(self._folder(photograph.source), "cat-file", "blob", objects[photograph.path])
        with Image.open(io.BytesIO(data)) as image:
            return upright(image), f"{photograph.copy_steps} {photograph.steps}"

    def _url(self, source: str) -> str:
        return f"{self.base}/{source.removeprefix('github:')}"

    def _folder(self, source: str) -> Path:
        return self.cache / source.removeprefix("github:").replace("/", "+")

    def _fetch(self, source: str, commit: str) -> dict[str, str]:
        folder, url = self._folder(source), self._url(source)
        if not (folder / "HEAD").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._git(folder, "init", "--quiet", "--bare")
        self._git(folder, "config", "remote.origin.url", url)
        local = self._local_objects(folder)
        if commit not in local:
            self.say(f"fetching {url}")
            # If the server supports it, only file names first; then the contents of the wanted files in one request.
            self._git(folder, "fetch", "--quiet", "--depth", "1", "--no-tags", "--filter=blob:none", "origin", commit)
            local = self._local_objects(folder)
        listing = self._git(folder, "ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8", "surrogateescape")
        objects = {}
        for entry in filter(None, listing.split("\0")):
            described, path = entry.split("\t", 1)
            objects[path] = described.split()[2]
        missing = sorted({objects[path] for path in self.wanted[source, commit] if path in objects} - local)
        if missing:
            self.say(f"fetching {len(missing)} photographs of {url}")
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--stdin")
            self._git(folder, "fetch", *options, "origin", given="\n".join(missing) + "\n")
        return objects

    def _local_objects(self, folder: Path) -> set[str]:
        listing = self._git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)", "--unordered")
        return set(listing.decode().split())

    def _git(self, folder: Path, *arguments: str, given: str = "") -> bytes:
        # For a deleted repository, some servers ask for a password.
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_DIR": str(folder)}
        try:
            done = subprocess.run(
                ["git", *arguments], input=given.encode(), capture_output=True, env=environment, check=False
            )
        except FileNotFoundError:
            raise InputError("git is not installed: apt-get install git, or use local copies with PHOTOS=DIR") from None
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["git gave no reason"]
            repository = folder.name.replace("+", "/")
            raise InputError(
                f"{repository} ({printable(lines[-1])}): try again later, or use local copies with PHOTOS=DIR"
            )
        return done.stdout
