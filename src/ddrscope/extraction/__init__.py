"""Features of many images as one file."""
