"""See what an image-restoration network knows about the damage in its input."""
