"""Put the map of known damage into the package: what `ddrscope serve` and `ddrscope upscale --explain` show.

    python tools/bundle_known_degradations.py

To be run when the weights of `blind-ddr`, the bundled photographs or the degradations changed; `tools/bundle_blind.py` runs it too.
"""

from __future__ import annotations

import sys

from ddrscope.networks import load_network
from ddrscope.upscaling.bundled_embeddings import MAPPED_NETWORK, save_embeddings
from ddrscope.upscaling.embedding_map import embed_known, known_images


def main() -> None:
    network, shown = load_network(MAPPED_NETWORK), known_images()
    save_embeddings(network, shown, embed_known(network, shown))


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    main()
