"""The photographs of `make photos`: the table, the sources, checks of the pixels, near-duplicates between splits."""
