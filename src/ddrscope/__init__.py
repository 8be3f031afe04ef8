"""See what an image-restoration network knows about the degradation in its input."""
