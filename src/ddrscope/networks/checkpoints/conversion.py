"""How to convert a checkpoint that only an unrestricted unpickler could read."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from pickletools import genops
from typing import Any, BinaryIO, cast

# Other names would need quoting, and a file name must not become a command.
_PLAIN_NAME = re.compile(r"[\w./-]+", re.ASCII)
_LONGEST_NAME = 100
_LISTED = 3
_CLASS_NAME = re.compile(r"[A-Za-z_]\w{,39}", re.ASCII)
_DICTIONARIES = ("collections OrderedDict", "collections defaultdict")
# In the legacy format, a magic number, a protocol and the machine come before the content.
_PICKLES_BEFORE_CONTENT = 3


def how_to_convert(path: Path, zipped: bool, refused: str) -> str:
    """The shell command that saves the weights alone, of a module or of a dictionary that also holds other objects.

    Classes of the program that saved the file (``__main__``) are only found if they are imported into the command.

    Args:
        path: The checkpoint.
        zipped: Whether it is a zip archive, else it is in the legacy format.
        refused: The name of the class that is not read, as ``argparse.Namespace``.
    """
    classes = list(dict.fromkeys((refused.rpartition(".")[2], *_classes_of_program(path, zipped))))
    of_program = refused.startswith("__main__.") and all(map(_CLASS_NAME.fullmatch, classes))
    imported, remark = "", ""
    if of_program:
        files = f"file with {classes[0]}" if len(classes) == 1 else f"files with {', '.join(classes[:_LISTED])}"
        imported, remark = "from MODULE import *; ", f" (MODULE: the {files}, without .py)"
    load = f"torch.load({name_in_code(path)}, map_location='cpu', weights_only=False)"
    target = "weights.pth"
    if is_one_object(path, zipped):
        return f"""python -c "{imported}import torch; torch.save({load}.state_dict(), '{target}')\"{remark}"""
    has_weights = "hasattr(v, 'keys') or hasattr(v, 'state_dict')"
    kept = f"{{k: getattr(v, 'state_dict', lambda: v)() for k, v in c.items() if {has_weights}}}"
    return f"""python -c "{imported}import torch; c = {load}; torch.save({kept}, '{target}')\"{remark}"""


def name_in_code(path: str | Path) -> str:
    """The path as a string literal within double quotes of a shell; ``'FILE'`` if that needs escapes or is long."""
    text = str(path)
    return f"'{text}'" if _PLAIN_NAME.fullmatch(text) and len(text) < _LONGEST_NAME else "'FILE'"


def is_one_object(path: Path, zipped: bool) -> bool:
    """Whether the content of a checkpoint is an object, such as a module, not a dictionary. Nothing is executed."""
    # A malicious pickle can end anywhere.
    with suppress(Exception):
        for operation, argument in _operations(path, zipped):
            if operation not in ("PROTO", "FRAME"):
                # In the legacy format, the class of a module is a tuple.
                return operation == "MARK" or (operation == "GLOBAL" and argument not in _DICTIONARIES)
    return False


def _classes_of_program(path: Path, zipped: bool) -> list[str]:
    """The classes of the program that saved the file, in the order of the file. Nothing is executed."""
    found: list[str] = []
    with suppress(Exception):
        for operation, argument in _operations(path, zipped):
            module, _, name = str(argument).partition(" ")
            if operation == "GLOBAL" and module == "__main__":
                found.append(name)
    return found


def _operations(path: Path, zipped: bool) -> Iterator[tuple[str, Any]]:
    """The operations of the pickle with the content of a checkpoint."""
    if zipped:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(entry) as stream:
                yield from _parsed(cast(BinaryIO, stream))
    else:
        with path.open("rb") as file:
            for _ in range(_PICKLES_BEFORE_CONTENT):
                for _operation in genops(file):
                    pass
            yield from _parsed(file)


def _parsed(stream: BinaryIO) -> Iterator[tuple[str, Any]]:
    for operation, argument, _ in genops(stream):
        yield operation.name, argument
