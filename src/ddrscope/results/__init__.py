"""Results as frozen dataclasses that know their JSON and tables. They hold numbers, texts and tables, and no plots."""
