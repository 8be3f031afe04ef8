"""The pages of the docs site that are written by hand: gathered in one folder, their links turned to where they lie there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import nbformat
from nbconvert import MarkdownExporter

# Pages that lie outside docs/, and their names in the site.
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
}
_CODE = re.compile(r"^(```.*?^```|(?:    .*\n)+)|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def gather_pages(root: Path, pages: Path) -> None:
    """Write every page and image of the repository ``root`` into ``pages``; notebooks become Markdown with their images beside it."""
    for source in sorted((root / "docs").rglob("*")):
        inside = source.relative_to(root / "docs")
        if source.is_dir() or "tutorials" in inside.parts:
            continue
        (pages / inside).parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            text = source.read_text(encoding="utf-8")
            _write(pages / inside, _relinked(text, root, PurePosixPath("docs", inside.as_posix()), pages))
        else:
            shutil.copyfile(source, pages / inside)
    for name, page in OUTSIDE.items():
        text = (root / name).read_text(encoding="utf-8")
        _write(pages / page, _relinked(text, root, PurePosixPath(name), pages))
    for notebook in sorted((root / "docs/tutorials").glob("*.ipynb")):
        text = _notebook(notebook, pages / "tutorials")
        _write(
            pages / "tutorials" / f"{notebook.stem}.md",
            _relinked(text, root, PurePosixPath("docs/tutorials", notebook.name), pages),
        )


def outside_code(change: Callable[[str], str], text: str) -> str:
    """``text`` with ``change`` applied to what is no code: neither fenced, nor indented, nor between backticks."""
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [change(text[end : code.start()]), code.group()]
        end = code.end()
    return "".join([*parts, change(text[end:])])


def _relinked(text: str, root: Path, source: PurePosixPath, pages: Path) -> str:
    """The page ``source`` (from ``root``) with its links into the repository turned to where they lead in the site."""
    here = PurePosixPath(_place(source)).parent

    def turned(link: re.Match[str]) -> str:
        target, hash_, anchor = link[2].partition("#")
        if ":" in target or not target:
            return link[0]
        wanted = PurePosixPath(os.path.normpath(source.parent / target))
        found = root / wanted
        if not found.exists():
            # Left as it is: the strict build names page and link.
            return link[0]
        place = _place(wanted)
        if place.startswith("source/"):
            if found.is_dir():
                raise SystemExit(f"{source} links to the folder {wanted}: a site can show files only")
            _copy(found, pages / place)
        return link[1] + os.path.relpath(place, here) + hash_ + anchor + link[3]

    return outside_code(lambda part: _LINK.sub(turned, part), text)


def _place(path: PurePosixPath) -> str:
    """Where a file of the repository lies in the site; what is no page of it, under ``source/`` as text that browsers show."""
    if str(path) in OUTSIDE:
        return OUTSIDE[str(path)]
    if path.parts[0] == "docs":
        inside = path.relative_to("docs")
        return str(inside.with_suffix(".md") if inside.suffix == ".ipynb" else inside)
    return f"source/{path}.txt"


def _notebook(notebook: Path, folder: Path) -> str:
    exporter = MarkdownExporter()
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    cells = nbformat.read(notebook, as_version=4)
    for cell in cells.cells:
        # A cell of shell commands is shown as such.
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
