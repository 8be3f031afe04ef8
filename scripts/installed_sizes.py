"""Print what is installed in this environment, largest first, in megabytes.

Usage: python -m scripts.installed_sizes [--all]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

# Smaller packages are summed up in one line.
SHOWN_MEGABYTES = 5


def installed_sizes() -> Iterator[tuple[float, str]]:
    """Size in megabytes (10^6 bytes, without compiled bytecode) and name of every installed distribution."""
    for distribution in metadata.distributions():
        paths = {Path(str(file.locate())) for file in distribution.files or () if file.suffix != ".pyc"}
        yield sum(path.stat().st_size for path in paths if path.is_file()) / 1e6, distribution.metadata["Name"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--all", action="store_true", help=f"list packages below {SHOWN_MEGABYTES} MB too")
    least = 0 if parser.parse_args().all else SHOWN_MEGABYTES
    sizes = sorted(installed_sizes(), reverse=True)
    for size, name in sizes:
        if size >= least:
            print(f"{size:8.1f}  {name}")
    small = [size for size, _ in sizes if size < least]
    if small:
        print(f"{sum(small):8.1f}  {len(small)} packages below {least} MB")
    print(f"{sum(size for size, _ in sizes):8.1f}  MB in {len(sizes)} packages")


if __name__ == "__main__":
    main()
