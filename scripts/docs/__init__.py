"""The documentation site, the tutorials, and the commands that the pages print."""
