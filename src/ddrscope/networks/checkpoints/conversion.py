"""How to convert a checkpoint that only an unrestricted unpickler could read."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from pickletools import genops
from typing import BinaryIO, cast

# Other names would need quoting, and a file name must not become a command.
_PLAIN_NAME = re.compile(r"[\w./-]+", re.ASCII)
_CLASS_NAME = re.compile(r"[A-Za-z_]\w{,39}", re.ASCII)
_DICTIONARIES = ("collections OrderedDict", "collections defaultdict")
# In the legacy format, a magic number, a protocol and the machine come before the content.
_PICKLES_BEFORE_CONTENT = 3


def how_to_convert(path: Path, zipped: bool, refused: str) -> str:
    """The shell command that saves the weights alone, of a module or of a dictionary that also holds other objects.

    A class of the program that saved the file (``__main__``) is only found if it is imported into the command.

    Args:
        path: The checkpoint.
        zipped: Whether it is a zip archive, else it is in the legacy format.
        refused: The name of the class that is not read, as ``argparse.Namespace``.
    """
    module, _, class_name = refused.rpartition(".")
    of_program = module == "__main__" and _CLASS_NAME.fullmatch(class_name)
    imported, remark = (
        ("from MODULE import *; ", f" (MODULE: the file with {class_name}, without .py)") if of_program else ("", "")
    )
    name = str(path) if _PLAIN_NAME.fullmatch(str(path)) and len(str(path)) < 100 else "FILE"
    load = f"torch.load('{name}', map_location='cpu', weights_only=False)"
    target = "weights.pth"
    if is_one_object(path, zipped):
        return f"""python -c "{imported}import torch; torch.save({load}.state_dict(), '{target}')\"{remark}"""
    has_weights = "hasattr(v, 'keys') or hasattr(v, 'state_dict')"
    kept = f"{{k: getattr(v, 'state_dict', lambda: v)() for k, v in c.items() if {has_weights}}}"
    return f"""python -c "{imported}import torch; c = {load}; torch.save({kept}, '{target}')\"{remark}"""


def is_one_object(path: Path, zipped: bool) -> bool:
    """Whether the content of a checkpoint is an object, such as a module, not a dictionary. Nothing is executed."""
    try:
        if zipped:
            with zipfile.ZipFile(path) as archive:
                entry = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                with archive.open(entry) as stream:
                    return _begins_with_class(cast(BinaryIO, stream))
        with path.open("rb") as file:
            for _ in range(_PICKLES_BEFORE_CONTENT):
                for _operation in genops(file):
                    pass
            return _begins_with_class(file)
    # A malicious pickle can end anywhere.
    except Exception:
        return False


def _begins_with_class(stream: BinaryIO) -> bool:
    for operation, argument, _ in genops(stream):
        if operation.name not in ("PROTO", "FRAME"):
            # In the legacy format, the class of a module is a tuple.
            return operation.name == "MARK" or (operation.name == "GLOBAL" and argument not in _DICTIONARIES)
    return False
