"""Writes the bundled data of the package (`src/ddrscope/data`) and their cards."""
