"""Write the bundled map of known degradations, which `ddrscope serve` and `ddrscope upscale --explain` show.

    python -m scripts.bundle.known_degradations

Run it when the weights of `blind-ddr`, the bundled photographs or the degradations have changed. `scripts.bundle.blind_networks` runs it
too.
"""

from __future__ import annotations

import sys

from ddrscope.networks import load_network
from ddrscope.upscaling.bundled_embeddings import BUNDLED_NETWORK, save_embeddings
from ddrscope.upscaling.embedding_map import embed_known_images
from ddrscope.upscaling.known_images import known_images


def main() -> None:
    network, images = load_network(BUNDLED_NETWORK), known_images()
    save_embeddings(network, images, embed_known_images(network, images))


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    main()
