"""Closed and open loops of `ddrscope match`, and the error rates of `compare` and `watch`."""
