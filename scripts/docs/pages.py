"""Collects the hand-written pages of the documentation site in one folder and rewrites their links."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import nbformat
from nbconvert import MarkdownExporter

# Pages outside of docs/ and experiments/, and their names in the site.
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
    "benchmarks/README.md": "benchmarks.md",
}
# Result files, which are copied as they are.
RESULTS = (".csv", ".gz", ".html", ".json", ".png")
_CODE = re.compile(r"^(```.*?^```|(?:    .*\n)+)|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def gather_pages(root: Path, pages: Path) -> None:
    """Write every page and image of the repository ``root`` into ``pages``.

    Notebooks become Markdown with their images beside it. A file that a page links to is copied, see `_place`.
    """
    for source in sorted((root / "docs").rglob("*")):
        inside = source.relative_to(root / "docs")
        if source.is_dir() or "tutorials" in inside.parts:
            continue
        if source.suffix == ".md":
            _page(root, source, pages)
        else:
            _copy(source, pages / inside)
    for source in [*sorted((root / "experiments").rglob("*.md")), *(root / name for name in OUTSIDE)]:
        _page(root, source, pages)
    for notebook in sorted((root / "docs/tutorials").glob("*.ipynb")):
        text = _notebook(notebook, pages / "tutorials")
        place = PurePosixPath("docs/tutorials", notebook.name)
        _write(pages / _place(place), _relinked(text, root, place, pages))


def _page(root: Path, source: Path, pages: Path) -> None:
    place = PurePosixPath(source.relative_to(root).as_posix())
    _write(pages / _place(place), _relinked(source.read_text(encoding="utf-8"), root, place, pages))


def outside_code(change: Callable[[str], str], text: str) -> str:
    """``text`` with ``change`` applied outside of code: fenced blocks, indented blocks and text in backticks stay."""
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [change(text[end : code.start()]), code.group()]
        end = code.end()
    return "".join([*parts, change(text[end:])])


def _relinked(text: str, root: Path, source: PurePosixPath, pages: Path) -> str:
    """The page ``source`` (a path from ``root``) with its links to files of the repository replaced by links of the site."""
    here = PurePosixPath(_place(source)).parent

    def relink(link: re.Match[str]) -> str:
        target, hash_, anchor = link[2].partition("#")
        if ":" in target or not target:
            return link[0]
        path = PurePosixPath(os.path.normpath(source.parent / target))
        if not (root / path).exists():
            # The strict build reports the page and the link.
            return link[0]
        if (root / path).is_dir():
            raise SystemExit(f"{source} links to the folder {path}: link to a file")
        place = _place(path)
        if not place.endswith(".md"):
            _copy(root / path, pages / place)
        return link[1] + os.path.relpath(place, here) + hash_ + anchor + link[3]

    return outside_code(lambda part: _LINK.sub(relink, part), text)


def _place(path: PurePosixPath) -> str:
    """The path in the site of a file of the repository. Source code is placed under ``source/`` as text, which browsers display."""
    if str(path) in OUTSIDE:
        return OUTSIDE[str(path)]
    if path.parts[0] == "docs":
        inside = path.relative_to("docs")
        return str(inside.with_suffix(".md") if inside.suffix == ".ipynb" else inside)
    if path.parts[0] == "experiments" and path.name == "README.md":
        return str(path.with_name("index.md"))
    if path.parts[0] in ("experiments", "benchmarks") and path.suffix in RESULTS:
        return str(path)
    return f"source/{path}.txt"


def _notebook(notebook: Path, folder: Path) -> str:
    exporter = MarkdownExporter()
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    cells = nbformat.read(notebook, as_version=4)
    for cell in cells.cells:
        # A cell of shell commands becomes a block of shell code.
        if cell.cell_type == "code" and cell.source.startswith("%%bash"):
            cell.cell_type, shell, outputs = "markdown", cell.source.partition("\n")[2], cell.outputs
            printed = "".join(output.text for output in outputs if output.output_type == "stream")
            cell.source = f"```bash\n{shell}\n```" + (f"\n\n```text\n{printed.rstrip()}\n```" if printed else "")
            del cell["outputs"], cell["execution_count"]
    text, resources = exporter.from_notebook_node(cells, {"output_files_dir": f"{notebook.stem}_files"})
    for name, content in resources["outputs"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return text


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)


def _write(page: Path, text: str) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
