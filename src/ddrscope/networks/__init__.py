"""Networks: architectures, checkpoints of any kind, and networks that have a name.

The names are imported at first use, so that the names of networks are there without PyTorch.
"""

from __future__ import annotations

import lazy_loader

# Those in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
