"""Benchmarks of speed and memory: `python -m benchmarks.NAME`. Results are in `benchmarks/results`, with machine, versions and date."""
