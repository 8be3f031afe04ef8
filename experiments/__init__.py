"""Experiments, one folder per question: README.md is the report, `python -m experiments.NAME.run` repeats it."""
