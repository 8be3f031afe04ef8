"""Many images: lists, sharded output files, executors in this process or on Ray."""
