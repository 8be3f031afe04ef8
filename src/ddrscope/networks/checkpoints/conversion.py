"""What to do with a checkpoint that only an unrestricted unpickler could read."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from pickletools import genops
from typing import BinaryIO, cast

# Others would have to be quoted, and what a file is called must not become a command.
_PLAIN_NAME = re.compile(r"[\w./-]+", re.ASCII)
_DICTIONARIES = ("collections OrderedDict", "collections defaultdict")
# Before its content a checkpoint of the older kind holds a magic number, a protocol and the machine.
_BEFORE_CONTENT = 3


def how_to_convert(path: Path, zipped: bool) -> str:
    """The command that saves the weights alone, for a pickled module and for a dictionary that holds other objects too."""
    name = str(path) if _PLAIN_NAME.fullmatch(str(path)) and len(str(path)) < 100 else "FILE"
    load = f"torch.load('{name}', map_location='cpu', weights_only=False)"
    target = "weights.pth"
    if is_one_object(path, zipped):
        return f"""python -c "import torch; torch.save({load}.state_dict(), '{target}')\""""
    kept = "{k: getattr(v, 'state_dict', lambda: v)() for k, v in c.items() if hasattr(v, 'keys') or hasattr(v, 'state_dict')}"
    return f"""python -c "import torch; c = {load}; torch.save({kept}, '{target}')\""""


def is_one_object(path: Path, zipped: bool) -> bool:
    """Whether a checkpoint's content is an object, as a whole module is, and no dictionary; nothing in it is run."""
    try:
        if zipped:
            with zipfile.ZipFile(path) as archive:
                entry = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                with archive.open(entry) as stream:
                    return _begins_with_class(cast(BinaryIO, stream))
        with path.open("rb") as file:
            for _ in range(_BEFORE_CONTENT):
                for _operation in genops(file):
                    pass
            return _begins_with_class(file)
    # A hostile pickle may break off anywhere.
    except Exception:
        return False


def _begins_with_class(stream: BinaryIO) -> bool:
    for operation, argument, _ in genops(stream):
        if operation.name not in ("PROTO", "FRAME"):
            # In a checkpoint of the older kind the class of a module is itself a tuple.
            return operation.name == "MARK" or (operation.name == "GLOBAL" and argument not in _DICTIONARIES)
    return False
