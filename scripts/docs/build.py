"""Build the documentation site: python -m scripts.docs.build OUT

Collects every page as Markdown in OUT/pages and builds the site in OUT/site. A broken link or anchor is an error. No network is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.docs.pages import gather_pages
from scripts.docs.reference import api_pages, command_page

ROOT = Path(__file__).resolve().parents[2]


def main(out: Path) -> None:
    pages, site = out / "pages", out / "site"
    shutil.rmtree(pages, ignore_errors=True)
    gather_pages(ROOT, pages)
    for name, text in {"commands.md": command_page(), **api_pages(ROOT / "src/ddrscope")}.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(text, encoding="utf-8")
    options = ["--strict", "--quiet", "--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(site)]
    command = [sys.executable, "-m", "properdocs", "build", *options]
    if subprocess.run(command, env=os.environ | {"DDRSCOPE_DOCS": str(pages)}, check=False).returncode:
        raise SystemExit(f"the build failed: correct the errors above (the pages are in {pages})")
    print(site / "index.html")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]).resolve())
