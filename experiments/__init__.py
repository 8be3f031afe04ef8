"""Experiments, one folder per question: README.md is the report, run.py the program. Run from the root: `python -m experiments.NAME.run`."""
