"""Programs that make what the repository holds: bundled data, documentation, photographs. Run from its root, `python -m scripts.NAME`."""
