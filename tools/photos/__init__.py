"""The photographs of `make photos`: a table of them, where they come from, checks of their pixels, near-duplicates between splits."""
