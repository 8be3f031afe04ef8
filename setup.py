"""What pyproject.toml cannot say: the commit that is built is written into wheels and source archives."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

PACKAGE = Path(__file__).resolve().parent / "src" / "ddrscope"


def write_commit(package: Path) -> None:
    # By its file: the package's own dependencies are not there while it is built.
    spec = importlib.util.spec_from_file_location("version", PACKAGE / "version.py")
    assert spec and spec.loader
    version = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(version)
    commit = version.commit()
    if commit:
        (package / version.WRITTEN.name).write_text(commit + "\n", encoding="utf-8")


class BuildPackage(build_py):
    def run(self) -> None:
        super().run()
        # An editable package asks its checkout at run time.
        if not self.editable_mode:
            write_commit(Path(self.build_lib) / "ddrscope")


class SourceArchive(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        write_commit(Path(base_dir) / "src" / "ddrscope")


setup(cmdclass={"build_py": BuildPackage, "sdist": SourceArchive})
