"""Runs over many images: image lists, resumable output files made in shards, executors in this process or on Ray."""
