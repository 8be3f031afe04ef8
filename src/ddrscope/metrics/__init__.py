"""Measures of how features cluster, by degradation and by content, with confidence intervals.

Import from the modules: every result has an `Estimate`, and few need SciPy and scikit-learn.
"""
