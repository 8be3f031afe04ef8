"""See what an image-restoration network knows about the degradation of its input, and put that to work."""

from __future__ import annotations

import lazy_loader

# The public API is in __init__.pyi. It is imported at first use, so that `import ddrscope` does not wait for PyTorch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
