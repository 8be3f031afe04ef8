"""Fuzz target: a file of weights gives a network or raises `InputError`. The first byte selects the kind of file."""

from __future__ import annotations

from support import instrumented, main, scratch

with instrumented("ddrscope.networks", "ddrscope.identification.files", "pickletools"):
    import pickletools  # noqa: F401

    from ddrscope.identification.files import load_identifier
    from ddrscope.networks import load_network
with instrumented("torch._weights_only_unpickler"):
    import torch._weights_only_unpickler  # noqa: F401

import spandrel  # noqa: F401  (otherwise imported at the first unknown file, which would count as its time)

from ddrscope.errors import InputError

FOLDER = scratch()
# Separates the two files of an ncnn pair.
CUT = b"\n====\n"


def target(data: bytes) -> None:
    kind, content = data[:1], data[1:]
    try:
        if kind == b"n":
            param, _, binary = content.partition(CUT)
            (FOLDER / "net.param").write_bytes(param)
            (FOLDER / "net.bin").write_bytes(binary)
            load_network(FOLDER / "net.param")
        elif kind == b"i":
            (FOLDER / "one.safetensors").write_bytes(content)
            load_identifier(FOLDER / "one.safetensors")
        else:
            path = FOLDER / ("net.safetensors" if kind == b"s" else "net.pth")
            path.write_bytes(content)
            load_network(path, global_residual=True)
    except InputError:
        pass


if __name__ == "__main__":
    main(target)
