"""Build the docs site: python tools/build_docs.py OUT

Gathers every page as plain Markdown in OUT/pages, then builds them into OUT/site; a broken link or anchor fails. Needs no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from docs_pages import gather_pages
from docs_reference import command_page, room_pages

ROOT = Path(__file__).resolve().parents[1]


def main(out: Path) -> None:
    pages, site = out / "pages", out / "site"
    shutil.rmtree(pages, ignore_errors=True)
    gather_pages(ROOT, pages)
    for name, text in {"commands.md": command_page(), **room_pages(ROOT / "src/ddrscope")}.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "properdocs",
        "build",
        "--strict",
        "--quiet",
        "--config-file",
        str(ROOT / "mkdocs.yml"),
    ]
    if subprocess.run(
        [*command, "--site-dir", str(site)], env=os.environ | {"DDRSCOPE_DOCS": str(pages)}, check=False
    ).returncode:
        raise SystemExit(
            f"the docs were not built: mend what is named above (the pages as they were built lie in {pages})"
        )
    print(site / "index.html")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]).resolve())
